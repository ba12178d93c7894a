"""One message of a chat request: a JSON object to a Message, or an InvalidRequest that names the place."""

from typing import Any, Final

from llm_inference_router.dialects.invalid import invalid_type, invalid_value, missing, unfit
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import Message
from llm_inference_router.vocabulary import Modality, Role

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "system": "system",
    "assistant": "assistant",
    "tool": "tool",
    "developer": "system",  # the same authority under its newer name
    "function": "tool",  # the deprecated form of a tool's result
}
_SUPPORTED: Final = "'system', 'developer', 'user', 'assistant', 'tool' and 'function'"
# Part type -> its modality, the key that holds it, and that key's own required string.
_PARTS: Final[dict[str, tuple[Modality, str, str | None]]] = {
    "image_url": ("image", "image_url", "url"),
    "input_audio": ("audio", "input_audio", "data"),
    "file": ("file", "file", None),
}


def read(raw: Any, index: int) -> Message:
    if type(raw) is not dict:
        raise invalid_type(f"messages[{index}]", "an object", raw)
    name = raw.get("role")
    if type(name) is not str:
        raise unfit(f"messages[{index}].role", "a string", name)
    role = _ROLES.get(name)
    if role is None:
        raise invalid_value(f"messages[{index}].role", name, _SUPPORTED)
    content = raw.get("content")
    if type(content) is str and (role == "user" or role == "system"):
        return Message(role, content)
    calls = _tool_calls(raw, index) if role == "assistant" else 0
    if name == "tool":
        _tool_call_id(raw, index)
    if type(content) is str:
        return Message(role, content, (), calls)
    if type(content) is list:
        text, attachments = _parts(content, index)
        return Message(role, text, attachments, calls)
    place = f"messages[{index}].content"
    if content is not None:
        raise invalid_type(place, "one of a string or an array of objects", content)
    if role != "assistant":
        if "content" in raw:
            raise invalid_type(place, "one of a string or an array of objects", None)
        raise missing(place)
    if not calls and raw.get("refusal") is None and raw.get("audio") is None:
        message = f"Invalid '{place}': null is accepted only beside tool calls."
        raise InvalidRequest(message, param=place, code="invalid_type")
    refusal = raw.get("refusal")
    return Message(role, refusal if type(refusal) is str else "", (), calls)


def _parts(parts: list[Any], index: int) -> tuple[str, tuple[Modality, ...]]:
    texts: list[str] = []
    attachments: list[Modality] = []
    for number, part in enumerate(parts):
        kind = part.get("type") if type(part) is dict else None
        if kind == "text" or kind == "refusal":
            text = part.get(kind)
            if type(text) is not str:
                raise unfit(f"messages[{index}].content[{number}].{kind}", "a string", text)
            texts.append(text)
        else:
            attachments.append(_attachment(part, kind, f"messages[{index}].content[{number}]"))
    return "\n".join(texts), tuple(attachments)


def _attachment(part: Any, kind: Any, place: str) -> Modality:
    if type(part) is not dict:
        raise invalid_type(place, "an object", part)
    if type(kind) is not str:
        raise unfit(f"{place}.type", "a string", kind)
    if kind not in _PARTS:
        return "file"  # a kind of part we do not know: the upstream's business
    modality, key, required = _PARTS[kind]
    value = part.get(key)
    if type(value) is not dict:
        raise unfit(f"{place}.{key}", "an object", value)
    if required is not None and type(value.get(required)) is not str:
        raise unfit(f"{place}.{key}.{required}", "a string", value.get(required))
    return modality


def _tool_call_id(raw: dict[str, Any], index: int) -> None:
    call = raw.get("tool_call_id")
    if type(call) is not str:
        raise unfit(f"messages[{index}].tool_call_id", "a string", call)


def _tool_calls(raw: dict[str, Any], index: int) -> int:
    count = 0
    if raw.get("function_call") is not None:
        _function(raw["function_call"], f"messages[{index}].function_call")
        count = 1
    calls = raw.get("tool_calls")
    if calls is None:
        return count
    place = f"messages[{index}].tool_calls"
    if type(calls) is not list:
        raise invalid_type(place, "an array of objects", calls)
    for number, call in enumerate(calls):
        if type(call) is not dict:
            raise invalid_type(f"{place}[{number}]", "an object", call)
        if type(call.get("id")) is not str:
            raise unfit(f"{place}[{number}].id", "a string", call.get("id"))
        if call.get("type", "function") == "function":
            _function(call.get("function"), f"{place}[{number}].function")
    return count + len(calls)


def _function(function: Any, place: str) -> None:
    if type(function) is not dict:
        raise unfit(place, "an object", function)
    for key in ("name", "arguments"):
        value = function.get(key)
        if type(value) is not str:
            raise unfit(f"{place}.{key}", "a string", value)
