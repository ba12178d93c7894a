"""The relay of /v1/completions, for servers that have it: requests as they came, answers made valid.

A valid answer keeps all its fields. What the official client's types would refuse is repaired: foreign finish reasons,
missing ids, indexes and texts, log probabilities of another shape.
"""

from typing import Any

import orjson

from llm_inference_router.backends import faults, normalise
from llm_inference_router.backends.base import Answer, Call, Encoded, Rendering
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.dialects import sse
from llm_inference_router.dialects.completions import DEFAULT_MAX_TOKENS
from llm_inference_router.dialects.completions_writer import KIND, cmpl, finish_word
from llm_inference_router.types import ChatRequest, Fault, Model, Piece

_HEADERS = (("content-type", "application/json"),)
_LISTS = ("text_offset", "token_logprobs", "tokens", "top_logprobs")


class Completions(OpenAI):
    @property
    def takes(self) -> frozenset[str]:
        return self.quirks.completions or frozenset()

    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body = {**request.source, "model": model.upstream_model}
        if body.get("max_tokens") is None:
            body["max_tokens"] = DEFAULT_MAX_TOKENS
        warnings = self.quirks.rewrite_prompt(body)
        self.ask_usage(body, request.stream)
        return Encoded(Call("/completions", orjson.dumps(body), _HEADERS, stream=request.stream), tuple(warnings))

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        try:
            doc = normalise.load(body)
        except ValueError as error:
            return Fault("malformed", str(error))
        if not isinstance(doc, dict):
            return Fault("malformed", "not a JSON object")
        if doc.get("error") is not None:
            return faults.in_stream(body)
        if not isinstance(doc.get("choices"), list) or not doc["choices"]:
            return Fault("malformed", "it has no choices")
        if _broken_off(doc):
            return Fault("truncated", "the upstream stopped the answer before its end")
        choices = _repaired(doc, rendering)
        for one in choices:
            one["finish_reason"] = one["finish_reason"] or "stop"
        return Answer(
            body=doc,
            finish_reason=choices[0]["finish_reason"],
            usage=normalise.usage(doc.get("usage")),
            text_chars=sum(len(one["text"]) for one in choices),
            text=choices[0]["text"],
            dialect="completions",
        )

    def decoder(self, rendering: Rendering) -> "CompletionsDecoder":  # type: ignore[override]
        return CompletionsDecoder(rendering)


class CompletionsDecoder:
    """Streams of /v1/completions, each chunk valid for the official client."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._parser = sse.Parser()
        self._events = 0
        self._done = False
        self._open: set[int] = set()  # choices that have begun and not finished
        self._seen: set[int] = set()
        self._withheld: str | None = None  # a finish reason while choices were missing

    def feed(self, data: bytes) -> list[Piece]:
        return [piece for name, event in self._parser.feed(data) for piece in self._event(name, event)]

    def close(self) -> list[Piece]:
        pieces = [piece for name, event in self._parser.close() for piece in self._event(name, event)]
        if self._done or pieces:
            return pieces
        if not self._events:
            return [Piece(fault=Fault("malformed", "the upstream's answer holds no event"), done=True)]
        if self._withheld is not None and not self._open:
            return [Piece(finish_reason=self._withheld)]  # fewer choices than were asked for, and those are whole
        return []

    def _event(self, name: bytes, data: bytes) -> list[Piece]:
        if self._done or not data.strip():
            return []
        if name is sse.MALFORMED or name is sse.BROKEN:
            self._done = name is sse.BROKEN
            return [Piece(fault=Fault("malformed", data.decode()), done=self._done)]
        if name == b"error":
            return self._fault(faults.in_stream(data))
        if data.strip() == sse.DONE:
            return self._finish()
        try:
            doc = normalise.load(data)
        except ValueError as error:
            return [Piece(fault=Fault("malformed", f"an event that is {error}"))]
        if isinstance(doc, dict) and doc.get("error") is not None:
            return self._fault(faults.in_stream(data))
        if not isinstance(doc, dict) or not isinstance(doc.get("choices"), list):
            return [Piece(fault=Fault("malformed", "an event that is no chunk"))]
        if _broken_off(doc):
            return self._fault(Fault("truncated", "the upstream stopped the answer before its end"))
        return [self._chunk(doc)]

    def _chunk(self, doc: dict[str, Any]) -> Piece:
        self._events += 1
        choices = _repaired(doc, self._rendering)
        usage = normalise.usage(doc.get("usage"))
        if not self._rendering.include_usage:
            doc.pop("usage", None)
        finish = None
        for one in choices:
            self._seen.add(one["index"])
            if one["finish_reason"] is None:
                self._open.add(one["index"])
            else:
                self._open.discard(one["index"])
                finish = one["finish_reason"]
        text = "".join(one["text"] for one in choices)
        silent = not choices and (usage is None or not self._rendering.include_usage)
        chunk = None if silent else orjson.dumps(doc)
        return Piece(chunk, bool(text), len(text), text, self._finished(finish), usage)

    def _finished(self, reason: str | None) -> str | None:
        """The stream's finish reason: that of its last choice, once all that were asked for have finished."""
        if reason is not None and (self._open or len(self._seen) < self._rendering.choices):
            self._withheld = reason
            return None
        if reason is not None:
            self._withheld = None
        return reason

    def _fault(self, fault: Fault) -> list[Piece]:
        self._done = True
        return [Piece(fault=fault, done=True)]

    def _finish(self) -> list[Piece]:
        """The end marker. A choice that never named its finish reason is given one: the upstream says it is whole."""
        self._done = True
        if not self._events:
            return [Piece(fault=Fault("malformed", "the upstream's answer holds no chunk"), done=True)]
        ends = [{"index": index, "text": "", "finish_reason": "stop"} for index in sorted(self._open)]
        if not ends:
            return [Piece(done=True)]
        doc: dict[str, Any] = {"choices": ends}
        _repaired(doc, self._rendering)
        return [Piece(orjson.dumps(doc), finish_reason="stop"), Piece(done=True)]


def _broken_off(doc: dict[str, Any]) -> bool:
    reasons = [one.get("finish_reason") for one in doc["choices"] if isinstance(one, dict)]
    return any(isinstance(reason, str) and reason.lower() in normalise.BROKEN_OFF for reason in reasons)


def _repaired(doc: dict[str, Any], rendering: Rendering) -> list[dict[str, Any]]:
    """Changes an answer or a chunk in place; gives its choices."""
    normalise.head(doc, rendering, KIND)
    if doc["id"] == rendering.id:
        doc["id"] = cmpl(rendering.id)
    choices: list[dict[str, Any]] = []
    for number, raw in enumerate(doc["choices"]):
        one: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if type(one.get("index")) is not int:
            one["index"] = number
        if not isinstance(one.get("text"), str):
            one["text"] = ""
        one["finish_reason"] = finish_word(normalise.finish_word(one.get("finish_reason")))
        if "logprobs" in one and not _is_logprobs(one["logprobs"]):
            one["logprobs"] = None
        choices.append(one)
    doc["choices"] = choices
    return choices


def _is_logprobs(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict) and all(isinstance(value.get(name), list | None) for name in _LISTS)
    )
