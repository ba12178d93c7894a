"""What all decoders have in common, whatever dialect they read: events come in, some of them broken, some empty.

A decoder of a dialect says what an event means, and nothing else.
"""

from abc import ABC, abstractmethod
from typing import Any

from llm_inference_router.backends import faults, normalise
from llm_inference_router.backends.base import Rendering
from llm_inference_router.dialects.sse import BROKEN, END, MALFORMED, Parser
from llm_inference_router.types import Fault, Piece


class EventDecoder(ABC):
    """`_event` is called for every event that can be read, until one has ended the stream. It sets `_begun` once the
    upstream has said anything of an answer.
    """

    __slots__ = ("_begun", "_done", "_parser", "_rendering")

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._parser = Parser()
        self._begun = False
        self._done = False  # nothing that follows counts

    def feed(self, data: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        for name, event in self._parser.feed(data):
            if self._done:
                break
            if name is MALFORMED:
                self._skip(event.decode(), pieces)
            elif name is BROKEN:
                self._fail(Fault("malformed", event.decode()), pieces)
            elif event and not event.isspace():  # or it only keeps the connection open
                self._event(name, event, pieces)
        return pieces

    def close(self) -> list[Piece]:
        pieces = self.feed(END)
        if not (self._done or self._begun or pieces):
            self._fail(Fault("malformed", "the upstream's answer holds no event"), pieces)
        return pieces

    @abstractmethod
    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        """Adds the pieces of one event. `data` is UTF-8, and more than white space."""

    def _object(self, data: bytes, pieces: list[Piece]) -> dict[str, Any] | None:
        """An event's JSON object; None, and the event is left out, where it holds none."""
        try:
            doc = normalise.load(data)
        except ValueError as error:
            self._skip(f"an event that is {error}", pieces)
            return None
        if not isinstance(doc, dict):
            self._skip("an event that is no JSON object", pieces)
            return None
        return doc

    def _skip(self, reason: str, pieces: list[Piece]) -> None:
        """Leaves out an event that cannot be read; the stream goes on."""
        pieces.append(Piece(fault=Fault("malformed", reason)))

    def _fail(self, fault: Fault, pieces: list[Piece]) -> None:
        """Ends the stream."""
        self._done = True
        pieces.append(Piece(fault=fault, done=True))


class ChoiceDecoder(EventDecoder):
    """Of dialects whose answers are choices beside each other: an answer has finished when all that were asked for
    have.
    """

    __slots__ = ("_open", "_seen", "_withheld")

    def __init__(self, rendering: Rendering) -> None:
        super().__init__(rendering)
        self._open: set[int] = set()  # choices that have begun and not finished
        self._seen: set[int] = set()  # choices that have begun
        self._withheld: str | None = None  # a finish reason while choices were missing

    def close(self) -> list[Piece]:
        pieces = super().close()
        if not self._done and self._withheld is not None and not self._open:
            # The server gave fewer choices than were asked for (several ignore `n`), and those are whole.
            pieces.append(Piece(finish_reason=self._withheld))
        return pieces

    def _chunk(self, data: bytes, pieces: list[Piece]) -> dict[str, Any] | None:
        """An event's JSON object with a list of choices; None where it is something else, and all has been said."""
        doc = self._object(data, pieces)
        if doc is None:
            return None
        if faults.is_error(doc):
            self._fail(faults.inside(data), pieces)
        elif not isinstance(doc.get("choices"), list):
            self._skip("an event that is no chunk", pieces)
        elif normalise.broken_off(doc["choices"]):
            self._fail(normalise.STOPPED, pieces)
        else:
            self._begun = True
            return doc
        return None

    def _finished(self, reason: str | None) -> str | None:
        """The stream's finish reason, when a chunk has brought this one."""
        if reason is None:
            return None
        if self._open or len(self._seen) < self._rendering.choices:
            self._withheld = reason
            return None
        self._withheld = None
        return reason
