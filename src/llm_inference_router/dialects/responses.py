"""OpenAI's Responses as a client's dialect: requests in, answers, streams and errors out."""

from itertools import chain
from typing import Any, Final

import orjson

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.base import Head, Said, Writer
from llm_inference_router.dialects.custom import custom_names
from llm_inference_router.dialects.fault import Rendered, render
from llm_inference_router.dialects.responses_items import Items
from llm_inference_router.dialects.responses_object import response, status_of
from llm_inference_router.dialects.responses_request import items, read
from llm_inference_router.dialects.responses_writer import ResponsesWriter
from llm_inference_router.dialects.usage import usage_as_responses, usage_of_chat
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Turn
from llm_inference_router.vocabulary import DialectName

_APART: Final = frozenset({"output", "router"})  # kept beside the object; told of one request alone


class Responses:
    name: DialectName = "responses"

    def parse(self, body: bytes) -> ChatRequest:
        return read(chat.load(body))

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> dict[str, Any]:
        choice = completion["choices"][0]
        finish = choice["finish_reason"]
        status, output = status_of(finish), Items(head.id, custom_names(request.body))
        spoken = map(output.delta, said) if said else [output.message(choice["message"], choice.get("logprobs"))]
        for _ in chain.from_iterable((*spoken, output.close(status))):
            pass
        used, tier = usage_of_chat(completion.get("usage")), completion.get("service_tier")
        usage = usage_as_responses(used) if used is not None else None
        return response(request, _named(head), output.output, status, finish=finish, usage=usage, tier=tier)

    def writer(self, request: ChatRequest, head: Head) -> ResponsesWriter:
        return ResponsesWriter(request, _named(head))

    def error(self, error: RouterError, request_id: str) -> Rendered:
        return render(error, request_id)


def turn(request: ChatRequest, answer: Any) -> Turn | None:
    """What has to be kept of an answer, a response object, so that a later request can go on from it; None where the
    client asked to keep nothing.
    """
    if request.source.get("store") is False or not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        return None
    asked = items((request.asked or request).source)
    return Turn(
        id=answer["id"],
        previous=request.source.get("previous_response_id") or "",
        input=orjson.dumps(asked).decode(),
        output=orjson.dumps(answer.get("output") or []).decode(),
        answer=orjson.dumps({name: value for name, value in answer.items() if name not in _APART}).decode(),
    )


def turn_of(request: ChatRequest, whole: dict[str, Any] | None, writer: Writer | None) -> Turn | None:
    """The same of a whole answer, or of what a writer has written."""
    return turn(request, writer.answer if isinstance(writer, ResponsesWriter) else whole)


def _named(head: Head) -> Head:
    return Head("resp_" + head.id, head.created, head.model, head.prompt_tokens)
