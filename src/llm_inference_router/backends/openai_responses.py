"""OpenAI's Responses upstream, for clients that speak them: what routing need not change passes as it came.

Changed on the way there: the model; `max_output_tokens` stays within what it can write; what the router recalled of
earlier answers stands in `input`; and reasoning that another provider sealed is left out, since OpenAI would refuse it.
On the way back: the model, seals are tagged with who made them, and what the official client would refuse is made
valid, or a fault where it cannot be.
"""

import re
from typing import Any, Final

import orjson

from llm_inference_router.backends import normalise
from llm_inference_router.backends.base import JSON_HEADERS, Answer, Call, Decoder, Encoded, Rendering, provider_of
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.openai_responses_object import failure, finish_of, generated, repair
from llm_inference_router.backends.openai_responses_shape import Items
from llm_inference_router.backends.openai_responses_stream import ResponsesDecoder
from llm_inference_router.dialects.responses_tools import OWN
from llm_inference_router.dialects.signature import returned
from llm_inference_router.dialects.usage import usage_of_responses
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest, Fault, Model

_OURS: Final = re.compile(r"rs_[0-9a-f]{32}_\d+\Z")  # reasoning that the router wrote down for another model


class OpenAIResponses(OpenAI):
    takes = frozenset({OWN})

    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body = dict(request.source)
        body["model"] = model.upstream_model
        body.pop("previous_response_id", None)
        warnings: list[str] = []
        if isinstance(body.get("input"), list):
            provider = provider_of(model)
            items = [_item(item, provider, warnings) for item in body["input"]]
            body["input"] = [item for item in items if item is not None]
        limit = model.max_output
        if limit is not None and request.max_tokens is not None and request.max_tokens > limit:
            body["max_output_tokens"] = limit
            warnings.append(warning("clamped", "max_output_tokens"))
        if not request.stream:
            body.pop("stream_options", None)
        call = Call("/responses", orjson.dumps(body), JSON_HEADERS, stream=request.stream)
        return Encoded(call, tuple(dict.fromkeys(warnings)))

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.object_of(body)
        if isinstance(doc, Fault):
            return doc
        if doc.get("error") is not None or doc.get("status") == "failed":
            return failure(doc)
        if not isinstance(doc.get("output"), list):
            return Fault("malformed", "it has no output")
        finish = finish_of(doc)
        if finish is None:
            return normalise.STOPPED
        wrong = repair(doc, rendering, Items(rendering))
        if wrong:
            return Fault("malformed", wrong)
        size, text = generated(doc["output"])
        return Answer(doc, finish, usage_of_responses(doc["usage"]), size, text, "responses")

    def decoder(self, rendering: Rendering) -> Decoder:
        return ResponsesDecoder(rendering)


def _item(item: Any, provider: str, warnings: list[str]) -> Any:
    """An item as this provider takes it; None for reasoning that is not its own."""
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return item
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed:
        own = not item.get("content") and not _OURS.match(str(item.get("id")))
        if not own:
            warnings.append(warning("foreign", "reasoning"))
        return item if own else None
    original = returned(sealed, provider)
    if original is None or original.startswith("redacted:"):
        warnings.append(warning("foreign", "encrypted_content"))
        return None
    return {**item, "encrypted_content": original}
