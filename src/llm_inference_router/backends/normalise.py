"""Answers of OpenAI-like servers made valid for OpenAI's official client.

A valid answer keeps all its fields; only what is missing or of a wrong type is filled in or taken out. The
objects are changed in place: they were parsed for this purpose.
"""

from typing import Any, Final, Literal, TypeAlias, get_args

import orjson

from llm_inference_router.backends import faults
from llm_inference_router.backends.base import Rendering
from llm_inference_router.types import ARGUMENTS_CODE, Fault

WHOLE: Final = "chat.completion"
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
Tier: TypeAlias = Literal["auto", "default", "flex", "scale", "priority", "fast"]
STOPPED: Final = Fault("truncated", "the upstream stopped the answer before its end")
# Finish reasons that say the answer was not finished at all.
_BROKEN_OFF: Final = frozenset({"abort", "error", "cancelled"})
_FINISH_WORDS: Final = {
    "stop_sequence": "stop",
    "eos_token": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
}
_FINISH_REASONS: Final = frozenset(get_args(FinishReason))
_TIERS: Final = frozenset(get_args(Tier))
_MAX_DEPTH: Final = 250
# The model's mistake, and not its endpoint's: another try may do better.
BROKEN_CALL: Final = Fault("malformed", "the arguments of a tool call are no JSON object", code=ARGUMENTS_CODE)
_NEVER_NULL: Final = ("annotations", "function_call")  # of a message; OpenAI leaves them out
_TEXTS: Final = ("content", "refusal", "reasoning", "reasoning_content")


def load(data: bytes) -> Any:
    """JSON that can be written again. Raises ValueError with the reason, in words that fit after "is"."""
    try:
        doc = orjson.loads(data)
        if data.count(b"[") + data.count(b"{") > _MAX_DEPTH:
            orjson.dumps([[[[[[[[doc]]]]]]]])  # with room for what is put around it
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg.split(': line')[0]}") from None
    except TypeError:
        raise ValueError("nested too deep") from None
    return doc


def object_of(body: bytes) -> dict[str, Any] | Fault:
    """The JSON object of a whole answer."""
    try:
        doc = load(body)
    except ValueError as error:
        return Fault("malformed", str(error))
    return doc if isinstance(doc, dict) else Fault("malformed", "not a JSON object")


def answered(body: bytes) -> dict[str, Any] | Fault:
    """The JSON object of a whole answer; the fault where it tells of an error."""
    doc = object_of(body)
    if isinstance(doc, dict) and faults.is_error(doc):
        return faults.inside(body)
    return doc


def dump(doc: Any) -> str:
    """JSON text of what `load` has read."""
    return orjson.dumps(doc).decode()


def broken_off(choices: list[Any]) -> bool:
    """Whether one of the choices, as they came, says that it was not finished."""
    for one in choices:
        reason = one.get("finish_reason") if isinstance(one, dict) else None
        if isinstance(reason, str) and reason.lower() in _BROKEN_OFF:
            return True
    return False


def finish_word(reason: Any) -> str | None:
    """One of OpenAI's finish reasons for any server's; None while there is none."""
    if not isinstance(reason, str) or not reason:
        return None
    return reason if reason in _FINISH_REASONS else _FINISH_WORDS.get(reason.lower(), "stop")


def head(doc: dict[str, Any], rendering: Rendering, kind: str) -> None:
    """The fields around the choices, of a whole answer and of a chunk."""
    doc["model"] = rendering.model
    doc["object"] = kind
    if not isinstance(doc.get("id"), str) or not doc["id"]:
        doc["id"] = rendering.id
    created = doc.get("created")
    if type(created) is not int:
        doc["created"] = int(created) if type(created) is float else rendering.created
    tier = doc.get("service_tier")
    if tier is not None and not (isinstance(tier, str) and tier in _TIERS):
        del doc["service_tier"]
    fingerprint = doc.get("system_fingerprint")
    if fingerprint is not None and not isinstance(fingerprint, str):
        del doc["system_fingerprint"]
    if "usage" in doc:
        usage = usage_object(doc["usage"])
        if usage is None and doc["usage"] is not None:
            del doc["usage"]
        else:
            doc["usage"] = usage


def choice(raw: Any, index: int) -> dict[str, Any]:
    """The fields of a choice beside its message or delta."""
    item: dict[str, Any] = raw if isinstance(raw, dict) else {}
    if type(item.get("index")) is not int:
        item["index"] = index
    item["finish_reason"] = finish_word(item.get("finish_reason"))
    if "logprobs" in item and not _is_logprobs(item["logprobs"]):
        item["logprobs"] = None
    if item.get("logprobs"):
        for name in ("content", "refusal"):
            item["logprobs"].setdefault(name, None)
    return item


def message(raw: Any, rendering: Rendering, index: int) -> dict[str, Any]:
    """The message of a whole answer; `index` of its choice."""
    item = _texts(raw)
    item["role"] = "assistant"
    item.setdefault("content", None)
    item.setdefault("refusal", None)
    for name in _NEVER_NULL:
        if name in item and item[name] is None:
            del item[name]
    calls = [call for one in _list(item, "tool_calls") if (call := _tool_call(one))]
    for number, call in enumerate(calls):
        call["id"] = call["id"] or rendering.call_id(index, number)
    if calls:
        item["tool_calls"] = calls
    else:
        item.pop("tool_calls", None)
    return item


