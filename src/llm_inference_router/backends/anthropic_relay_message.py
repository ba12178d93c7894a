"""A whole message of an upstream that speaks Messages, made valid for Anthropic's official client.

Its model becomes ours, and what is signed is tagged. Everything else of a valid message stays as it came.
"""

from typing import Any

from llm_inference_router.backends.anthropic_stream import STOPS, finish_reason
from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.dialects.assemble import estimate
from llm_inference_router.dialects.messages_spelling import written
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.usage import COUNTS, usage_as_messages, usage_of_messages


def message(doc: dict[str, Any], rendering: Rendering) -> Answer:
    """`doc` has a list as its content; it is changed in place."""
    blocks = [valid for number, raw in enumerate(doc["content"]) if (valid := block(raw, number, rendering))]
    doc["content"] = blocks
    head(doc, rendering)
    called = any(one["type"] == "tool_use" for one in blocks)
    stop = stop_reason(doc.get("stop_reason"), called) or ("tool_use" if called else "end_turn")
    doc["stop_reason"] = stop
    usage = usage_of_messages(doc.get("usage"))
    texts = [one["text"] for one in blocks if one["type"] == "text"]
    chars = sum(map(_size, blocks))
    for one in blocks:
        if one["type"] == "tool_use":
            one["input"] = written(one["input"])
    if usage is None:
        doc["usage"] = usage_as_messages(estimate(rendering.prompt_tokens, chars))
    else:
        doc["usage"] = counted(doc["usage"])
    return Answer(doc, finish_reason(stop), usage, chars, "".join(texts), "messages")


def head(doc: dict[str, Any], rendering: Rendering) -> None:
    """The fields around the content, of a whole message and of one that begins."""
    if not isinstance(doc.get("id"), str) or not doc["id"]:
        doc["id"] = "msg_" + rendering.id.removeprefix("chatcmpl-")
    doc["type"], doc["role"], doc["model"] = "message", "assistant", rendering.model
    if not isinstance(doc.get("stop_sequence"), str | None):
        doc["stop_sequence"] = None
    doc.setdefault("stop_sequence", None)


def counted(usage: dict[str, Any]) -> dict[str, Any]:
    """Usage with the two sums that it cannot be without."""
    for name in COUNTS:
        if name in usage and usage[name] is not None and type(usage[name]) is not int:
            del usage[name]
    usage["input_tokens"] = usage.get("input_tokens") or 0
    usage["output_tokens"] = usage.get("output_tokens") or 0
    return usage


def stop_reason(reason: Any, called: bool) -> str | None:
    """One of Anthropic's; None while there is none."""
    if not isinstance(reason, str) or not reason:
        return None
    return reason if reason in STOPS else ("tool_use" if called else "end_turn")


def is_citation(raw: Any) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("type"), str)


def block(raw: Any, number: int, rendering: Rendering) -> dict[str, Any] | None:
    """A content block, or the beginning of one; None for what cannot be one."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        return None
    kind = raw["type"]
    if kind == "text":
        cited = raw.get("citations")
        if cited is not None:
            cited = cited if isinstance(cited, list) else []
            raw["citations"] = [one for one in cited if is_citation(one)]
        return raw if isinstance(raw.setdefault("text", ""), str) else None
    if kind == "thinking":
        if not isinstance(raw.setdefault("thinking", ""), str):
            return None
        signature = raw.get("signature")
        # In a stream the signature comes as a delta, and the block begins without one.
        raw["signature"] = tag(signature, rendering.provider) if isinstance(signature, str) and signature else ""
    elif kind == "redacted_thinking":
        if not isinstance(raw.get("data"), str):
            return None
        raw["data"] = tag(raw["data"], rendering.provider)
    elif kind == "tool_use":
        if not isinstance(raw.get("name"), str):
            return None
        if not isinstance(raw.get("id"), str) or not raw["id"]:
            raw["id"] = f"toolu_{rendering.id.removeprefix('chatcmpl-')}{number:02d}"
        if not isinstance(raw.get("input"), dict):
            raw["input"] = {} if raw.get("input") is None else {"arguments": raw["input"]}
    return raw


def _size(one: dict[str, Any]) -> int:
    if one["type"] == "tool_use":
        return len(one["name"]) + len(str(one["input"]))
    return len(one.get("text") or "") + len(one.get("thinking") or "")
