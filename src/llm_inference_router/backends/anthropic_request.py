"""A chat request as Anthropic's Messages: pure translation, with a warning for whatever does not survive
it.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from llm_inference_router.backends import anthropic_thinking
from llm_inference_router.backends.anthropic_turns import Turns
from llm_inference_router.backends.base import provider_of
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest, Model

DEFAULT_MAX_TOKENS: Final = 4096
"""Output tokens asked for where neither the client nor the model's configuration says: every Claude model
allows it.
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
    "service_tier": (None, "auto", "default"),
}
_USER_ID: Final = 256


def encode(request: ChatRequest, model: Model) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body of POST /messages, and the warnings."""
    body = request.body
    turns = Turns(provider_of(model))
    for message in body["messages"]:
        turns.add(message)
    warnings = turns.warnings
    system = turns.system
    _format(body, system, warnings)
    result: dict[str, Any] = {
        "model": model.upstream_model,
        "max_tokens": _max_tokens(request, model, warnings),
        "messages": turns.finish(),
    }
    if system:
        plain = not any("cache_control" in block for block in system)
        result["system"] = "\n\n".join(block["text"] for block in system) if plain else system
    _sampling(body, result, warnings)
    _tools(body, result, warnings)
    _thinking(request, result, warnings)
    if isinstance(body.get("user"), str) and body["user"]:
        result["metadata"] = {"user_id": body["user"][:_USER_ID]}
    if request.choices > 1:
        warnings.append(warning("dropped", "n"))
    if request.stream:
        result["stream"] = True
    _dropped(body, warnings)
    return result, tuple(dict.fromkeys(warnings))


def _max_tokens(request: ChatRequest, model: Model, warnings: list[str]) -> int:
    limit = model.max_output
    if request.max_tokens is None:
        return limit or DEFAULT_MAX_TOKENS
    if limit is not None and request.max_tokens > limit:
        warnings.append(warning("clamped", "max_tokens"))
        return limit
    return request.max_tokens


def _sampling(body: Mapping[str, Any], result: dict[str, Any], warnings: list[str]) -> None:
    temperature = body.get("temperature")
    if temperature is not None:
        result["temperature"] = min(max(temperature, 0), 1)
        if result["temperature"] != temperature:
            warnings.append(warning("clamped", "temperature"))
    top_p = body.get("top_p")
    if top_p is not None and top_p != 1:  # 1 is the default, and newer models refuse it beside temperature
        result["top_p"] = top_p
    if type(body.get("top_k")) is int:
        result["top_k"] = body["top_k"]
    stop = body.get("stop")
    if stop:
        wanted = [stop] if isinstance(stop, str) else stop
        kept = [sequence for sequence in wanted if sequence.strip()]
        if len(kept) < len(wanted):
            warnings.append(warning("dropped", "stop"))
        if kept:
            result["stop_sequences"] = kept


def _tools(body: Mapping[str, Any], result: dict[str, Any], warnings: list[str]) -> None:
    tools = [_tool(function) for function in body.get("functions") or ()]
    for tool in body.get("tools") or ():
        if tool.get("type", "function") != "function":
            warnings.append(warning("dropped", "tools"))
            continue
        made = _tool(tool["function"])
        if isinstance(tool.get("cache_control"), dict):
            made["cache_control"] = tool["cache_control"]
        tools.append(made)
    if not tools:
        return
    result["tools"] = tools
    choice = _tool_choice(body.get("tool_choice", body.get("function_call")), warnings)
    if body.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    if choice:
        result["tool_choice"] = choice


def _thinking(request: ChatRequest, result: dict[str, Any], warnings: list[str]) -> None:
    """Anthropic's own field, from a client of its dialect, or from a chat client that knows it."""
    wanted = request.body.get("thinking")
    if not isinstance(wanted, dict):
        return
    result["thinking"] = wanted
    anthropic_thinking.settle(result, warnings, prefilled=result["messages"][-1]["role"] == "assistant")
    if result["thinking"].get("type") != "enabled":
        return
    for name in ("temperature", "top_k"):  # refused beside it
        if result.get(name, 1) != 1:
            del result[name]
            warnings.append(warning("dropped", name))


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {}
    tool = {"name": function["name"], "input_schema": {"type": "object", "properties": {}, **schema}}
    if isinstance(function.get("description"), str) and function["description"]:
        tool["description"] = function["description"]
    return tool


def _tool_choice(wanted: Any, warnings: list[str]) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if isinstance(wanted, str):
        kind = {"auto": "auto", "none": "none", "required": "any"}.get(wanted)
        if kind:
            return {"type": kind}
    elif isinstance(wanted, dict):
        function = wanted.get("function", wanted)
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            return {"type": "tool", "name": function["name"]}
    warnings.append(warning("dropped", "tool_choice"))
    return None


def _format(body: Mapping[str, Any], system: list[dict[str, Any]], warnings: list[str]) -> None:
    wanted = body.get("response_format")
    kind = wanted.get("type") if wanted else None
    if kind is None or kind == "text":
        return
    text = "Answer with one JSON object and nothing else: no introduction, no code fence."
    if kind == "json_schema" and wanted is not None:
        schema = orjson.dumps(wanted["json_schema"].get("schema") or {}).decode()
        text += f" It must conform to this JSON schema: {schema}"
    system.append({"type": "text", "text": text})
    warnings.append(warning("weakened", "response_format"))


def _dropped(body: Mapping[str, Any], warnings: list[str]) -> None:
    for name, value in body.items():
        if name in _TRANSLATED or value is None:
            continue
        if name == "reasoning_effort" and "thinking" in body:
            continue  # the same wish in other words
        harmless = _HARMLESS.get(name)
        if harmless is not None and value in harmless:
            continue
        warnings.append(warning("dropped", name))
