from typing import get_args

import msgspec
import pytest

from llm_inference_router import types
from llm_inference_router.config import defaults
from llm_inference_router.config.models import catalogue
from llm_inference_router.config.parse import parse
from llm_inference_router.config.schema import BackendName, Config


def _config(models: str) -> Config:
    text = f"models:\n{models}\nroutes: {{auto: {{models: [m]}}}}\n"
    findings = parse(text, environ={}, read_file=str, name="router.yaml")
    assert findings.config is not None, findings.problems
    return findings.config


def _one(**keys: str) -> types.Model:
    given = {"name": "m", "backend": "vllm", "tier": "small", "location": "local", "context": "4096", **keys}
    [model] = catalogue(_config("  - {" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}"))
    return model


def test_a_model_arrives_whole() -> None:
    model = _one(
        backend="anthropic",
        location="cloud",
        region="us",
        upstream_model="claude-x",
        context="200000",
        max_output="4096",
        price="{input: 15, cached_input: 1.5, cache_write: 18.75, output: 75}",
        capabilities="[tools]",
        timeouts="{connect: 1s, first_token: 2s, idle: 3s, total: 4m}",
        api_key="sk-secret",
    )
    assert model == types.Model(
        name="m",
        backend="anthropic",
        upstream_model="claude-x",
        endpoints=(types.Endpoint(id="m@api.anthropic.com", url="https://api.anthropic.com/v1"),),
        tier="small",
        location="cloud",
        region="us",
        context=200000,
        max_output=4096,
        price=types.Price(input=15_000_000, output=75_000_000, cached_input=1_500_000, cache_write=18_750_000),
        capabilities=frozenset({"tools"}),
        timeouts=types.Timeouts(connect=1.0, first_token=2.0, idle=3.0, total=240.0),
    )
    assert b"sk-secret" not in msgspec.json.encode(model)


def test_a_model_is_called_by_its_own_name_unless_it_has_another_upstream() -> None:
    assert _one().upstream_model == "m"


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("openai", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1"),
        ("ollama", "http://127.0.0.1:11434/v1"),
        ("vllm", "http://127.0.0.1:8000/v1"),
        ("tgi", "http://127.0.0.1:8080/v1"),
        ("llamacpp", "http://127.0.0.1:8080/v1"),
    ],
)
def test_each_backend_has_its_default_address(backend: str, url: str) -> None:
    location = "cloud" if backend in ("openai", "anthropic") else "local"
    assert [endpoint.url for endpoint in _one(backend=backend, location=location).endpoints] == [url]


def test_endpoint_ids_show_host_and_port_and_differ() -> None:
    urls = ("http://127.0.0.1:8000/v1", "http://gpu:8000/v1/", "http://gpu:8000/other")
    model = _one(endpoints="[" + ", ".join(f'{{url: "{url}"}}' for url in urls) + "]")
    assert [endpoint.id for endpoint in model.endpoints] == ["m@127.0.0.1:8000", "m@gpu:8000", "m@gpu:8000#2"]
    assert [endpoint.url for endpoint in model.endpoints] == [url.rstrip("/") for url in urls]


def test_a_simulated_model_has_one_endpoint_inside_the_router() -> None:
    model = _one(backend="simulated")
    assert [endpoint.id for endpoint in model.endpoints] == ["m@simulated"]
    assert model.simulated


def test_capabilities_that_are_not_given_are_the_backends_and_an_empty_list_is_none() -> None:
    assert _one(backend="openai", location="cloud").capabilities == {
        "tools",
        "parallel_tools",
        "json_schema",
        "vision",
        "logprobs",
    }
    assert "prefill" in _one(backend="anthropic", location="cloud").capabilities
    for name, has, lacks in (
        ("claude-opus-4-1", "prefill", "json_schema"),
        ("claude-opus-5-5", "json_schema", "prefill"),
    ):
        found = _one(backend="anthropic", location="cloud", upstream_model=name).capabilities
        assert has in found
        assert lacks not in found
    assert "json_schema" in _one(backend="simulated").capabilities
    assert _one().capabilities == frozenset()
    assert _one(backend="openai", location="cloud", capabilities="[]").capabilities == frozenset()


def test_every_backend_has_its_defaults() -> None:
    backends = set(get_args(BackendName))
    assert set(defaults.ENDPOINTS) == backends
    assert set(defaults.CAPABILITIES) == backends
