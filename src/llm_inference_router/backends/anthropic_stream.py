"""Anthropic's message stream as OpenAI's chunks.

message_start          role chunk; usage of the input
content_block_start    tool_use: the call's id and name; redacted thinking: thinking_blocks; others: nothing
content_block_delta    text, thinking (as reasoning_content), input_json (as arguments); others: nothing
content_block_stop     a tool call without arguments is given `{}`; a custom tool's text; a text block's citations;
                       signed reasoning comes once more, whole, in thinking_blocks
message_delta          a refusal's explanation; finish chunk, with the stop sequence; usage, cumulative
message_stop           done
ping, unknown events   nothing
error                  a fault
"""

from typing import Any, Final

import msgspec
import orjson

from llm_inference_router.backends import anthropic_extras, faults
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.decoder import EventDecoder
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.usage import COUNTS, DETAILS, usage_as_chat, usage_of_messages
from llm_inference_router.types import Fault, Piece

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
}
STOPS: Final = frozenset(_FINISH)
"""All stop reasons that Anthropic's official client knows."""


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: Any = None
    stop_details: Any = None
    citation: Any = None


class _Block(msgspec.Struct, gc=False):
    type: str
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    input: dict[str, Any] | None = None


class _Message(msgspec.Struct, gc=False):
    id: str = ""
    usage: dict[str, Any] | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: dict[str, Any] | None = None


_read = msgspec.json.Decoder(_Event).decode


def finish_reason(stop_reason: Any) -> str | None:
    """OpenAI's finish reason; None while there is none."""
    return _FINISH.get(stop_reason, "stop") if isinstance(stop_reason, str) and stop_reason else None


