"""OpenAI's Embeddings. Chat has nothing of the kind: a request goes to a server that embeds, as it is, or to none."""

from typing import Any, Final, NoReturn

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.base import Head, Said
from llm_inference_router.dialects.completions import prompts
from llm_inference_router.dialects.fault import Rendered, render
from llm_inference_router.dialects.invalid import empty, invalid_type, invalid_value
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import DialectName

EMBED: Final = "embedding requests"  # the word of `ChatRequest.own`
FORMATS: Final = ("float", "base64")


def parse(body: bytes) -> ChatRequest:
    """Raises InvalidRequest, and nothing else."""
    doc = chat.load(body)
    model = chat.model_name(doc)
    chat.refuse_foreign(doc)
    texts, tokens = prompts(doc, "input", set())
    for index, text in enumerate(texts):
        if not text:
            raise empty("input" if type(doc["input"]) is str else f"input[{index}]", "string", "a text")
    kind = doc.get("encoding_format")
    if kind is not None and type(kind) is not str:
        raise invalid_type("encoding_format", "a string", kind)
    if kind is not None and kind not in FORMATS:
        raise invalid_value("encoding_format", kind, "'float' and 'base64'")
    chat.positive(doc, "dimensions")
    return ChatRequest(
        model=model,
        messages=(Message("user", "\n".join(texts)),),
        body=doc,
        choices=len(texts) + len(tokens),
        needs=frozenset({"embeddings"}),
        dialect="embeddings",
        source=doc,
        own=frozenset({EMBED}),
        tokens=sum(tokens),
    )


class Embeddings:
    name: DialectName = "embeddings"

    def parse(self, body: bytes) -> ChatRequest:
        return parse(body)

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> NoReturn:
        raise AssertionError("no chat answer is an answer to a request for embeddings: routing leaves those models out")

    def writer(self, request: ChatRequest, head: Head) -> NoReturn:
        raise AssertionError("embeddings are never streamed")

    def error(self, error: RouterError, request_id: str) -> Rendered:
        return render(error, request_id)
