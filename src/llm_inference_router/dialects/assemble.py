"""What a stream has come to so far, and which frames the client is given when.

Only here is it decided whether an answer is complete: a stream that is cut often ends cleanly below HTTP, so
a missing finish reason and a missing end marker are all that tells.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from llm_inference_router.dialects.base import Writer
from llm_inference_router.types import Fault, Piece, Usage

CHARS_PER_TOKEN = 4  # of English under current vocabularies; only where an upstream reports no usage
_MALFORMED_LIMIT = 100
_HELD_LIMIT = 1024 * 1024
_TEXT_LIMIT = 8 * 1024 * 1024  # characters that are kept, more than any model writes
_LENGTH_LIMIT = 16 * 1024 * 1024  # characters, 4 million tokens: an upstream that sends more is ill
# Part of a call, in a chat chunk. Text cannot hold these bytes: its quotes are escaped.
_CALL = re.compile(rb'"(?:tool_calls"\s*:\s*\[\s*\{|function_call"\s*:\s*\{)')


def estimate(prompt_tokens: int, text_chars: int) -> Usage:
    """Usage where the upstream reports none, marked as estimated: `text_chars` generated characters, four a
    token.
    """
    return Usage(
        input_tokens=prompt_tokens,
        output_tokens=-(-text_chars // CHARS_PER_TOKEN),
        source="estimated",
    )


def added(first: Usage | None, second: Usage) -> Usage:
    """The sum; estimated where a part of it is."""
    if first is None:
        return second
    return Usage(
        first.input_tokens + second.input_tokens,
        first.output_tokens + second.output_tokens,
        first.cached_tokens + second.cached_tokens,
        first.cache_write_tokens + second.cache_write_tokens,
        first.reasoning_tokens + second.reasoning_tokens,
        "estimated" if "estimated" in (first.source, second.source) else "reported",
    )


class Assembly:
    """Takes the pieces of one stream in order and says what to send.

    | state   | role only | content         | finish        | usage   | done    | fault  |
    |---------|-----------|-----------------|---------------|---------|---------|--------|
    | silent  | hold      | send held; open | hold; closing | hold    | settled | failed |
    | open    | send      | send            | hold; closing | send    | settled | failed |
    | closing | hold      | hold            | hold          | settled | settled | count  |
    | failed  | drop      | drop            | drop          | note    | drop    | drop   |

    Nothing is sent before there is content, so that until then another model can answer unseen. What is held
    from the finish on is the stream's end, given by `end`: it may wait for the record. A malformed event is
    skipped and counted, and so is any fault once the answer has finished.
    """

    __slots__ = (
        "_frame", "_held", "_held_bytes", "_keep_text", "_prompt", "_prompt_tokens", "_spent", "_texts", "begun",
        "called", "done", "failure", "finish_reason", "malformed", "text_chars", "usage", "writer",
    )  # fmt: skip

    def __init__(
        self,
        writer: Writer,
        *,
        prompt_tokens: int = 0,
        keep_text: bool = False,
        spent: Usage | None = None,
        relayed: bool = False,
    ) -> None:
        """`spent`: what earlier parts of the same answer used; the client is told the sum. `relayed`: the pieces hold
        events of the client's own dialect.
        """
        self.writer = writer
        self._frame = writer.relayed if relayed else writer.chunk
        self._spent = spent
        self._prompt: Usage | None = None  # what the upstream said of the input before it was cut
        self._prompt_tokens = prompt_tokens
        self._keep_text = keep_text
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._texts: list[str] = []
        self.begun = False  # content has begun: from now on nothing can be taken back
        self.called = False  # a tool call has begun; known only with `keep_text`
        self.done = False  # the upstream's end marker was seen
        self.failure: Fault | None = None  # what ended the stream before its time
        self.finish_reason: str | None = None
        self.malformed = 0  # events skipped
        self.text_chars = 0
        self.usage: Usage | None = None  # as reported

    def push(self, piece: Piece) -> tuple[bytes, ...]:
        """The frames to send now."""
        if piece.usage is not None:
            self.usage = piece.usage
        if piece.prompt is not None:
            self._prompt = piece.prompt
        if self.failure is not None:
            return ()
        if piece.fault is not None:
            self._fault(piece)
            return ()
        if piece.done:
            self.done = True
        self.text_chars += piece.text_chars
        if self.text_chars > _LENGTH_LIMIT:
            self._overflow("the upstream sends an answer without end")
            return ()
        chunk = piece.chunk
        if self._keep_text:
            if piece.text and self.text_chars <= _TEXT_LIMIT:
                self._texts.append(piece.text)
            if piece.called or (chunk is not None and piece.content and _CALL.search(chunk)):
                self.called = True
        if piece.finish_reason is not None:
            self.finish_reason = piece.finish_reason
        elif self.finish_reason is None and chunk is not None:
            if self.begun:
                framed = self._frame(piece)
                return (framed,) if framed else ()
            if piece.content:
                self.begun = True
                frames = (*self._held, self._frame(piece))
                self._held.clear()
                return frames
        if chunk is not None:
            self._hold(piece)
        return ()

    def end(self, router: Mapping[str, Any] | None = None) -> tuple[bytes, ...]:
        """The frames that end a complete answer: what was held, usage where it was asked for, the end marker.

        Empty when the answer is not complete. `router`: the decision, for a client that asked for it.
        """
        if not self.complete:
            return ()
        held, self._held = self._held, []
        told = self.usage is not None and self._spent is None
        return self.writer.end(held, added(self._spent, self.billed()), told=told, router=router)

    @property
    def complete(self) -> bool:
        return self.failure is None and (self.finish_reason is not None or self.done)

    @property
    def settled(self) -> bool:
        """Nothing more needs to be read from the upstream."""
        return self.done or self.failure is not None or (self.finish_reason is not None and self.usage is not None)

    @property
    def truncation(self) -> Fault | None:
        """Why an answer whose upstream has closed is not complete; None when it is."""
        if self.complete:
            return None
        return self.failure or Fault(kind="truncated", message="the upstream's answer broke off before its end")

    @property
    def text(self) -> str:
        """The generated text so far, or its first 8 million characters; kept only where `keep_text` asked for it."""
        return "".join(self._texts)

    @property
    def overlong(self) -> bool:
        """Whether there was more text than is kept."""
        return self.text_chars > _TEXT_LIMIT

    def billed(self) -> Usage:
        """Usage as reported, or else estimated from the text so far and marked as such; the input as the upstream
        counted it, where it said so at the beginning."""
        if self.usage is not None:
            return self.usage
        rough = estimate(self._prompt_tokens, self.text_chars)
        if self._prompt is None:
            return rough
        output = max(self._prompt.output_tokens, rough.output_tokens)
        return structs.replace(self._prompt, output_tokens=output, source="estimated")

    def _hold(self, piece: Piece) -> None:
        framed = self._frame(piece)
        self._held_bytes += len(framed)
        if self._held_bytes > _HELD_LIMIT:
            self._overflow("the upstream sends a stream without content")
            return
        if framed:
            self._held.append(framed)
        if piece.content:
            self.begun = True

    def _overflow(self, what: str) -> None:
        """It is more than any honest stream sends: an answer that has finished is over, another one is broken."""
        if self.finish_reason is not None:
            self.done = True
            return
        self.failure = Fault(kind="malformed", message=what)
        self._held.clear()

    def _fault(self, piece: Piece) -> None:
        fault = piece.fault
        if self.finish_reason is not None or (fault and fault.kind == "malformed" and not piece.done):
            self.malformed += 1
            if self.malformed < _MALFORMED_LIMIT or self.finish_reason is not None:
                return
        self.failure = fault
        self._held.clear()
