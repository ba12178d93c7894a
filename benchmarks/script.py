"""What the mock model says, as bytes on the wire: a stream of each dialect, with about the envelope that its provider
sends.
"""

from typing import Literal, TypeAlias

import orjson
from msgspec import Struct

Speech: TypeAlias = Literal["chat", "messages", "responses"]
PATHS: dict[Speech, str] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"Cache-Control: no-cache\r\n\r\n"
)
IDENTITY = (
    b'{"id":"chatcmpl-5f1c2d8b9e7a4c60b3d1f2a4e6c8","object":"%s","created":1760000000,'
    b'"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_0123456789",'
)
_CHUNK = IDENTITY % b"chat.completion.chunk"
_END = b"0\r\n\r\n"
_MESSAGE: dict[str, object] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 128, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1},
}
_ITEM = "msg_68af4030baa48193b0b43b4c2a176a1a0e6967589f080e78"
_RESPONSE: dict[str, object] = {
    "id": "resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b",
    "object": "response",
    "created_at": 1760000000,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "model": "gpt-4o-mini-2024-07-18",
    "output": [],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "metadata": {},
}


class Script(Struct, frozen=True):
    """What comes before the content, the events of the content one by one, and all that ends the stream."""

    opening: bytes
    content: list[bytes]
    closing: bytes

    def writes(self) -> list[bytes]:
        """One write an event of content; the first carries the opening."""
        return [self.opening + self.content[0], *self.content[1:], self.closing]


def mark(number: int) -> bytes:
    """The word of a piece of content, which stands nowhere else."""
    return b"tok%02d" % number


def script(speech: Speech, chunks: int) -> Script:
    made: Script = {"chat": _chat, "messages": _messages, "responses": _responses}[speech](chunks)
    return made


def _event(data: bytes, name: bytes = b"") -> bytes:
    framed = (b"event: " + name + b"\n" if name else b"") + b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(framed), framed)


def _named(*docs: dict[str, object]) -> bytes:
    return b"".join(_event(orjson.dumps(doc), str(doc["type"]).encode()) for doc in docs)


def _chat(chunks: int) -> Script:
    said = b'"choices":[{"index":0,"delta":{"content":" %b"},"logprobs":null,"finish_reason":null}]}'
    usage = b'"choices":[],"usage":{"prompt_tokens":128,"completion_tokens":%d,"total_tokens":%d}}'
    closing = _event(_CHUNK + usage % (chunks, 128 + chunks)) + _event(b"[DONE]") + _END
    return Script(b"", [_event(_CHUNK + said % mark(number)) for number in range(chunks)], closing)


def _messages(chunks: int) -> Script:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    said = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" %b"}}'
    content = [_event(said % mark(number), b"content_block_delta") for number in range(chunks)]
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    closing = _named(
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": chunks}},
        {"type": "message_stop"},
    )
    return Script(_named({"type": "message_start", "message": _MESSAGE}, block), content, closing + _END)


def _responses(chunks: int) -> Script:
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item = {"id": _ITEM, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    at = {"item_id": _ITEM, "output_index": 0, "content_index": 0}
    opening = _named(
        {"type": "response.created", "sequence_number": 0, "response": _RESPONSE},
        {"type": "response.in_progress", "sequence_number": 1, "response": _RESPONSE},
        {"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": item},
        {"type": "response.content_part.added", "sequence_number": 3, "part": part, **at},
    )
    said = (
        b'{"type":"response.output_text.delta","content_index":0,"delta":" %b","item_id":"' + _ITEM.encode() + b'",'
        b'"logprobs":[],"obfuscation":"kH2dSs9ab","output_index":0,"sequence_number":%d}'
    )
    content = [_event(said % (mark(n), 4 + n), b"response.output_text.delta") for n in range(chunks)]
    text = "".join(" " + mark(number).decode() for number in range(chunks))
    whole = {**part, "text": text}
    done = {**item, "status": "completed", "content": [whole]}
    usage = {
        "input_tokens": 128,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": chunks,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 128 + chunks,
    }
    last = {**_RESPONSE, "status": "completed", "output": [done], "usage": usage}
    number = 4 + chunks
    closing = _named(
        {"type": "response.output_text.done", "sequence_number": number, "text": text, "logprobs": [], **at},
        {"type": "response.content_part.done", "sequence_number": number + 1, "part": whole, **at},
        {"type": "response.output_item.done", "sequence_number": number + 2, "output_index": 0, "item": done},
        {"type": "response.completed", "sequence_number": number + 3, "response": last},
    )
    return Script(opening, content, closing + _END)
