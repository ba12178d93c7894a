"""The first configuration of a machine: what was found there, as commented YAML. Pure."""

import json
import re
from collections.abc import Iterator

from msgspec import Struct

from llm_inference_router.config import defaults
from llm_inference_router.config.names import RESERVED
from llm_inference_router.config.scalars import reads_as
from llm_inference_router.config.schema import NAME_PATTERN, BackendName
from llm_inference_router.vocabulary import Tier

UNKNOWN_CONTEXT = 4096

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]*\Z")
_BILLIONS = re.compile(r"(?<![a-z0-9.])(?:(\d{1,2})x)?(\d{1,4}(?:\.\d+)?)b(?![a-z])")
_MILLIONS = re.compile(r"(?<![a-z0-9.])\d{2,4}m(?![a-z])")
_WORDS: tuple[tuple[Tier, frozenset[str]], ...] = (
    ("small", frozenset({"nano", "mini", "haiku", "tiny", "small", "lite", "flash", "micro"})),
    ("large", frozenset({"opus", "large", "ultra", "max", "pro"})),
    ("medium", frozenset({"medium", "sonnet", "turbo"})),
)


class LocalModel(Struct, frozen=True):
    """A model that a local server offers. `size` is a hint such as "8.0B"; `context` None: unknown."""

    id: str
    context: int | None = None
    size: str = ""


class LocalServer(Struct, frozen=True):
    label: str
    backend: BackendName
    url: str
    models: tuple[LocalModel, ...]


class Hosted(Struct, frozen=True):
    """A hosted model with its list prices in USD per million tokens."""

    name: str
    tier: Tier
    context: int
    max_output: int
    price: dict[str, float]


def _openai(input: float, cached: float, output: float) -> dict[str, float]:  # noqa: A002 - the file's own word
    return {"input": input, "cached_input": cached, "output": output}


def _anthropic(input: float, output: float) -> dict[str, float]:  # noqa: A002 - the file's own word
    """Anthropic reads its cache at a tenth of the input price and writes it at five quarters."""
    return {"input": input, "cached_input": input / 10, "cache_write": input * 1.25, "output": output}


HOSTED: dict[BackendName, tuple[Hosted, ...]] = {
    "openai": (
        Hosted("gpt-4.1-nano", "small", 1047576, 32768, _openai(0.10, 0.025, 0.40)),
        Hosted("gpt-4.1-mini", "medium", 1047576, 32768, _openai(0.40, 0.10, 1.60)),
        Hosted("gpt-4.1", "large", 1047576, 32768, _openai(2, 0.50, 8)),
    ),
    "anthropic": (
        Hosted("claude-haiku-4-5", "small", 200000, 64000, _anthropic(1, 5)),
        Hosted("claude-sonnet-4-5", "medium", 200000, 64000, _anthropic(3, 15)),
        Hosted("claude-opus-4-5", "large", 200000, 64000, _anthropic(5, 25)),
    ),
}
KEYS: dict[BackendName, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}

_SIMULATED: tuple[Hosted, ...] = (
    Hosted("sim-small", "small", 32000, 4096, {"input": 0.10, "output": 0.40}),
    Hosted("sim-medium", "medium", 128000, 8192, {"input": 0.60, "output": 2.40}),
    Hosted("sim-large", "large", 200000, 8192, {"input": 5, "output": 25}),
)


_HEAD = """\
# Written by `llm-router init` from what it found on this machine. Check it with `llm-router check`, start it
# with `llm-router serve`. Every key: docs/reference/config.md; for editors: `llm-router schema`.

server:
  host: 127.0.0.1      # this machine alone; to listen elsewhere, add keys first
  port: 4100
  # keys:
  #   - {name: team, key: "${TEAM_KEY}"}

# `tier` is the prior of a model's quality before anything is known; `price` is USD per million tokens.
models:"""


_TAIL = """\
    policy:
      kind: cheapest_above_bar   # fixed | complexity | cheapest_above_bar | utility
      bar: 0.90                  # the share of the best model's quality that is good enough

# Exceptions go here; the first that matches wins.
# rules:
#   - name: greetings
#     when: {keywords: [hello, hi, thanks], max_prompt_tokens: 20}
#     use: {tier: small}
"""


