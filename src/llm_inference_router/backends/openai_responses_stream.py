"""Streams of OpenAI's Responses for clients that speak them: events in, the same events out.

Most are deltas that are already valid: they are read for what the router must know, and their bytes pass. Events that
hold the response object, or a whole item, are written again, with the model's name exchanged and seals tagged.
"""

from typing import Annotated, Any, Final

import msgspec
import orjson

from llm_inference_router.backends import normalise
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.decoder import EventDecoder
from llm_inference_router.backends.openai_responses_object import failure, finish_of, repair
from llm_inference_router.backends.openai_responses_shape import BEGINNINGS, EVENTS, LOGPROBS, Items
from llm_inference_router.dialects import sse
from llm_inference_router.dialects.usage import usage_of_responses
from llm_inference_router.types import Fault, Piece

_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_HOLDERS: Final = _ENDS | {"response.created", "response.in_progress", "response.queued", "response.failed"}
_SAID: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
_IN_PART: Final = frozenset(kind for kind, fields in EVENTS.items() if {"delta", "content_index"} <= fields.keys())
_IN_SUMMARY: Final = frozenset(kind for kind, fields in EVENTS.items() if {"delta", "summary_index"} <= fields.keys())
# Items without which nothing has been said yet: what else begins is work that the client may see.
_QUIET: Final = frozenset({"message", "reasoning"})


_Index = Annotated[int, msgspec.Meta(ge=0)]


class _Likely(msgspec.Struct, gc=False):
    token: str | None = None
    logprob: float | None = None


class _Logprob(msgspec.Struct, gc=False):
    token: str
    logprob: float
    top_logprobs: list[_Likely] | None = None


class _Delta(msgspec.Struct, gc=False):
    """An event that may pass as it is."""

    type: str
    sequence_number: int
    delta: str
    item_id: str
    output_index: _Index
    content_index: _Index | None = None
    summary_index: _Index | None = None
    logprobs: list[_Logprob] | None = None


_read = msgspec.json.Decoder(_Delta).decode


def _plain(delta: _Delta) -> bool:
    """Whether nothing is missing that its kind has beside the fields of all deltas."""
    kind = delta.type
    if kind in _IN_PART:
        return delta.content_index is not None and (delta.logprobs is not None or kind not in LOGPROBS)
    return kind not in EVENTS or (
        "delta" in EVENTS[kind] and (delta.summary_index is not None or kind not in _IN_SUMMARY)
    )


class ResponsesDecoder(EventDecoder):
    __slots__ = ("_called", "_items", "_next")

    def __init__(self, rendering: Rendering) -> None:
        super().__init__(rendering)
        self._next = 0  # the number of the next event, where the upstream gives none
        self._called = False
        self._items = Items(rendering)

    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        try:
            delta = _read(data)
        except (msgspec.DecodeError, RecursionError):
            self._other(data, pieces)
            return
        if b"\n" in data or delta.sequence_number < self._next or not _plain(delta):
            self._other(data, pieces)
            return
        self._next = delta.sequence_number + 1
        pieces.append(self._delta(data, delta.type, delta.delta))

    def _delta(self, data: bytes, kind: str, text: str) -> Piece:
        """The piece of an event that adds to something."""
        self._begun = True
        size = len(text)
        if kind in _SAID:
            return Piece(data, size > 0, size, text, event=kind.encode())
        called = kind.endswith((".arguments.delta", "_arguments.delta", "_input.delta", "_code.delta"))
        self._called = self._called or called
        return Piece(data, size > 0, size, event=kind.encode(), called=called)

    def _other(self, data: bytes, pieces: list[Piece]) -> None:
        if data.strip() == sse.DONE:
            return  # an end marker ends nothing here: an answer is complete when its last event says so
        doc = self._object(data, pieces)
        if doc is None:
            return
        kind = doc.get("type")
        if not isinstance(kind, str) and doc.get("error") is not None:
            kind = "error"
        if not isinstance(kind, str) or not kind or not kind.isprintable():
            self._skip("an event without a type", pieces)
            return
        if kind == "error":
            self._fail(failure(doc), pieces)
            return
        holds = isinstance(doc.get("response"), dict)
        if not holds and kind in _HOLDERS:
            self._refuse(kind, f"an event {kind} without its response", pieces)
            return
        if holds:
            self._whole(kind, doc, pieces)
            return
        wrong = self._items.event(kind, doc)
        if wrong:
            self._refuse(kind, wrong, pieces)
            return
        self._begun = True
        self._number(doc)
        if isinstance(doc.get("item"), dict):
            self._item(kind, doc, pieces)
        elif isinstance(doc.get("delta"), str):
            pieces.append(self._delta(orjson.dumps(doc), kind, doc["delta"]))
        else:
            pieces.append(Piece(orjson.dumps(doc), event=kind.encode()))

    def _refuse(self, kind: str, wrong: str, pieces: list[Piece]) -> None:
        """Leaves out an event; the stream ends with it where the client could not read what follows."""
        if kind in BEGINNINGS:
            self._fail(Fault("malformed", wrong), pieces)
        else:
            self._skip(wrong, pieces)

    def _item(self, kind: str, doc: dict[str, Any], pieces: list[Piece]) -> None:
        item = doc["item"]
        begins = kind == "response.output_item.added" and item.get("type") not in _QUIET
        self._called = self._called or begins
        name = item.get("name")
        size = len(name) if begins and isinstance(name, str) else 0
        pieces.append(Piece(orjson.dumps(doc), begins, size, event=kind.encode(), called=begins))

    def _whole(self, kind: str, doc: dict[str, Any], pieces: list[Piece]) -> None:
        answer = doc["response"]
        if kind == "response.failed":
            self._fail(failure(answer), pieces)
            return
        if kind == "response.cancelled":
            self._fail(normalise.STOPPED, pieces)
            return
        self._begun = True
        wrong = repair(answer, self._rendering, self._items)
        if wrong:
            self._refuse(kind, f"an event {kind} with {wrong}", pieces)
            return
        self._number(doc)
        if kind not in _ENDS:
            pieces.append(Piece(orjson.dumps(doc), event=kind.encode()))
            return
        self._done = True
        answer["status"] = kind.removeprefix("response.")
        usage = usage_of_responses(answer["usage"])
        finish = finish_of(answer)
        pieces.append(Piece(orjson.dumps(doc), finish_reason=finish, usage=usage, event=kind.encode(), done=True))

    def _number(self, doc: dict[str, Any]) -> None:
        """Numbers go up; an upstream that gives none, or begins anew, is numbered here."""
        given = doc.get("sequence_number")
        number = given if type(given) is int and given >= self._next else self._next
        doc["sequence_number"] = number
        self._next = number + 1
