"""A message stream for a client that speaks Messages: events pass as they came.

Each is read once, typed, for what the router must know. The model's name is exchanged where the message begins, what is
signed is tagged, and what the official client would stumble over is mended: blocks that are not closed, deltas of
blocks that were never opened, a message that begins or ends without its event, missing usage (the writer fills it in).
"""

from typing import Any, Final

import msgspec
import orjson

from llm_inference_router.backends import faults, normalise
from llm_inference_router.backends.anthropic_relay_message import block, counted, head, is_citation, stop_reason
from llm_inference_router.backends.anthropic_stream import finish_reason
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.decoder import EventDecoder
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.usage import usage_as_messages, usage_of_messages
from llm_inference_router.types import Fault, Piece, Usage

_CALLS: Final = frozenset({"tool_use", "server_tool_use"})
_TALK: Final = frozenset({"text", "thinking", "redacted_thinking"})
# What a part holds, which the official client adds to its block without asking whether it is there.
_HOLDS: Final = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class _Delta(msgspec.Struct, gc=False):
    """Of a content block; that of the message has no type."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""


class _Kind(msgspec.Struct, gc=False):
    type: str
    index: int = -1


class _Event(_Kind, gc=False):
    delta: _Delta | None = None


_read = msgspec.json.Decoder(_Event).decode
_read_kind = msgspec.json.Decoder(_Kind).decode


class RelayDecoder(EventDecoder):
    __slots__ = ("_called", "_index", "_open", "_stopped", "_usage", "_written")

    def __init__(self, rendering: Rendering) -> None:
        super().__init__(rendering)
        self._stopped = False
        self._called = False
        self._open = ""  # the type of the block that is open
        self._index = -1  # its index, as the upstream has it
        self._written = 0  # blocks that are closed
        self._usage: dict[str, Any] = {}  # cumulative: what a later event names replaces what an earlier one said

    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        try:
            try:
                event: _Kind = _read(data)
            except msgspec.ValidationError:  # a delta of another shape, as later versions may bring
                event = _read_kind(data)
            if event.type == "content_block_delta":
                self._delta(event, data, pieces)
            else:
                self._rare(event, data, pieces)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._skip("an event that is no message event", pieces)

    def _delta(self, event: _Kind, data: bytes, pieces: list[Piece]) -> None:
        delta = event.delta if isinstance(event, _Event) else None
        if delta is None or not delta.type:
            self._skip("a part that is none", pieces)
            return
        if not self._open or event.index != self._index:
            self._skip("a part of a content block that is not open", pieces)
            return
        kind = delta.type
        text = delta.text if kind == "text_delta" else ""
        size = len(delta.text) + len(delta.thinking) + len(delta.partial_json)
        if not size or kind == "signature_delta" or self._index != self._written:
            doc = normalise.load(data)
            if not _is_part(doc["delta"]):
                self._skip(f"a {kind} without what it is named for", pieces)
                return
            doc["index"] = self._written
            if kind == "signature_delta":
                doc["delta"]["signature"] = tag(str(doc["delta"].get("signature") or ""), self._rendering.provider)
            data = orjson.dumps(doc)
        called = self._open not in _TALK
        piece = Piece(_line(data), size > 0, size, text, event=b"content_block_delta", called=called)
        pieces.append(piece)

    def _rare(self, event: _Kind, data: bytes, pieces: list[Piece]) -> None:
        kind = event.type
        if kind == "message_start":
            self._start(normalise.load(data), pieces)
        elif kind == "content_block_start":
            self._block(normalise.load(data), event.index, pieces)
        elif kind == "content_block_stop":
            if self._open and event.index == self._index:
                self._close_block(pieces)
        elif kind == "message_delta":
            self._stop(normalise.load(data), pieces)
        elif kind == "message_stop":
            self._end(pieces)
        elif kind == "error":
            self._fail(faults.inside(data), pieces)
        else:
            pieces.append(Piece(_line(data), event=kind.encode()))  # ping, and what later versions bring

    def _start(self, doc: dict[str, Any], pieces: list[Piece]) -> None:
        if self._begun:
            self._skip("a second beginning", pieces)
            return
        self._begun = True
        message = doc.get("message")
        message = doc["message"] = message if isinstance(message, dict) else {}
        head(message, self._rendering)
        message["content"], message["stop_reason"] = [], None
        usage = message.get("usage")
        if isinstance(usage, dict):
            self._count(usage)
            message["usage"] = counted(usage)
        else:
            message["usage"] = usage_as_messages(Usage(self._rendering.prompt_tokens, 0))
        pieces.append(Piece(orjson.dumps(doc), event=b"message_start", prompt=usage_of_messages(self._usage)))

    def _block(self, doc: dict[str, Any], index: int, pieces: list[Piece]) -> None:
        if not self._begun:
            self._start({"type": "message_start"}, pieces)
        made = block(doc.get("content_block"), self._written, self._rendering)
        if made is None or index < 0:
            self._skip("a content block that is none", pieces)
            return
        self._close_block(pieces)
        self._open, self._index = made["type"], index
        doc["content_block"], doc["index"] = made, self._written
        text = made["text"] if self._open == "text" else ""
        size = len(text) + len(made["thinking"] if self._open == "thinking" else "")
        called = self._open not in _TALK
        if self._open in _CALLS:
            self._called = self._called or self._open == "tool_use"
            size += len(str(made.get("name") or ""))
        data = orjson.dumps(doc)
        pieces.append(Piece(data, size > 0 or called, size, text, event=b"content_block_start", called=called))

    def _close_block(self, pieces: list[Piece]) -> None:
        if self._open:
            self._open = ""
            data = b'{"type":"content_block_stop","index":%d}' % self._written
            self._written += 1
            pieces.append(Piece(data, event=b"content_block_stop"))

    def _stop(self, doc: dict[str, Any], pieces: list[Piece]) -> None:
        raw = doc.get("delta")
        delta = doc["delta"] = raw if isinstance(raw, dict) else {}
        usage = doc.get("usage")
        doc["usage"] = counts = usage if isinstance(usage, dict) else {}
        self._count(counts)
        stop = delta["stop_reason"] = stop_reason(delta.get("stop_reason"), self._called)
        if not isinstance(delta.get("stop_sequence"), str | None):
            delta["stop_sequence"] = None
        if not self._begun:
            self._start({"type": "message_start"}, pieces)
        if stop is None:
            pieces.append(Piece(orjson.dumps(doc), event=b"message_delta"))
        else:
            self._finish(doc, stop, pieces)

    def _finish(self, doc: dict[str, Any], stop: str, pieces: list[Piece]) -> None:
        self._close_block(pieces)
        self._stopped = True
        used = usage_of_messages(self._usage)
        counts = doc["usage"]
        if used is not None:
            counts["output_tokens"] = self._usage.get("output_tokens", 0)
        piece = Piece(orjson.dumps(doc), finish_reason=finish_reason(stop), usage=used, event=b"message_delta")
        pieces.append(piece)

    def _end(self, pieces: list[Piece]) -> None:
        self._done = True
        if not self._begun:
            self._fail(Fault("malformed", "the upstream's answer holds no message"), pieces)
            return
        if not self._stopped:
            stop = "tool_use" if self._called else "end_turn"
            delta = {"stop_reason": stop, "stop_sequence": None}
            self._finish({"type": "message_delta", "delta": delta, "usage": {}}, stop, pieces)
        pieces.append(Piece(done=True))

    def _count(self, usage: dict[str, Any]) -> None:
        for name, value in usage.items():
            if type(value) is int:
                self._usage[name] = value


def _is_part(delta: dict[str, Any]) -> bool:
    if delta["type"] == "citations_delta":
        return is_citation(delta.get("citation"))
    held = _HOLDS.get(delta["type"])
    return held is None or isinstance(delta.get(held), str)


def _line(data: bytes) -> bytes:
    """An event's JSON on one line: line ends within it stand between tokens only."""
    return data.replace(b"\n", b" ") if b"\n" in data else data
