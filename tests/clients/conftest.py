"""One router and one scripted upstream for all tests of clients."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.serving.router import Router, serving
from tests.serving.upstream import Upstream, upstream

# The router's name of each recorded server's model, and the backend that speaks to it.
BACKENDS = {
    "vllm": "vllm",
    "vllm-random": "vllm",
    "vllm-reasoning": "vllm",
    "llama-cpp-python": "llamacpp",
    "transformers-serve": "openai_compatible",
    "aimock": "openai",
    "claude": "anthropic",
}
_MODEL = (
    "  - {{name: {name}, backend: {backend}, endpoints: [{{url: '{url}'}}], upstream_model: {name}-upstream, "
    "tier: small, location: local, context: 32768, max_output: 4096, price: {{input: 1, output: 2}}, "
    "capabilities: [tools, parallel_tools, json_schema, vision, logprobs, reasoning], health: none, breaker: none, "
    "timeouts: {{connect: 500ms, first_token: 5s, idle: 5s, total: 20s}}}}"
)
_RULE = "  - {{name: {name}, when: {{tags: {{server: {name}}}}}, use: {{models: [{name}]}}}}"


def config(url: str) -> str:
    """Route `auto` over a model per recorded server; the tag `server` says which one answers."""
    models = "\n".join(_MODEL.format(name=name, backend=kind, url=url) for name, kind in BACKENDS.items())
    rules = "\n".join(_RULE.format(name=name) for name in BACKENDS)
    route = f"  auto: {{models: [{', '.join(BACKENDS)}], policy: {{kind: fixed}}}}"
    text_only = "  text: {models: [plain], policy: {kind: fixed}}"
    plain = (
        f"  - {{name: plain, backend: openai_compatible, endpoints: [{{url: '{url}'}}], tier: small, location: local, "
        "context: 2048, price: {input: 0, output: 0}, health: none, breaker: none, "
        "timeouts: {connect: 500ms, first_token: 5s, idle: 5s, total: 20s}}"
    )
    return f"server: {{max_body: 1MiB}}\nmodels:\n{models}\n{plain}\nroutes:\n{route}\n{text_only}\nrules:\n{rules}\n"


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="session")
def shared_router(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("clients"), config(shared_upstream.url)) as running:
        yield running


@pytest.fixture
def backend(shared_upstream: Upstream) -> Upstream:
    """The upstream, without what earlier tests taught it."""
    shared_upstream.behaviours.clear()
    shared_upstream.requests.clear()
    return shared_upstream


@pytest.fixture
def router(shared_router: Router, backend: Upstream) -> Router:
    return shared_router


@pytest.fixture
def client(router: Router) -> Iterator[OpenAI]:
    with OpenAI(base_url=router.url + "/v1", api_key="unused", timeout=20) as made:
        yield made
