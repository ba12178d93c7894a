"""The relay of /v1/completions, for servers that have it: requests as they came, answers made valid.

A valid answer keeps all its fields. What the official client's types would refuse is repaired: foreign finish reasons,
missing ids, indexes and texts, log probabilities of another shape.
"""

from typing import Any

import orjson

from llm_inference_router.backends import faults, normalise
from llm_inference_router.backends.base import JSON_HEADERS, Answer, Call, Decoder, Encoded, Rendering
from llm_inference_router.backends.decoder import ChoiceDecoder
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.dialects import sse
from llm_inference_router.dialects.completions import DEFAULT_MAX_TOKENS
from llm_inference_router.dialects.completions_writer import KIND, cmpl, finish_word
from llm_inference_router.dialects.usage import usage_of_chat
from llm_inference_router.types import ChatRequest, Fault, Model, Piece

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
        return Encoded(Call("/completions", orjson.dumps(body), JSON_HEADERS, stream=request.stream), tuple(warnings))

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.answered(body)
        if isinstance(doc, Fault):
            return doc
        if not isinstance(doc.get("choices"), list) or not doc["choices"]:
            return Fault("malformed", "it has no choices")
        if normalise.broken_off(doc["choices"]):
            return normalise.STOPPED
        choices = _repaired(doc, rendering)
        for one in choices:
            one["finish_reason"] = one["finish_reason"] or "stop"
        return Answer(
            body=doc,
            finish_reason=choices[0]["finish_reason"],
            usage=usage_of_chat(doc.get("usage")),
            text_chars=sum(len(one["text"]) for one in choices),
            text=choices[0]["text"],
            dialect="completions",
        )

    def decoder(self, rendering: Rendering) -> Decoder:
        return CompletionsDecoder(rendering)


class CompletionsDecoder(ChoiceDecoder):
    """Streams of /v1/completions, each chunk valid for the official client."""

    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        if name == b"error":
            self._fail(faults.inside(data), pieces)
            return
        if data.strip() == sse.DONE:
            self._finish(pieces)
            return
        doc = self._chunk(data, pieces)
        if doc is not None:
            pieces.append(self._piece(doc))

    def _piece(self, doc: dict[str, Any]) -> Piece:
        choices = _repaired(doc, self._rendering)
        usage = usage_of_chat(doc.get("usage"))
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

    def _finish(self, pieces: list[Piece]) -> None:
        """The end marker. A choice that never named its finish reason is given one: the upstream says it is whole."""
        self._done = True
        if not self._begun:
            self._fail(Fault("malformed", "the upstream's answer holds no chunk"), pieces)
            return
        if self._open:
            ends = [{"index": index, "text": "", "finish_reason": "stop"} for index in sorted(self._open)]
            doc: dict[str, Any] = {"choices": ends}
            _repaired(doc, self._rendering)
            pieces.append(Piece(orjson.dumps(doc), finish_reason="stop"))
        pieces.append(Piece(done=True))


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
        if not _is_logprobs(one.setdefault("logprobs", None)):
            one["logprobs"] = None
        choices.append(one)
    doc["choices"] = choices
    return choices


def _is_logprobs(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict) and all(isinstance(value.get(name), list | None) for name in _LISTS)
    )
