"""Good answers on the four wires that upstreams speak, as the parts that faults are made of."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import orjson
from msgspec import Struct

Wire: TypeAlias = Literal["openai", "completions", "anthropic", "responses"]
TOKENS = tuple(f"word{i} " for i in range(60))
JSON_TYPE = "application/json"


class Ask(Struct, frozen=True):
    """One request. `turn` counts those of its model, from 0; `secrets` are its key and its prompt, for upstreams that
    quote both."""

    wire: Wire
    model: str
    stream: bool
    turn: int
    secrets: str = ""


def head(status: int, *fields: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *fields]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"
SSE_HEAD = head(200, "Content-Type: text/event-stream")
_COUNTS = {"prompt_tokens": 100, "completion_tokens": 60, "total_tokens": 160}


def body(ask: Ask, text: str, usage: bool = True) -> bytes:
    """A whole answer's JSON."""
    if ask.wire == "anthropic":
        document: dict[str, Any] = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": ask.model, "stop_sequence": None,
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 100, "output_tokens": 60},
        }  # fmt: skip
    elif ask.wire == "responses":
        document = _response(ask, [_item(text)], "completed")
    elif ask.wire == "completions":
        document = {**_text(ask, text, "stop"), "usage": _COUNTS}
    else:
        message = {"role": "assistant", "content": text, "refusal": None}
        document = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": ask.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": _COUNTS,
        }  # fmt: skip
    if not usage:
        document.pop("usage", None)
    return orjson.dumps(document)


def _item(text: str, status: str = "completed") -> dict[str, Any]:
    content = [_part(text)] if status == "completed" else []
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(ask: Ask, output: list[dict[str, Any]], status: str, usage: bool = True) -> dict[str, Any]:
    counts = {
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 60, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 160,
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1700000000, "model": ask.model, "status": status,
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "output": output,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": counts if usage and status == "completed" else None,
    }  # fmt: skip


def whole(data: bytes, status: int = 200, *fields: str) -> bytes:
    return head(status, f"Content-Type: {JSON_TYPE}", *fields, length=len(data)) + data


def error(ask: Ask, status: int, kind: str, message: str = "scripted", *fields: str, code: str | None = None) -> bytes:
    return whole(orjson.dumps(error_object(ask, kind, message, code)), status, *fields)


def error_object(ask: Ask, kind: str, message: str = "scripted", code: str | None = None) -> dict[str, Any]:
    inner = {"type": kind, "message": message} | ({} if code is None else {"code": code})
    return (
        {"type": "error", "error": inner}
        if ask.wire == "anthropic"
        else {"error": {"param": None, "code": code} | inner}
    )


def error_event(ask: Ask) -> bytes:
    """An error inside a stream that has begun."""
    if ask.wire == "responses":
        flat = {"type": "error", "code": "server_error", "message": "scripted", "param": None, "sequence_number": 99}
        return _named(flat)
    kind = "overloaded_error" if ask.wire == "anthropic" else "server_error"
    return b"event: error\ndata: " + orjson.dumps(error_object(ask, kind))


def events(ask: Ask, tokens: Sequence[str], usage: bool = True) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The events of a stream, without framing: those before the content, one for each token, and the end."""
    if ask.wire == "anthropic":
        used = {"usage": {"input_tokens": 100, "output_tokens": 1}} if usage else {}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": ask.model, "content": []}
        before: list[dict[str, Any]] = [
            {"type": "message_start", "message": message | {"stop_reason": None, "stop_sequence": None} | used},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ]
        said: list[dict[str, Any]] = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
            for token in tokens
        ]
        stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
        after: list[dict[str, Any]] = [
            {"type": "content_block_stop", "index": 0},
            stop | ({"usage": {"output_tokens": 60}} if usage else {"usage": {}}),
            {"type": "message_stop"},
        ]
        return [_named(one) for one in before], [_named(one) for one in said], [_named(one) for one in after]
    if ask.wire == "responses":
        return _response_events(ask, tokens, usage)
    if ask.wire == "completions":
        opening, ending = _text(ask, ""), _text(ask, "", "stop")
        words = [_text(ask, token) for token in tokens]
    else:
        opening, ending = _delta(ask, {"role": "assistant", "content": ""}), _delta(ask, {}, "stop")
        words = [_delta(ask, {"content": token}) for token in tokens]
    last = [ending, {**ending, "choices": [], "usage": _COUNTS}] if usage else [ending]
    return [_data(opening)], [_data(one) for one in words], [*(_data(one) for one in last), b"data: [DONE]"]


def _response_events(ask: Ask, tokens: Sequence[str], usage: bool) -> tuple[list[bytes], list[bytes], list[bytes]]:
    text, at = "".join(tokens), {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    before: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(ask, [], "in_progress")},
        {"type": "response.in_progress", "response": _response(ask, [], "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _item("", "in_progress")},
        {"type": "response.content_part.added", **at, "part": _part("")},
    ]
    said: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", **at, "delta": token, "logprobs": []} for token in tokens
    ]
    after: list[dict[str, Any]] = [
        {"type": "response.output_text.done", **at, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": _part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": _item(text)},
        {"type": "response.completed", "response": _response(ask, [_item(text)], "completed", usage)},
    ]
    for number, one in enumerate([*before, *said, *after]):
        one["sequence_number"] = number
    return [_named(one) for one in before], [_named(one) for one in said], [_named(one) for one in after]


def _named(document: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b" % (str(document["type"]).encode(), orjson.dumps(document))


def _data(document: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document)


def _delta(ask: Ask, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": ask.model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }  # fmt: skip


def _text(ask: Ask, text: str, finish: str | None = None) -> dict[str, Any]:
    """A whole text completion without its usage, or a chunk of one: both look the same."""
    return {
        "id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": ask.model,
        "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}],
    }  # fmt: skip
