"""OpenAI's Responses as a client reads it: the stream of events.

    response.created, response.in_progress
    for each item    response.output_item.added, its parts or arguments by deltas, response.output_item.done
    at the end       response.completed or response.incomplete; no [DONE] follows
    where it broke   error (the official client raises it), response.failed

Events are numbered without a gap. What has to wait for the end of the answer (the last delta, the closing of what is
open) gets its number there, so an answer that breaks in that moment has no gap either.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.custom import custom_names
from llm_inference_router.dialects.responses_items import Event, Items
from llm_inference_router.dialects.responses_object import failed, response, status_of
from llm_inference_router.dialects.responses_relayed import Relayed
from llm_inference_router.dialects.sse import named_frame
from llm_inference_router.dialects.usage import usage_as_responses
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Piece, Usage

_TEXT: Final = b"response.output_text.delta"


class ResponsesWriter:
    """`answer` is the response object, once the stream has ended."""

    __slots__ = ("_finish", "_head", "_items", "_last", "_next", "_relayed", "_request", "_tier", "answer")

    def __init__(self, request: ChatRequest, head: Head) -> None:
        self._request = request
        self._head = head
        self._next = 0
        self._items: Items | None = None  # once a chat chunk has come
        self._relayed: Relayed | None = None  # once an event has come as it is
        self._last: list[tuple[Mapping[str, Any], Any]] = []  # deltas that came with the finish reason or after it
        self._finish: str | None = None
        self._tier: Any = None
        self.answer: dict[str, Any] | None = None

    @property
    def resumable(self) -> bool:
        if self._items is not None:
            return self._items.resumable
        return self._relayed is None or self._relayed.resumable

    @property
    def head(self) -> Head:
        return self._head

    def chunk(self, piece: Piece) -> bytes:
        doc = orjson.loads(piece.chunk or b"{}")
        choices = doc.get("choices")
        if not choices:
            return b""
        choice = choices[0]
        delta, logprobs = choice.get("delta") or {}, choice.get("logprobs")
        items, frames = self._begin()
        self._tier = self._tier or doc.get("service_tier")
        if choice.get("finish_reason") is not None or self._finish is not None:
            self._finish = self._finish or choice["finish_reason"]
            self._last.append((delta, logprobs))
            return frames
        return frames + self._frames(items.delta(delta, logprobs))

    def relayed(self, piece: Piece) -> bytes:
        data = piece.chunk
        assert data is not None
        if self._relayed is None:
            self._relayed = Relayed()
        if piece.event != _TEXT or not self._relayed.says(data, piece.text):
            self._relayed.take(orjson.loads(data))
        return named_frame(piece.event, data)

    def end(
        self, held: Sequence[bytes], usage: Usage, *, told: bool, router: Mapping[str, Any] | None
    ) -> tuple[bytes, ...]:
        if self._items is None and self._relayed is not None:
            return self._end_relayed(held, usage, router)
        items, frames = self._begin()
        for delta, logprobs in self._last:
            frames += self._frames(items.delta(delta, logprobs))
        status = status_of(self._finish)
        frames += self._frames(items.close(status))
        answer = self._object(items.output, status, usage=usage_as_responses(usage))
        if router is not None:
            answer["router"] = router
        self.answer = answer
        return (*held, frames + self._frames([(f"response.{status}", {"response": answer})]))

    def fail(self, error: RouterError, request_id: str) -> bytes:
        begun = b""
        if self._items is None and self._relayed is not None:
            self._next, answer = self._relayed.next, self._relayed.answer
        else:
            items, begun = self._begin()
            answer = self._object(items.broken(), "failed")
        said = {"code": error.code, "message": error.message, "param": error.param}
        # The documented event is flat; the official client raises what has an `error` inside.
        nested = {"type": error.error_type, **said, "request_id": request_id}
        events: list[Event] = [("error", {**said, "error": nested})]
        if answer is not None:
            events.append(("response.failed", {"response": failed(answer, error)}))
        return begun + self._frames(events)

    def _begin(self) -> tuple[Items, bytes]:
        if self._items is not None:
            return self._items, b""
        stem = self._head.id.removeprefix("resp_")
        if self._relayed is not None:  # another model goes on with what came as it is
            self._items = self._relayed.items(stem)
            self._items.custom = custom_names(self._request.body)
            self._next = self._relayed.next
            return self._items, b""
        self._items = Items(stem, custom_names(self._request.body))
        begun = {"response": self._object([], "in_progress")}
        return self._items, self._frames([("response.created", begun), ("response.in_progress", begun)])

    def _object(
        self, output: list[dict[str, Any]], status: Any, *, usage: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = response(self._request, self._head, output, status, finish=self._finish, usage=usage, tier=self._tier)
        known = self._relayed.answer if self._relayed is not None else None
        if known is not None:  # as the client was told when it began
            changed = ("status", "output", "usage", "incomplete_details", "error")
            answer = {**known, **{name: answer[name] for name in changed}}
        return answer

    def _end_relayed(self, held: Sequence[bytes], usage: Usage, router: Mapping[str, Any] | None) -> tuple[bytes, ...]:
        """The upstream's own last event, with what it lacks."""
        assert self._relayed is not None
        answer = self.answer = self._relayed.answer
        if answer is None or not held or (router is None and answer.get("usage") is not None):
            return tuple(held)
        head, _, data = held[-1].partition(b"\ndata: ")
        event = orjson.loads(data)
        if not isinstance(event.get("response"), dict):
            return tuple(held)
        event["response"]["usage"] = answer.get("usage") or usage_as_responses(usage)
        if router is not None:
            event["response"]["router"] = router
        self.answer = event["response"]
        return (*held[:-1], named_frame(head.removeprefix(b"event: "), orjson.dumps(event)))

    def _frames(self, events: Iterable[Event]) -> bytes:
        frames = []
        for kind, fields in events:
            data = orjson.dumps({"type": kind, "sequence_number": self._next, **fields})
            self._next += 1
            frames.append(named_frame(kind.encode(), data))
        return b"".join(frames)
