"""OpenAI's dialect upstream: OpenAI itself, vLLM, TGI, Ollama, llama.cpp and whatever else speaks it.

One class for all; what differs is in `quirks.TABLE`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from llm_inference_router.backends import extras, faults, normalise
from llm_inference_router.backends.base import JSON_HEADERS, Answer, Call, Decoder, Encoded, Rendering
from llm_inference_router.backends.openai_stream import OpenAIDecoder
from llm_inference_router.backends.plain import plain
from llm_inference_router.backends.quirks import Quirks, steps
from llm_inference_router.dialects.usage import usage_of_chat
from llm_inference_router.dialects.warning import worded
from llm_inference_router.types import ChatRequest, Fault, Model


class OpenAI:
    def __init__(self, quirks: Quirks) -> None:
        self.quirks = quirks
        self._steps = steps(quirks)

    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body = dict(request.body)
        body["model"] = model.upstream_model
        warnings = extras.strip(body, request, model, self.quirks)
        warnings += [said for step in self._steps if (said := step(self.quirks, body))]
        if request.prefilled and self.quirks.continues:
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        self.ask_usage(body, request.stream)
        call = Call("/chat/completions", orjson.dumps(body), JSON_HEADERS, stream=request.stream)
        return Encoded(call, worded(warnings, request.dialect))

    def ask_usage(self, body: dict[str, Any], stream: bool) -> None:
        """Changes `body` in place."""
        if stream:
            if self.quirks.stream_usage:
                # Always asked for: billing needs it. What the client did not ask for is taken out on the way
                # back.
                options = body.get("stream_options")
                body["stream_options"] = {**options, "include_usage": True} if options else {"include_usage": True}
        elif "stream_options" in body:
            del body["stream_options"]  # refused by several servers where there is no stream

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.answered(body)
        if isinstance(doc, Fault):
            return doc
        fit = plain(doc)
        if fit is not None:
            doc["model"] = rendering.model
            doc["object"] = normalise.WHOLE
            for choice in doc["choices"]:
                choice.setdefault("logprobs", None)
                choice["message"].setdefault("refusal", None)
            return Answer(doc, fit[1], usage_of_chat(doc.get("usage")), fit[0], fit[2])
        raw = doc.get("choices")
        if not isinstance(raw, list) or not raw:
            return Fault("malformed", "it has no choices")
        if normalise.broken_off(raw):
            return normalise.STOPPED
        return _whole(doc, raw, rendering)

    def decoder(self, rendering: Rendering) -> Decoder:
        return OpenAIDecoder(rendering)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        return faults.of_answer(status, headers, body)

    def auth(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {api_key}"),)


def _whole(doc: dict[str, Any], raw: list[Any], rendering: Rendering) -> Answer | Fault:
    normalise.head(doc, rendering, normalise.WHOLE)
    choices = [normalise.choice(item, index) for index, item in enumerate(raw)]
    size = 0
    for item in choices:
        item.setdefault("logprobs", None)
        item["message"] = normalise.message(item.get("message"), rendering, item["index"])
        if item["finish_reason"] is None:
            item["finish_reason"] = "tool_calls" if item["message"].get("tool_calls") else "stop"
        if item["finish_reason"] != "length" and normalise.broken_calls(item["message"]):
            return normalise.BROKEN_CALL
        size += normalise.generated(item["message"])[0]
    doc["choices"] = choices
    return Answer(
        body=doc,
        finish_reason=choices[0]["finish_reason"],
        usage=usage_of_chat(doc.get("usage")),
        text_chars=size,
        text=choices[0]["message"].get("content") or "",
    )
