import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config.parse import Findings, parse
from llm_inference_router.config.schema import BackendName
from llm_inference_router.config.starter import KEYS, LocalModel, LocalServer, guess_tier, starter

SERVERS = (
    LocalServer("vLLM", "vllm", "http://127.0.0.1:8000/v1", (LocalModel("microsoft/Phi-3-mini-4k-instruct", 4096),)),
    LocalServer("TGI", "tgi", "http://127.0.0.1:3000/v1", (LocalModel("meta-llama/Llama-3-70B", 8192),)),
    LocalServer(
        "Ollama",
        "ollama",
        "http://127.0.0.1:11434/v1",
        (LocalModel("llama3:8b", 4096, "8.0B"), LocalModel("auto")),
    ),
    LocalServer("llama.cpp", "llamacpp", "http://127.0.0.1:8080/v1", (LocalModel("/models/tiny.gguf", 2048),)),
    LocalServer("LM Studio", "openai_compatible", "http://127.0.0.1:1234/v1", (LocalModel("qwen2.5-32b"),)),
)
HOSTED = tuple(KEYS)


def _read(text: str) -> Findings:
    environ = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
    return parse(text, environ=environ, read_file=str, name="router.yaml")


def _subsets(values: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [some for size in range(len(values) + 1) for some in itertools.combinations(values, size)]


@pytest.mark.parametrize("servers", _subsets(SERVERS), ids=lambda some: "+".join(s.label for s in some) or "none")
@pytest.mark.parametrize("keys", _subsets(HOSTED), ids=lambda some: "+".join(some) or "none")
def test_whatever_was_found_the_file_passes_check_and_can_be_served(
    servers: tuple[LocalServer, ...], keys: tuple[BackendName, ...]
) -> None:
    findings = _read(starter(servers, keys))
    assert (findings.problems, findings.warnings, findings.notes) == ((), (), ())
    assert findings.config is not None
    names = [model.name for model in findings.config.models]
    assert findings.config.routes["auto"].models == tuple(names)
    simulated = [model for model in findings.config.models if model.backend == "simulated"]
    assert bool(simulated) == (not servers and not keys)


def test_only_names_of_keys_are_written() -> None:
    text = starter((), HOSTED)
    assert text.count("api_key: ${OPENAI_API_KEY}") == 3
    assert text.count("api_key: ${ANTHROPIC_API_KEY}") == 3


def test_the_upstream_keeps_its_own_name_for_the_model() -> None:
    config = _read(starter(SERVERS, ())).config
    assert config is not None
    named = {model.upstream_model or model.name: model.name for model in config.models}
    assert named == {
        "microsoft/Phi-3-mini-4k-instruct": "microsoft/Phi-3-mini-4k-instruct",
        "meta-llama/Llama-3-70B": "meta-llama/Llama-3-70B",
        "llama3:8b": "llama3:8b",
        "auto": "auto-2",
        "/models/tiny.gguf": "tiny",
        "qwen2.5-32b": "qwen2.5-32b",
    }
    assert [model.tier for model in config.models] == ["small", "large", "small", "medium", "small", "medium"]
    assert [model.context for model in config.models] == [4096, 8192, 4096, 4096, 2048, 4096]


def test_a_local_model_with_a_hosted_models_name_leaves_both_reachable() -> None:
    local = LocalServer("vLLM", "vllm", "http://127.0.0.1:8000/v1", (LocalModel("gpt-4.1", 8192),))
    config = _read(starter((local,), ("openai",))).config
    assert config is not None
    called = {model.name: (model.backend, model.upstream_model) for model in config.models}
    assert called["gpt-4.1"] == ("vllm", None)
    assert called["gpt-4.1-2"] == ("openai", "gpt-4.1")


@given(st.lists(st.text(min_size=1, max_size=120).filter(str.isprintable), min_size=1, max_size=6))
def test_any_printable_model_id_survives_the_file(ids: list[str]) -> None:
    server = LocalServer("vLLM", "vllm", "http://127.0.0.1:8000/v1", tuple(LocalModel(id) for id in ids))  # noqa: A001
    findings = _read(starter((server,), ()))
    assert findings.problems == ()
    assert findings.config is not None
    assert [model.upstream_model or model.name for model in findings.config.models] == ids


@pytest.mark.parametrize(
    ("name", "size", "tier"),
    [
        ("llama3:8b", "", "small"),
        ("Meta-Llama-3-70B-Instruct", "", "large"),
        ("qwen2.5-32b", "", "medium"),
        ("mixtral-8x7b", "", "large"),
        ("smollm-135m", "", "small"),
        ("llama3:latest", "8.0B", "small"),
        ("llama3:latest", "70.6B", "large"),
        ("gpt-4.1-nano", "", "small"),
        ("o4-mini", "", "small"),
        ("claude-haiku-4-5", "", "small"),
        ("claude-opus-4-5", "", "large"),
        ("mistral-large", "", "large"),
        ("phi-3-mini-4k-instruct", "", "small"),
        ("something", "", "medium"),
        ("gemini-pro", "", "large"),
        ("admin-model", "", "medium"),
    ],
)
def test_tiers_are_guessed_from_sizes_then_words(name: str, size: str, tier: str) -> None:
    assert guess_tier(name, size) == tier
