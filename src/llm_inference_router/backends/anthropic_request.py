"""A chat request as Anthropic's Messages: pure translation, with a warning for whatever does not survive
it.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from llm_inference_router.backends import anthropic_effort, anthropic_tools
from llm_inference_router.backends.anthropic_refused import GO_ON
from llm_inference_router.backends.anthropic_schema import closed
from llm_inference_router.backends.anthropic_turns import Turns
from llm_inference_router.backends.base import provider_of
from llm_inference_router.config.claude import Claude, claude
from llm_inference_router.dialects.warning import warning, worded
from llm_inference_router.types import ChatRequest, Model

_LEAST: Final = 4096  # where it is not known what the model can write
DEFAULT_MAX_TOKENS: Final = 16_384
"""Output tokens asked for where neither the client nor the model's configuration says, or as many as the model can
write. Thinking comes on top (`anthropic_effort`).
"""

_TRANSLATED: Final = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "parallel_tool_calls",
        "response_format",
        "thinking",
        "user",
        "n",
        "reasoning_effort",
        "metadata",
        "safety_identifier",
        "service_tier",
    }
)
# Fields whose default, or whose absence, changes nothing that a client could see.
_HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "logprobs": (None, False),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "store": (None, False),
    "modalities": (None, ["text"]),
}
# Fields that only say how to save: nothing a client could see is lost without them.
_HINTS: Final = frozenset({"prompt_cache_key", "prompt_cache_retention"})
_TIERS: Final = {"default": "standard_only", "standard_only": "standard_only", "priority": "auto"}
_USER_ID: Final = 256


def encode(request: ChatRequest, model: Model) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body of POST /messages, and the warnings."""
    body = request.body
    named = claude(model.upstream_model)
    turns = Turns(provider_of(model), instructed=named.instructed)
    for message in body["messages"]:
        turns.add(message)
    warnings = turns.warnings
    system = turns.system
    result: dict[str, Any] = {
        "model": model.upstream_model,
        "max_tokens": _max_tokens(request, model, named, warnings),
        "messages": turns.finish(),
    }
    if result["messages"][-1]["role"] == "assistant" and not named.prefilled:
        result["messages"].append({"role": "user", "content": GO_ON})
        warnings.append(warning("added", f"messages[{len(body['messages'])}]"))
    _format(body, result, named, system, warnings)
    offered = anthropic_tools.translate(body, named, warnings)
    if offered is not None:
        result["tools"] = offered.tools
        if offered.choice:
            result["tool_choice"] = offered.choice
        if offered.demand:
            system.append({"type": "text", "text": offered.demand})
    if system:
        plain = not any("cache_control" in block for block in system)
        result["system"] = "\n\n".join(block["text"] for block in system) if plain else system
    limit = model.max_output if request.max_tokens is None else result["max_tokens"]
    anthropic_effort.think(body, result, named, limit, warnings)
    anthropic_effort.sample(body, result, named, warnings)
    _stop(body, result, warnings)
    _account(body, result, warnings)
    if request.choices > 1:
        warnings.append(warning("dropped", "n"))
    if request.stream:
        result["stream"] = True
    _dropped(body, warnings)
    return result, worded(warnings, request.dialect)


def _max_tokens(request: ChatRequest, model: Model, named: Claude, warnings: list[str]) -> int:
    limit = model.max_output
    if request.max_tokens is None:
        return limit or min(DEFAULT_MAX_TOKENS, named.most_output or _LEAST)
    if limit is not None and request.max_tokens > limit:
        warnings.append(warning("clamped", "max_tokens"))
        return limit
    return request.max_tokens


def _stop(body: Mapping[str, Any], result: dict[str, Any], warnings: list[str]) -> None:
    stop = body.get("stop")
    if not stop:
        return
    wanted = [stop] if isinstance(stop, str) else stop
    kept = [sequence for sequence in wanted if sequence.strip()]
    if len(kept) < len(wanted):
        warnings.append(warning("dropped", "stop"))
    if kept:
        result["stop_sequences"] = kept


def _account(body: Mapping[str, Any], result: dict[str, Any], warnings: list[str]) -> None:
    """Who asks, and on which terms."""
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    named: str | None = None
    users = {"safety_identifier": body.get("safety_identifier"), "user": body.get("user")}
    for name, user in {**users, "metadata.user_id": metadata.get("user_id")}.items():
        if not user or user == named:
            continue
        if named is not None or not isinstance(user, str):
            warnings.append(warning("dropped", name))
            continue
        named = user
        result["metadata"] = {"user_id": user[:_USER_ID]}
        if len(user) > _USER_ID:
            warnings.append(warning("clamped", name))
    if metadata.keys() - {"user_id"}:
        warnings.append(warning("dropped", "metadata"))
    tier = body.get("service_tier")
    if isinstance(tier, str) and tier in _TIERS:
        result["service_tier"] = _TIERS[tier]
    elif tier is not None and tier != "auto":
        warnings.append(warning("dropped", "service_tier"))


def _format(
    body: Mapping[str, Any], result: dict[str, Any], model: Claude, system: list[dict[str, Any]], warnings: list[str]
) -> None:
    wanted = body.get("response_format")
    kind = wanted.get("type") if wanted else None
    if kind is None or kind == "text":
        return
    schema = wanted["json_schema"].get("schema") or {} if kind == "json_schema" and wanted is not None else {}
    held = closed(schema) if schema and model.schemas else None
    if held is not None:
        result["output_config"] = {"format": {"type": "json_schema", "schema": held.schema}}
        if held.weaker:
            warnings.append(warning("weakened", "response_format"))
        return
    text = "Answer with one JSON object and nothing else: no introduction, no code fence."
    if schema:
        text += f" It must conform to this JSON schema: {orjson.dumps(schema).decode()}"
    system.append({"type": "text", "text": text})
    warnings.append(warning("weakened", "response_format"))


def _dropped(body: Mapping[str, Any], warnings: list[str]) -> None:
    for name, value in body.items():
        if name in _TRANSLATED or value is None:
            continue
        harmless = _HARMLESS.get(name)
        if harmless is not None and value in harmless:
            continue
        warnings.append(warning("dropped", name, harmless=name in _HINTS))
