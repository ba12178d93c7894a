"""What a stream of OpenAI's own Responses events has come to, so that a stream that broke can be ended, or go on."""

from typing import Any

import orjson

from llm_inference_router.dialects.responses_items import Items


class Relayed:
    """Takes the events of one stream in order."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None  # the response object, as it was told last
        self._next = 0
        self._last = b""  # the newest event, where its number was not read
        self._output: list[dict[str, Any]] = []
        self._open = -1
        self._mark = b""  # how an event says that it belongs to what is open; within a string its quotes are escaped
        self._texts: list[str] | None = None  # of the part that is not closed
        self._certain = True  # all of it is known, and nothing but text may be underway

    @property
    def next(self) -> int:
        """The sequence number that follows."""
        if self._last:
            self._count(orjson.loads(self._last))
        return self._next

    def says(self, data: bytes, text: str) -> bool:
        """Takes a delta of text whose bytes show that it belongs to the open part: nearly all events are such, and
        need not be read. False, and nothing is taken, for any other.
        """
        if self._texts is None or self._mark not in data:
            return False
        self._texts.append(text)
        self._last = data
        return True

    def take(self, event: dict[str, Any]) -> None:
        self._count(event)
        kind, place = event.get("type"), event.get("output_index")
        if isinstance(event.get("response"), dict):
            self.answer = event["response"]
        elif kind == "response.output_item.added":
            self._add(event, place)
        elif kind == "response.output_item.done":
            self._done(event, place)
        elif place != self._open or self._open < 0:
            self._certain = False
        elif kind == "response.content_part.added":
            self._texts = []
            self._certain = self._certain and (event.get("part") or {}).get("type") == "output_text"
        elif kind == "response.output_text.delta" and self._texts is not None:
            self._texts.append(event["delta"])
        elif kind == "response.content_part.done":
            self._output[self._open]["content"].append(event.get("part"))
            self._texts = None
        elif kind != "response.output_text.done":
            self._certain = False

    @property
    def resumable(self) -> bool:
        """Whether a message is being said and nothing else is underway: more text can be added to it."""
        return self._certain and self.answer is not None

    def items(self, stem: str) -> Items:
        said = None if self._texts is None else "".join(self._texts)
        return Items.opened(stem, self._output, self._open, said)

    def _count(self, event: dict[str, Any]) -> None:
        number = event.get("sequence_number")
        self._next = number + 1 if type(number) is int else self._next + 1
        self._last = b""

    def _add(self, event: dict[str, Any], place: Any) -> None:
        item = event.get("item")
        if self._open >= 0 or place != len(self._output) or not isinstance(item, dict) or item.get("type") != "message":
            self._certain = False
            return
        self._output.append({**item, "content": []})
        self._open = place
        self._mark = b'"output_index":%d,' % place

    def _done(self, event: dict[str, Any], place: Any) -> None:
        item = event.get("item")
        if place == self._open and self._open >= 0 and isinstance(item, dict):
            self._output[place] = item
            self._open = -1
            self._texts = None
        else:
            self._certain = False