def is_object(arguments: str) -> bool:
    """Whether the arguments of a call are a JSON object, as every client takes for granted."""
    try:
        return isinstance(load(arguments.encode()), dict)
    except ValueError:
        return False


def broken_calls(item: dict[str, Any]) -> bool:
    """Whether a call of a message has arguments that no client could read. Those of a call without any become `{}`."""
    for call in item.get("tool_calls") or ():
        function = call.get("function")
        if not isinstance(function, dict):
            continue
        if not function["arguments"].strip():
            function["arguments"] = "{}"
        elif not is_object(function["arguments"]):
            return True
    return False


def delta(raw: Any) -> dict[str, Any]:
    """The delta of a chunk; its tool calls are still to be settled by `Calls`."""
    item = _texts(raw)
    if "role" in item:
        item["role"] = "assistant"
    calls = []
    for raw_call in _list(item, "tool_calls"):
        call: dict[str, Any] = raw_call if isinstance(raw_call, dict) else {}
        if call.get("id") is not None and not isinstance(call["id"], str):
            call["id"] = str(call["id"])
        if call.get("type") == "custom" and isinstance(call.get("custom"), dict):
            calls.append(call)
            continue
        if call.get("type") not in (None, "function"):
            call["type"] = "function"
        function = call.get("function")
        if isinstance(function, dict):
            if function.get("arguments") is not None:
                function["arguments"] = _arguments(function["arguments"])
            if not isinstance(function.get("name"), str | None):
                del function["name"]
        else:
            call.pop("function", None)
        calls.append(call)
    if calls:
        item["tool_calls"] = calls
    else:
        item.pop("tool_calls", None)
    return item


def usage_object(raw: Any) -> dict[str, Any] | None:
    """OpenAI's usage object with its three sums, or None for what cannot be one."""
    if not isinstance(raw, dict):
        return None
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    if prompt is None and completion is None:
        return None
    raw["prompt_tokens"] = prompt or 0
    raw["completion_tokens"] = completion or 0
    if _count(raw, "total_tokens") is None:
        raw["total_tokens"] = raw["prompt_tokens"] + raw["completion_tokens"]
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        details = raw.get(name)
        if isinstance(details, dict):
            raw[name] = {key: value for key, value in details.items() if value is None or type(value) is int}
        else:
            raw.pop(name, None)
    return raw


def generated(item: dict[str, Any]) -> tuple[int, str]:
    """Characters generated in a message or delta (text, refusal, reasoning, arguments), and its visible
    text.
    """
    text = (item.get("content") or "") + (item.get("refusal") or "")
    # Some servers send the same reasoning under both names.
    size = len(text) + len(item.get("reasoning_content") or item.get("reasoning") or "")
    for call in item.get("tool_calls") or ():
        function = call.get("function") or {}
        size += len(function.get("name") or "") + len(function.get("arguments") or "")
        custom = call.get("custom")
        if isinstance(custom, dict):
            size += len(custom.get("name") or "") + len(custom.get("input") or "")
    return size, text


def _texts(raw: Any) -> dict[str, Any]:
    item: dict[str, Any] = raw if isinstance(raw, dict) else {}
    for name in _TEXTS:
        value = item.get(name)
        if value is not None and not isinstance(value, str):
            item[name] = _joined(value) if isinstance(value, list) else None
    if item.get("reasoning") and not item.get("reasoning_content"):
        item["reasoning_content"] = item["reasoning"]  # clients read this name; vLLM and others say `reasoning`
    if item.get("annotations") is not None and not isinstance(item["annotations"], list):
        del item["annotations"]
    function = item.get("function_call")
    if function is not None:
        if isinstance(function, dict):
            function["arguments"] = _arguments(function.get("arguments"))
        else:
            del item["function_call"]
    return item


def _joined(parts: list[Any]) -> str:
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _tool_call(raw: Any) -> dict[str, Any] | None:
    """A call whose id is a string; "" where it has none."""
    if not isinstance(raw, dict):
        return None
    given = raw.get("id")
    raw["id"] = "" if given is None else str(given)
    if raw.get("type") == "custom":
        return raw
    function = raw.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    function["arguments"] = _arguments(function.get("arguments"))
    raw["type"] = "function"
    return raw


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "{}" if value is None else orjson.dumps(value).decode()


def _list(item: dict[str, Any], name: str) -> list[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def _count(raw: dict[str, Any], name: str) -> int | None:
    value = raw.get(name)
    return value if type(value) is int and value >= 0 else None


def _is_logprobs(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    for name in ("content", "refusal"):
        tokens = value.get(name)
        if tokens is None:
            continue
        if not isinstance(tokens, list) or not all(_is_token(token) for token in tokens):
            return False
    return True


def _is_token(token: Any) -> bool:
    return (
        isinstance(token, dict)
        and isinstance(token.get("token"), str)
        and type(token.get("logprob")) in (float, int)
        and isinstance(token.get("top_logprobs"), list)
    )
