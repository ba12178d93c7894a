"""The content blocks of one message stream, one after the other.

Chat streams several tool calls at once if it likes; Anthropic's blocks follow each other. So the block in front is sent
as it comes, and what belongs to a later one waits until the front is whole: text and reasoning are whole when something
else comes, a tool call when its arguments are a JSON object, or at the end.
"""

from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias

import orjson

from llm_inference_router.dialects.messages_answer import UNSIGNED
from llm_inference_router.dialects.sse import named_frame

Kind: TypeAlias = Literal["text", "thinking", "tool_use", "redacted_thinking"]

_TEXT_HEAD: Final = {"type": "text", "text": ""}
_THINKING_HEAD: Final = {"type": "thinking", "thinking": "", "signature": ""}
_DELTAS: Final = {
    "text": (b'{"type":"text_delta","text":', b"}"),
    "thinking": (b'{"type":"thinking_delta","thinking":', b"}"),
    "tool_use": (b'{"type":"input_json_delta","partial_json":', b"}"),
}


class _Block:
    __slots__ = ("depth", "head", "key", "kind", "parts", "signature", "signed")

    def __init__(self, kind: Kind, key: int, head: dict[str, Any]) -> None:
        self.kind = kind
        self.key = key  # of a tool call: its number
        self.head = head
        self.parts: list[str] = []  # waiting, or of a tool call all there were
        self.depth = 0  # braces that are open, those in strings too
        self.signature = ""
        self.signed = False  # the client has the signature

    def append(self, text: str) -> None:
        self.parts.append(text)
        self.depth += text.count("{") - text.count("}")

    @property
    def whole(self) -> bool:
        if self.kind != "tool_use":
            return True
        if self.depth or not self.parts or self.parts[-1].rstrip()[-1:] != "}":
            return False
        with suppress(orjson.JSONDecodeError):
            orjson.loads("".join(self.parts))
            return True
        return False


class Blocks:
    """Every method but `resume` gives the frames to send."""

    __slots__ = ("_front", "_next", "_tools", "_waiting")

    def __init__(self) -> None:
        self._front: _Block | None = None
        self._waiting: list[_Block] = []
        self._next = 0  # the index of the next block
        self._tools: set[int] = set()  # calls that have begun

    @property
    def called(self) -> bool:
        return bool(self._tools)

    def text(self, text: str) -> bytes:
        return self._add("text", 0, _TEXT_HEAD, text)

    def thinking(self, text: str) -> bytes:
        return self._add("thinking", 0, _THINKING_HEAD, text)

    def signature(self, signature: str, text: str) -> bytes:
        """The end of a reasoning block. `text`: all of it, used where none of it has been said."""
        frames = b""
        block = self._last()
        if block is None or block.kind != "thinking" or _is_signed(block):
            frames = self._add("thinking", 0, _THINKING_HEAD, text)
            block = self._last()
        assert block is not None
        block.signature = signature
        return frames

    def redacted(self, data: str) -> bytes:
        return self._add("redacted_thinking", 0, {"type": "redacted_thinking", "data": data}, "")

    def call(self, number: int, call_id: str, name: str) -> bytes:
        if number in self._tools:
            return b""
        self._tools.add(number)
        head = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        return self._add("tool_use", number, head, "")

    def arguments(self, number: int, text: str) -> bytes:
        """Of a call that has begun. What comes after its block was closed is no part of a whole call."""
        for block in (self._front, *self._waiting):
            if block is not None and block.kind == "tool_use" and block.key == number:
                return self._more(block, text)
        return b""

    def resume(self, written: int, kind: str | None, *, signed: bool) -> None:
        """Goes on after `written` whole blocks that another wrote, and one of this `kind` that is still open."""
        self._next = written
        if kind == "text" or kind == "thinking":
            self._front = _Block("text" if kind == "text" else "thinking", 0, {})
            self._front.signed = signed

    def finish(self) -> bytes:
        """Closes what is open, and sends what waits."""
        frames = self._close()
        for block in self._waiting:
            frames += self._open_block(block) + self._close()
        self._waiting.clear()
        return frames

    def _last(self) -> _Block | None:
        return self._waiting[-1] if self._waiting else self._front

    def _add(self, kind: Kind, key: int, head: dict[str, Any], text: str) -> bytes:
        last = self._last()
        if last is not None and last.kind == kind and kind in ("text", "thinking") and not _is_signed(last):
            return self._more(last, text)
        block = _Block(kind, key, head)
        if text:
            block.append(text)
        self._waiting.append(block)
        return self._advance()

    def _more(self, block: _Block, text: str) -> bytes:
        if not text:
            return b""
        if block is not self._front:
            block.append(text)
            return b""
        if block.kind == "tool_use":
            block.append(text)
        frames = self._delta(block.kind, text)
        return frames + self._advance() if self._waiting else frames

    def _advance(self) -> bytes:
        frames = b""
        while self._waiting and (self._front is None or self._front.whole):
            frames += self._close() + self._open_block(self._waiting.pop(0))
        return frames

    def _open_block(self, block: _Block) -> bytes:
        self._front = block
        head = orjson.dumps(block.head)
        start = b'{"type":"content_block_start","index":%d,"content_block":%b}' % (self._next, head)
        frames = named_frame(b"content_block_start", start)
        text = "".join(block.parts)
        if block.kind != "tool_use":
            block.parts.clear()
        return frames + self._delta(block.kind, text) if text else frames

    def _delta(self, kind: Kind, text: str) -> bytes:
        before, after = _DELTAS[kind]
        return self._frame_delta(before + orjson.dumps(text) + after)

    def _frame_delta(self, delta: bytes) -> bytes:
        body = b'{"type":"content_block_delta","index":%d,"delta":%b}' % (self._next, delta)
        return named_frame(b"content_block_delta", body)

    def _close(self) -> bytes:
        block = self._front
        if block is None:
            return b""
        frames = b""
        if block.kind == "thinking" and not block.signed:
            signature = orjson.dumps(block.signature or UNSIGNED)
            frames = self._frame_delta(b'{"type":"signature_delta","signature":%b}' % signature)
        frames += named_frame(b"content_block_stop", b'{"type":"content_block_stop","index":%d}' % self._next)
        self._front = None
        self._next += 1
        return frames


def _is_signed(block: _Block) -> bool:
    return block.signed or bool(block.signature)
