"""What a stream of OpenAI's own Responses events has come to, so that a stream that broke can be ended, or go on."""

from typing import Any

from llm_inference_router.dialects.responses_items import Items


class Relayed:
    """Takes the events of one stream in order."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None  # the response object, as it was told last
        self.next = 0  # the sequence number that follows
        self._output: list[dict[str, Any]] = []
        self._open = -1
        self._texts: list[str] | None = None  # of the part that is not closed
        self._certain = True  # all of it is known, and nothing but text may be underway

    def take(self, event: dict[str, Any]) -> None:
        number = event.get("sequence_number")
        self.next = number + 1 if type(number) is int else self.next + 1
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

    def _add(self, event: dict[str, Any], place: Any) -> None:
        item = event.get("item")
        if self._open >= 0 or place != len(self._output) or not isinstance(item, dict) or item.get("type") != "message":
            self._certain = False
            return
        self._output.append({**item, "content": []})
        self._open = place

    def _done(self, event: dict[str, Any], place: Any) -> None:
        item = event.get("item")
        if place == self._open and self._open >= 0 and isinstance(item, dict):
            self._output[place] = item
            self._open = -1
            self._texts = None
        else:
            self._certain = False