def starter(servers: tuple[LocalServer, ...], keys: tuple[BackendName, ...]) -> str:
    """A whole router.yaml, which passes `check`. `keys`: the hosted backends whose key is set."""
    taken = ["auto", *RESERVED]
    names = list(taken)
    lines = [_HEAD]
    for server in servers:
        lines += _local(server, names)
    for backend in keys:
        lines += _hosted(backend, names)
    if names == taken:
        lines += _simulated(names)
    models = ", ".join(_text(name) for name in names[len(taken) :])
    lines += [
        "",
        "routes:                # what clients ask for in `model`",
        "  auto:",
        f"    models: [{models}]",
    ]
    return "\n".join([*lines, _TAIL])


def guess_tier(name: str, size: str = "") -> Tier:
    """A tier by the number of parameters in size or name (8b, 70b, 8x7b), else by words such as mini."""
    for text in (size.lower(), name.lower()):
        counts = [int(times or 1) * float(billions) for times, billions in _BILLIONS.findall(text)]
        if counts:
            return "small" if max(counts) <= 14 else "medium" if max(counts) <= 40 else "large"
        if _MILLIONS.search(text):
            return "small"
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((tier for tier, known in _WORDS if words & known), "medium")


def _local(server: LocalServer, names: list[str]) -> Iterator[str]:
    yield f"  # {server.label} at {server.url}; tiers are guessed from the names"
    for model in server.models:
        name = _name(model.id, names)
        yield f"  - name: {_text(name)}"
        yield f"    backend: {server.backend}"
        if server.url != defaults.ENDPOINTS[server.backend]:
            yield f"    endpoints: [{{url: {_text(server.url)}}}]"
        if model.id != name:
            yield f"    upstream_model: {_text(model.id)}"
        yield f"    tier: {guess_tier(model.id, model.size)}"
        yield "    location: local"
        unsure = "" if model.context else "    # the server does not say; check"
        yield f"    context: {model.context or UNKNOWN_CONTEXT}{unsure}"
        yield "    price: {input: 0, output: 0}"
        yield "    # capabilities: [tools, json_schema]   # name what model and server allow"


def _hosted(backend: BackendName, names: list[str]) -> Iterator[str]:
    yield f"  # {backend}, with ${{{KEYS[backend]}}}; list prices change, so check them"
    for model in HOSTED[backend]:
        name = _name(model.name, names)
        yield f"  - name: {name}"
        yield f"    backend: {backend}"
        yield f"    api_key: ${{{KEYS[backend]}}}"
        if model.name != name:
            yield f"    upstream_model: {model.name}"
        yield "    location: cloud"
        yield from _measures(model)


def _simulated(names: list[str]) -> Iterator[str]:
    yield "  # No key and no local server was found. These models are simulated in the router: it starts,"
    yield "  # routes and streams, but their answers mean nothing and their prices are made up. Replace them."
    for model in _SIMULATED:
        yield f"  - name: {_name(model.name, names)}"
        yield "    backend: simulated"
        yield "    location: local"
        yield from _measures(model)


def _measures(model: Hosted) -> Iterator[str]:
    yield f"    tier: {model.tier}"
    yield f"    context: {model.context}"
    yield f"    max_output: {model.max_output}"
    yield f"    price: {{{', '.join(f'{key}: {usd:g}' for key, usd in model.price.items())}}}"


def _name(id: str, names: list[str]) -> str:  # noqa: A002 - the servers' own word
    """A free name for a model: its id, or what of it a name may hold; added to `names`."""
    base = id if re.fullmatch(NAME_PATTERN, id) else id.rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    base = re.sub(r"[^A-Za-z0-9._:/@-]+", "-", base, flags=re.ASCII).lstrip("-._:/@")[:90] or "model"
    name, number = base, 2
    while name in names:
        name, number = f"{base}-{number}", number + 1
    names.append(name)
    return name


def _text(text: str) -> str:
    """A text as YAML: plain where every reader takes it for a text, else in double quotes."""
    if _PLAIN.match(text) and not reads_as(text):
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)
