"""The content parts of OpenAI's Responses as those of chat: one list of parts to another, or an InvalidRequest that
names the place.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.dialects.invalid import invalid_type, invalid_value, missing, unfit
from llm_inference_router.dialects.warning import unread, warning

_SUPPORTED: Final = "'input_text', 'input_image', 'input_file', 'input_audio', 'output_text' and 'refusal'"
_ALWAYS: Final = frozenset({"type", "prompt_cache_breakpoint"})
_READ: Final = {
    "input_text": _ALWAYS | {"text"},
    "output_text": _ALWAYS | {"text"},
    "text": _ALWAYS | {"text"},
    "refusal": _ALWAYS | {"refusal"},
    "input_image": _ALWAYS | {"image_url", "file_id", "detail"},
    "input_file": _ALWAYS | {"filename", "file_data", "file_id", "file_url"},
    "input_audio": _ALWAYS | {"input_audio"},
}
_HINTS: Final = frozenset({"annotations", "logprobs", "detail"})
_TEXTS: Final = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}


def text_at(raw: Mapping[str, Any], name: str, place: str) -> str:
    """A required string."""
    value = raw.get(name)
    if type(value) is not str:
        raise unfit(f"{place}.{name}", "a string", value)
    return value


def optional_text(raw: Mapping[str, Any], name: str, place: str) -> str | None:
    value = raw.get(name)
    if value is not None and type(value) is not str:
        raise invalid_type(f"{place}.{name}" if place else name, "a string", value)
    return value


def content(raw: Any, place: str, warnings: list[str]) -> str | list[dict[str, Any]]:
    """A message's content, or a tool's output, as chat has it: text alone stays a string."""
    if type(raw) is str:
        return raw
    if type(raw) is not list:
        raise unfit(place, "one of a string or an array of objects", raw)
    parts = [part for number, one in enumerate(raw) if (part := _part(one, f"{place}[{number}]", warnings)) is not None]
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def sees(raw: Any) -> bool:
    """Whether a content that `content` has passed holds a picture, one that chat has no words for too."""
    return type(raw) is list and any(part["type"] == "input_image" for part in raw)


def _part(raw: Any, place: str, warnings: list[str]) -> dict[str, Any] | None:
    """None for what chat has no words for: a warning names it."""
    if type(raw) is not dict:
        raise invalid_type(place, "an object", raw)
    kind = text_at(raw, "type", place)
    part: dict[str, Any] | None
    if kind in _READ:
        warnings += unread(raw, _READ[kind], kind, _HINTS)
    if kind in _TEXTS:
        name = "refusal" if kind == "refusal" else "text"
        part = {"type": name, name: text_at(raw, name, place)}
    elif kind == "input_image":
        part = _image(raw, place, warnings)
    elif kind == "input_file":
        part = _file(raw, place, warnings)
    elif kind == "input_audio":
        audio = raw.get("input_audio")
        if type(audio) is not dict:
            raise unfit(f"{place}.input_audio", "an object", audio)
        text_at(audio, "data", f"{place}.input_audio")
        part = {"type": "input_audio", "input_audio": audio}
    else:
        raise invalid_value(f"{place}.type", kind, _SUPPORTED)
    if part is not None and raw.get("prompt_cache_breakpoint") is not None:
        if type(raw["prompt_cache_breakpoint"]) is not dict:
            raise invalid_type(f"{place}.prompt_cache_breakpoint", "an object", raw["prompt_cache_breakpoint"])
        part["cache_control"] = {"type": "ephemeral"}
    return part


def _image(raw: Mapping[str, Any], place: str, warnings: list[str]) -> dict[str, Any] | None:
    url, file, detail = (optional_text(raw, name, place) for name in ("image_url", "file_id", "detail"))
    if url is None:
        if file is None:
            raise missing(f"{place}.image_url")
        warnings.append(warning("dropped", "input_image.file_id"))
        return None
    if file:
        warnings.append(warning("dropped", "input_image.file_id", harmless=True))  # the same picture once more
    if detail is None:
        return {"type": "image_url", "image_url": {"url": url}}
    if detail == "original":  # a word of this API alone
        warnings.append(warning("clamped", "input_image.detail"))
        detail = "high"
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def _file(raw: Mapping[str, Any], place: str, warnings: list[str]) -> dict[str, Any] | None:
    given = {
        name: value
        for name in ("filename", "file_data", "file_id", "file_url")
        if (value := optional_text(raw, name, place)) is not None
    }
    if "file_data" in given or "file_id" in given:
        if given.pop("file_url", None):
            warnings.append(warning("dropped", "input_file.file_url", harmless=True))
        return {"type": "file", "file": given}
    if "file_url" not in given:
        raise missing(f"{place}.file_data")
    warnings.append(warning("dropped", "input_file.file_url"))
    return None