class AnthropicDecoder(EventDecoder):
    __slots__ = (
        "_blocks",
        "_calls",
        "_cited",
        "_custom",
        "_head",
        "_signature",
        "_stopped",
        "_texted",
        "_thoughts",
        "_usage",
    )

    def __init__(self, rendering: Rendering) -> None:
        super().__init__(rendering)
        self._head = self._make_head(rendering.id)
        self._stopped = False
        self._calls = 0
        self._thoughts: list[str] = []  # of the block of reasoning that is open
        self._signature = ""
        self._blocks: dict[int, list[int]] = {}  # block -> number of its tool call, characters of its arguments
        self._custom: dict[int, list[str]] = {}  # block of a custom tool's call -> the JSON of its input so far
        self._usage: dict[str, Any] = {}
        self._texted = 0  # characters of text so far
        self._cited: dict[int, tuple[int, list[Any]]] = {}  # text block -> where it began, its citations

    def _make_head(self, id: str) -> bytes:  # noqa: A002 - the wire's name
        """A chunk up to its choices."""
        rendering = self._rendering
        head = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": rendering.created,
            "model": rendering.model,
        }
        return orjson.dumps(head)[:-1]

    def _chunk(self, delta: bytes, finish: bytes = b"null") -> bytes:
        return b'%b,"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}' % (
            self._head,
            delta,
            finish,
        )

    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        try:
            event = _read(data)
        except (msgspec.DecodeError, RecursionError):
            self._skip("an event that is no message event", pieces)
            return
        kind = event.type
        if kind == "content_block_delta":
            self._delta(event, pieces)
        elif kind == "message_start":
            self._start(event, pieces)
        elif kind == "content_block_start":
            self._block(event, pieces)
        elif kind == "content_block_stop":
            self._block_stop(event.index, pieces)
        elif kind == "message_delta":
            self._stop(event, pieces)
        elif kind == "message_stop":
            self._end(pieces)
        elif kind == "ping":
            pieces.append(Piece())  # a sign of life, from the model's own server
        elif kind == "error":
            self._fail(faults.inside(data), pieces)

    def _start(self, event: _Event, pieces: list[Piece]) -> None:
        self._begun = True
        if event.message is not None:
            if event.message.id:
                self._head = self._make_head(event.message.id)
            self._count(event.message.usage)
        role = self._chunk(b'{"role":"assistant","content":""}')
        pieces.append(Piece(role, prompt=usage_of_messages(self._usage)))

    def _block(self, event: _Event, pieces: list[Piece]) -> None:
        block = event.content_block
        if block is None:
            return
        if block.type == "tool_use":
            number = self._calls
            self._calls += 1
            name = block.id or self._rendering.call_id(0, number)
            if block.name in self._rendering.custom_tools:
                self._custom[event.index] = [orjson.dumps(block.input).decode()] if block.input else []
                self._blocks[event.index] = [number, 1]
                self._free(number, {"name": block.name, "input": ""}, pieces, id=name)
                return
            text = orjson.dumps(block.input).decode() if block.input else ""
            self._blocks[event.index] = [number, len(text)]
            call = {
                "index": number,
                "id": name,
                "type": "function",
                "function": {"name": block.name, "arguments": text},
            }
            chunk = self._chunk(orjson.dumps({"tool_calls": [call]}))
            pieces.append(Piece(chunk, content=True, text_chars=len(block.name) + len(text)))
        elif block.type == "text":
            self._cited[event.index] = (self._texted, [])
            if block.text:
                self._text(block.text, pieces)
        elif block.type == "thinking":
            self._thoughts, self._signature = [], block.signature
            if block.thinking:
                self._thought(block.thinking, pieces)
        elif block.data and block.type == "redacted_thinking":
            self._signed({"type": block.type, "data": tag(block.data, self._rendering.provider)}, pieces)

    def _delta(self, event: _Event, pieces: list[Piece]) -> None:
        delta = event.delta
        if delta is None:
            return
        if delta.text and delta.type == "text_delta":
            self._text(delta.text, pieces)
        elif delta.thinking and delta.type == "thinking_delta":
            self._thought(delta.thinking, pieces)
        elif delta.signature and delta.type == "signature_delta":
            self._signature += delta.signature
        elif delta.partial_json and event.index in self._blocks:
            if event.index in self._custom:
                self._custom[event.index].append(delta.partial_json)
                return
            block = self._blocks[event.index]
            block[1] += len(delta.partial_json)
            self._arguments(block[0], delta.partial_json, pieces)
        elif delta.citation is not None and event.index in self._cited:
            self._cited[event.index][1].append(delta.citation)

    def _text(self, text: str, pieces: list[Piece]) -> None:
        self._texted += len(text)
        chunk = self._chunk(b'{"content":' + orjson.dumps(text) + b"}")
        pieces.append(Piece(chunk, True, len(text), text))

    def _signed(self, block: dict[str, str], pieces: list[Piece]) -> None:
        pieces.append(Piece(self._chunk(orjson.dumps({"thinking_blocks": [block]}))))

    def _thought(self, text: str, pieces: list[Piece]) -> None:
        self._thoughts.append(text)
        chunk = self._chunk(b'{"reasoning_content":' + orjson.dumps(text) + b"}")
        pieces.append(Piece(chunk, True, len(text)))

    def _arguments(self, number: int, text: str, pieces: list[Piece]) -> None:
        call = {"index": number, "function": {"arguments": text}}
        pieces.append(Piece(self._chunk(orjson.dumps({"tool_calls": [call]})), True, len(text)))

    def _block_stop(self, index: int, pieces: list[Piece]) -> None:
        block = self._blocks.pop(index, None)
        if block is not None and block[1] == 0:
            self._arguments(block[0], "{}", pieces)
        if self._signature:
            signature = tag(self._signature, self._rendering.provider)
            thinking = "".join(self._thoughts)
            self._thoughts, self._signature = [], ""
            self._signed({"type": "thinking", "thinking": thinking, "signature": signature}, pieces)
        if block is not None and index in self._custom:
            text = anthropic_extras.free_text("".join(self._custom.pop(index)) or {})
            self._free(block[0], {"input": text}, pieces)
        start, citations = self._cited.pop(index, (0, []))
        if citations:
            self._cite(start, citations, pieces)

    def _free(self, number: int, custom: dict[str, str], pieces: list[Piece], **head: str) -> None:
        """A call of a custom tool: its name, and then the whole of its input, which JSON cannot give in parts."""
        call = {"index": number, **head, "type": "custom", "custom": custom}
        size = sum(len(text) for text in custom.values())
        pieces.append(Piece(self._chunk(orjson.dumps({"tool_calls": [call]})), True, size))

    def _cite(self, start: int, citations: list[Any], pieces: list[Piece]) -> None:
        delta = anthropic_extras.cited(citations, start, self._texted)
        pieces.append(Piece(self._chunk(orjson.dumps(delta))))

    def _stop(self, event: _Event, pieces: list[Piece]) -> None:
        self._count(event.usage)
        delta = event.delta
        finish = finish_reason(delta.stop_reason if delta is not None else None)
        if delta is None or finish is None:
            return
        refused = anthropic_extras.refusal(delta.stop_reason, delta.stop_details)
        if refused is not None:
            chunk = self._chunk(b'{"refusal":' + orjson.dumps(refused) + b"}")
            pieces.append(Piece(chunk, True, len(refused), refused))
        self._finish(finish, pieces, delta.stop_sequence)

    def _end(self, pieces: list[Piece]) -> None:
        self._done = True
        if not self._begun:
            self._fail(Fault("malformed", "the upstream's answer holds no message"), pieces)
            return
        if not self._stopped:
            self._finish("tool_calls" if self._calls else "stop", pieces)
        pieces.append(Piece(done=True))

    def _finish(self, finish: str, pieces: list[Piece], sequence: Any = None) -> None:
        self._stopped = True
        reason = orjson.dumps(finish)
        if isinstance(sequence, str):
            reason += b',"stop_reason":' + orjson.dumps(sequence)
        pieces.append(Piece(self._chunk(b"{}", reason), finish_reason=finish))
        usage = usage_of_messages(self._usage)
        if usage is not None:
            chunk = None
            if self._rendering.include_usage:
                chunk = b'%b,"choices":[],"usage":%b}' % (self._head, orjson.dumps(usage_as_chat(usage)))
            pieces.append(Piece(chunk, usage=usage))

    def _count(self, raw: dict[str, Any] | None) -> None:
        """Counts are cumulative: what a later event names replaces what an earlier one said."""
        for name in COUNTS:
            if raw is not None and type(raw.get(name)) is int:
                self._usage[name] = raw[name]
        if raw is not None and isinstance(raw.get(DETAILS), dict):
            self._usage[DETAILS] = raw[DETAILS]
