"""Defaults that depend on a model's backend: where it listens, and what it can do when the file does not
say."""

from llm_inference_router.config.claude import claude
from llm_inference_router.config.schema import BackendName, ModelConfig
from llm_inference_router.vocabulary import Capability

ENDPOINTS: dict[BackendName, str | None] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "tgi": "http://127.0.0.1:8080/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "llamacpp": "http://127.0.0.1:8080/v1",
    "openai_compatible": None,
    "simulated": None,
}

# What the hosted models usually do. A local server does what its model and its start options allow, which
# nobody can know from its name, so it has to say.
CAPABILITIES: dict[BackendName, tuple[Capability, ...]] = {
    "openai": ("tools", "parallel_tools", "json_schema", "vision", "logprobs"),
    "anthropic": ("tools", "parallel_tools", "json_schema", "vision", "prefill"),
    "vllm": (),
    "tgi": (),
    "ollama": (),
    "llamacpp": (),
    "openai_compatible": (),
    "simulated": ("tools", "parallel_tools", "json_schema", "logprobs"),
}

# Their servers have no /v1/embeddings (text-embeddings-inference has one: it is openai_compatible).
NO_EMBEDDINGS: frozenset[BackendName] = frozenset({"anthropic", "tgi"})

CLOUD_HOSTS = frozenset({"api.openai.com", "api.anthropic.com"})


def urls(model: ModelConfig) -> tuple[str, ...]:
    """The model's addresses: its own, or its backend's default; none for a simulated model."""
    if model.endpoints:
        return tuple(endpoint.url for endpoint in model.endpoints)
    default = ENDPOINTS[model.backend]
    return (default,) if default else ()


def capabilities(model: ModelConfig) -> frozenset[Capability]:
    """What the file says, or else what the backend's models usually do: of Claude, what its version can."""
    if model.capabilities is not None:
        return frozenset(model.capabilities)
    usual = frozenset(CAPABILITIES[model.backend])
    if model.backend != "anthropic":
        return usual
    named = claude(model.upstream_model or model.name)
    return usual - ({"prefill"} if not named.prefilled else set()) - ({"json_schema"} if not named.schemas else set())
