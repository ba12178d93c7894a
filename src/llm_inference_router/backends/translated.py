"""What a request of another dialect needs before it goes to a server that speaks OpenAI's.

Its translation to chat carries what only some upstreams understand, for those that do: marks of cached prefixes, signed
reasoning, failed tool results, images in results. OpenAI refuses all of it, and other servers at best overlook it.
"""

from typing import Any, Final

from llm_inference_router.dialects.signature import untag
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest, Model

_EXTRAS: Final = ("cache_control", "thinking_blocks", "reasoning_content", "is_error")
_STRICT: Final = frozenset({"openai", "openai_compatible"})  # may refuse fields that OpenAI does not have
_MOST_STOPS: Final = 4
_FAILED: Final = "Error: "
_ABOVE: Final = "(The image is in the next message.)"


def plain(body: dict[str, Any], request: ChatRequest, model: Model, server: str) -> list[str]:
    """Changes `body`, a copy, in place; says what was changed. `server`: the backend's name."""
    warnings: list[str] = []
    body["messages"] = _messages(body["messages"], warnings)
    if any("cache_control" in tool for tool in body.get("tools") or ()):
        body["tools"] = [_without(tool, "cache_control") for tool in body["tools"]]
    thinking = body.pop("thinking", None)
    if "reasoning_effort" in body and "reasoning" not in model.capabilities:
        del body["reasoning_effort"]
        warnings.append(warning("dropped", "thinking" if thinking else "reasoning_effort"))
    if server in _STRICT and body.pop("top_k", None) is not None:
        warnings.append(warning("dropped", "top_k"))
    if server != "openai":
        body.pop("service_tier", None)
    elif "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")  # its newer models know no other name
    stops = body.get("stop")
    if server == "openai" and isinstance(stops, list) and len(stops) > _MOST_STOPS:
        body["stop"] = stops[:_MOST_STOPS]
        warnings.append(warning("clamped", "stop_sequences"))
    if request.prefilled and "prefill" not in model.capabilities:
        warnings.append(warning("weakened", "messages"))
    return warnings


def without_thoughts(body: dict[str, Any]) -> list[str]:
    """Takes another provider's signed reasoning out of a chat client's own messages. Changes `body`, a copy."""
    warnings: list[str] = []
    body["messages"] = [_thoughtless(message, warnings) for message in body["messages"]]
    return warnings


def _thoughtless(message: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    blocks = message.get("thinking_blocks")
    if "thinking_blocks" not in message:
        return message
    # Nothing is lost where nobody signed it: a model's own reasoning of earlier turns is not shown to it again.
    foreign = isinstance(blocks, list) and any(_is_signed(block) for block in blocks)
    warnings.append(warning("foreign", "thinking_blocks") if foreign else _unsigned())
    return _without(message, "thinking_blocks")


def _unsigned() -> str:
    return warning("dropped", "thinking_blocks", harmless=True)


def _is_signed(block: Any) -> bool:
    opaque = (block.get("signature") or block.get("data")) if isinstance(block, dict) else None
    if not isinstance(opaque, str):
        return False
    found = untag(opaque)
    return bool(opaque if found is None else found[1])


def _without(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


def _messages(messages: list[dict[str, Any]], warnings: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []  # images of tool results, which only a user may show
    for message in messages:
        if message["role"] != "tool" and shown:
            if message["role"] == "user":
                content = message.get("content")
                said = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
                message = {**message, "content": shown + said}
            else:
                found.append({"role": "user", "content": shown})
            shown = []
        found.append(_message(message, shown, warnings))
    if shown:
        found.append({"role": "user", "content": shown})
    return found


def _message(message: dict[str, Any], shown: list[dict[str, Any]], warnings: list[str]) -> dict[str, Any]:
    message = _thoughtless(message, warnings)
    content = message.get("content")
    parts = [_without(part, "cache_control") for part in content] if isinstance(content, list) else None
    if parts is not None and message["role"] == "tool":
        images = [part for part in parts if part["type"] != "text"]
        if images:
            shown += images
            parts = [part for part in parts if part["type"] == "text"] or [{"type": "text", "text": _ABOVE}]
            warnings.append(warning("rewritten", "messages"))
    if parts is not None:
        texts = all(part["type"] == "text" for part in parts)
        # Several servers take a list of texts for something else than text.
        content = "\n\n".join(part["text"] for part in parts) if texts else parts
    if message.get("is_error") and isinstance(content, str) and not content.lower().startswith("error"):
        content = _FAILED + content
        warnings.append(warning("rewritten", "messages"))
    plain = _without(message, *_EXTRAS)
    if "content" in plain:
        plain["content"] = content
    return plain
