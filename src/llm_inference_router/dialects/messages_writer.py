"""A message stream as a client reads it: from chat chunks, from events of an upstream that speaks Messages, or from
these first and then from those.

    message_start, then blocks (content_block_start, content_block_delta..., content_block_stop), message_delta,
    message_stop

The last two wait for `end`: they carry the usage of the whole answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from llm_inference_router.dialects import messages
from llm_inference_router.dialects.base import Head, Said
from llm_inference_router.dialects.fault import Rendered
from llm_inference_router.dialects.messages_answer import call_id, message, stop_of
from llm_inference_router.dialects.messages_blocks import Blocks
from llm_inference_router.dialects.messages_error import frame_error, render
from llm_inference_router.dialects.sse import named_frame
from llm_inference_router.dialects.usage import usage_as_messages
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Piece, Usage
from llm_inference_router.vocabulary import DialectName


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: Any = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta
    finish_reason: str | None = None
    stop_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice]


class _Kind(msgspec.Struct, gc=False):
    type: str = ""


class _Opened(msgspec.Struct, gc=False):
    content_block: _Kind


_read = msgspec.json.Decoder(_Chunk).decode
_opened = msgspec.json.Decoder(_Opened).decode


class MessagesWriter:
    __slots__ = ("_begun", "_blocks", "_head", "_last", "_open", "_signed", "_stop", "_written")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._begun = False
        self._blocks: Blocks | None = None  # made with the first chat chunk
        self._written = 0  # blocks that were relayed
        self._open: str | None = None  # the kind of the relayed block that is open
        self._signed = False  # that block has its signature
        self._last: dict[str, Any] | None = None  # the upstream's message_delta
        self._stop: tuple[str, str | None] = ("end_turn", None)

    @property
    def head(self) -> Head:
        return self._head

    @property
    def resumable(self) -> bool:
        """Chat chunks can go on anywhere but within a tool call, or after one."""
        if self._blocks is not None:
            return not self._blocks.called
        return self._open in (None, "text", "thinking")

    def chunk(self, piece: Piece) -> bytes:
        data = piece.chunk
        assert data is not None
        choices = _read(data).choices
        if not choices:
            return b""
        blocks = self._blocks
        if blocks is None:
            blocks = self._blocks = Blocks()
            blocks.resume(self._written, self._open, signed=self._signed)
        frames = b""
        for choice in choices:
            frames += self._delta(choice.delta, blocks)
            if choice.finish_reason is not None:
                frames += blocks.finish()
                self._stop = stop_of(choice.finish_reason, choice.stop_reason, blocks.called)
        return self._start() + frames if frames else b""

    def relayed(self, piece: Piece) -> bytes:
        data, name = piece.chunk, piece.event
        assert data is not None
        if name == b"content_block_delta":
            if self._open == "thinking" and b'"signature_delta"' in data:
                self._signed = True
        elif name == b"content_block_start":
            self._signed = False
            self._open = _opened(data).content_block.type
        elif name == b"content_block_stop":
            self._open = None
            self._written += 1
        elif name == b"message_start":
            self._begun = True
        elif name == b"message_delta":
            self._last = _merged(self._last, orjson.loads(data))
            return b""
        return named_frame(name, data)

    def end(
        self, held: Sequence[bytes], usage: Usage, *, told: bool, router: Mapping[str, Any] | None
    ) -> tuple[bytes, ...]:
        if self._blocks is None and self._last is not None:
            delta = self._last
            told_of = delta.get("usage") if told else None
            delta["usage"] = told_of if told_of and "output_tokens" in told_of else usage_as_messages(usage)
        else:
            stop, sequence = self._stop
            delta = {
                "type": "message_delta",
                "delta": {"stop_reason": stop, "stop_sequence": sequence},
                "usage": usage_as_messages(usage),
            }
        frames = [*held] if self._begun else [*held, self._start()]
        if self._blocks is not None:
            frames.append(self._blocks.finish())
        if router is not None:
            delta["router"] = router  # the last event that the official client hands on as it is
        frames.append(named_frame(b"message_delta", orjson.dumps(delta)))
        frames.append(named_frame(b"message_stop", b'{"type":"message_stop"}'))
        return tuple(one for one in frames if one)

    def fail(self, error: RouterError, request_id: str) -> bytes:
        return frame_error(error, request_id)

    def _start(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        head = self._head
        begun: dict[str, Any] = {
            "id": "msg_" + head.id,
            "type": "message",
            "role": "assistant",
            "model": head.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_as_messages(Usage(head.prompt_tokens, 0)),
        }
        return named_frame(b"message_start", orjson.dumps({"type": "message_start", "message": begun}))

    def _delta(self, delta: _Delta, blocks: Blocks) -> bytes:
        frames = b""
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            frames += blocks.thinking(thought)
        if isinstance(delta.thinking_blocks, list):
            frames += b"".join(_thought(block, blocks) for block in delta.thinking_blocks if isinstance(block, dict))
        text = (delta.content or "") + (delta.refusal or "")
        if text:
            frames += blocks.text(text)
        for call in delta.tool_calls or ():
            function = call.function
            name = function.name if function is not None else None
            if call.id is not None or name:
                frames += blocks.call(call.index, call_id(call.id, call.index, self._head), name or "")
            if function is not None and function.arguments:
                frames += blocks.arguments(call.index, function.arguments)
        return frames


class Messages:
    name: DialectName = "messages"

    def parse(self, body: bytes) -> ChatRequest:
        return messages.parse(body)

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> dict[str, Any]:
        return message(completion, head)

    def writer(self, request: ChatRequest, head: Head) -> MessagesWriter:
        return MessagesWriter(head)

    def error(self, error: RouterError, request_id: str) -> Rendered:
        return render(error, request_id)


def _thought(block: dict[str, Any], blocks: Blocks) -> bytes:
    """A whole block of reasoning, or its signature, or as others send it a part without one."""
    if block.get("type") == "redacted_thinking" and isinstance(block.get("data"), str):
        return blocks.redacted(block["data"])
    signature, text = block.get("signature"), block.get("thinking")
    if isinstance(signature, str) and signature:
        return blocks.signature(signature, text if isinstance(text, str) else "")
    return b""


def _merged(before: dict[str, Any] | None, event: dict[str, Any]) -> dict[str, Any]:
    """Two message_delta as one: what the later names stands."""
    if before is None:
        return event
    for name in ("delta", "usage"):
        event[name] = {**before.get(name, {}), **{k: v for k, v in event.get(name, {}).items() if v is not None}}
    return event
