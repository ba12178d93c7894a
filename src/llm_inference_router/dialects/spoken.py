"""The dialects that clients may speak, by name, and where each is spoken."""

from typing import Final

from llm_inference_router.dialects.base import Dialect
from llm_inference_router.dialects.chat_writer import Chat
from llm_inference_router.types import DialectName

SPOKEN: Final[dict[DialectName, Dialect]] = {dialect.name: dialect for dialect in (Chat(),)}
PATHS: Final[dict[str, DialectName]] = {"/v1/chat/completions": "chat"}
