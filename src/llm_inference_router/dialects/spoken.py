"""The dialects that clients may speak, by name, and where each is spoken."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

from llm_inference_router.dialects.base import Dialect, Writer
from llm_inference_router.dialects.chat_writer import Chat
from llm_inference_router.dialects.completions_writer import Completions
from llm_inference_router.dialects.embeddings import Embeddings
from llm_inference_router.dialects.responses import Responses, turn_of
from llm_inference_router.types import ChatRequest, DialectName, Turn

SPOKEN: Final[dict[DialectName, Dialect]] = {
    dialect.name: dialect for dialect in (Chat(), Responses(), Completions(), Embeddings())
}
PATHS: Final[dict[str, DialectName]] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}

Keep: TypeAlias = Callable[[ChatRequest, dict[str, Any] | None, Writer | None], Turn | None]
KEPT: Final[dict[DialectName, Keep]] = {"responses": turn_of}
"""What is kept of an answer, whole or as it was written, for requests that go on from it: dialects that name earlier
answers."""


def parse(body: bytes) -> ChatRequest:
    """A request of any dialect, known by its fields. Raises InvalidRequest."""
    return SPOKEN[_dialect(body)].parse(body)


def _dialect(body: bytes) -> DialectName:
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "chat"  # which says what is wrong
    if isinstance(doc, dict) and "input" in doc and "messages" not in doc:
        return "responses"
    return "chat"
