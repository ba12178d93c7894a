"""What travels through chat requests beyond OpenAI's own fields, on its way to a server of OpenAI's dialect.

| field                                                        | OpenAI   | others  |
|--------------------------------------------------------------|----------|---------|
| thinking_blocks (Anthropic's, signed)                        | left out | left out |
| cache_control, is_error, citations, reasoning(_content)      | left out | sent on |
| images in the result of a tool                               | in a user turn after it | the same |

OpenAI refuses a message with a field that it does not know; other servers use such fields or skip them.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.dialects.warning import warning

_PLAIN: Final = frozenset({"role", "content"})
_ALWAYS: Final = frozenset({"thinking_blocks"})
_STRICT: Final = _ALWAYS | {"cache_control", "is_error", "citations", "reasoning", "reasoning_content"}
_SHOWN: Final = "(shown in the next message)"


def strip(body: dict[str, Any], *, strict: bool) -> list[str]:
    """Changes `body`, a copy of the client's, in place; says what was changed. `strict`: for OpenAI itself."""
    warnings: list[str] = []
    refused = _STRICT if strict else _ALWAYS
    messages = body["messages"]
    made: list[Any] = []
    images: list[Any] = []
    changed = False
    for message in messages:
        tool = message["role"] == "tool"
        if images and not tool:
            made.append({"role": "user", "content": images})
            images = []
        new = _without(message, refused, warnings)
        content = new.get("content")
        if type(content) is list:
            if tool:
                new = _moved(new, content, images, warnings)
            if strict:
                new = _unmarked(new, warnings)
        changed = changed or new is not message
        made.append(new)
    if images:
        made.append({"role": "user", "content": images})
    if changed:
        body["messages"] = made
    if strict and body.get("tools"):
        tools = [_without(tool, _STRICT, warnings) for tool in body["tools"]]
        if any(new is not old for new, old in zip(tools, body["tools"], strict=True)):
            body["tools"] = tools
    return list(dict.fromkeys(warnings))


def _without(item: dict[str, Any], refused: frozenset[str], warnings: list[str]) -> dict[str, Any]:
    if item.keys() <= _PLAIN:
        return item
    found = refused & item.keys()
    if not found:
        return item
    warnings += [_said(name, item[name]) for name in sorted(found) if item[name]]
    return {name: value for name, value in item.items() if name not in found}


def _said(name: str, value: Any) -> str:
    if name == "thinking_blocks":
        return warning("foreign", name)
    return warning("dropped", name, harmless=True)


def _unmarked(message: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    parts = [_without(part, _STRICT, warnings) for part in message["content"]]
    if all(new is old for new, old in zip(parts, message["content"], strict=True)):
        return message
    return {**message, "content": parts}


def _moved(message: dict[str, Any], content: list[Any], images: list[Any], warnings: list[str]) -> dict[str, Any]:
    """A result of text alone, which is all that these servers take; its images are put by for a turn of the user's."""
    shown = [part for part in content if _kind(part) == "image_url"]
    if not shown:
        return message
    images += shown
    warnings.append(warning("rewritten", "messages"))
    kept = [part for part in content if _kind(part) != "image_url"]
    return {**message, "content": kept or [{"type": "text", "text": _SHOWN}]}


def _kind(part: Mapping[str, Any]) -> Any:
    return part.get("type")
