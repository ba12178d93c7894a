"""The dialects that clients may speak, by name, and where each is spoken."""

from typing import Final

from llm_inference_router.dialects.base import Dialect
from llm_inference_router.dialects.chat_writer import Chat
from llm_inference_router.dialects.completions_writer import Completions
from llm_inference_router.dialects.embeddings import Embeddings
from llm_inference_router.types import DialectName

SPOKEN: Final[dict[DialectName, Dialect]] = {dialect.name: dialect for dialect in (Chat(), Completions(), Embeddings())}
PATHS: Final[dict[str, DialectName]] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}
