"""The dialects that clients may speak, by name, where each is spoken, and how one is told by its bytes."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

from llm_inference_router.dialects.base import Dialect, Writer
from llm_inference_router.dialects.chat_writer import Chat
from llm_inference_router.dialects.completions_writer import Completions
from llm_inference_router.dialects.embeddings import Embeddings
from llm_inference_router.dialects.messages_writer import Messages
from llm_inference_router.dialects.responses import Responses, turn_of
from llm_inference_router.types import ChatRequest, Turn
from llm_inference_router.vocabulary import DialectName

SPOKEN: Final[dict[DialectName, Dialect]] = {
    dialect.name: dialect for dialect in (Chat(), Messages(), Responses(), Completions(), Embeddings())
}
PATHS: Final[dict[str, DialectName]] = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "messages",
    "/v1/responses": "responses",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}

Keep: TypeAlias = Callable[[ChatRequest, dict[str, Any] | None, Writer | None], Turn | None]
KEPT: Final[dict[DialectName, Keep]] = {"responses": turn_of}
"""What is kept of an answer, whole or as it was written, for requests that go on from it: dialects that name earlier
answers."""

FORWARDED: Final[dict[DialectName, tuple[bytes, ...]]] = {"messages": (b"anthropic-version", b"anthropic-beta")}
"""Headers of a request that concern an upstream which speaks the same dialect."""
REQUEST_IDS: Final[dict[DialectName, bytes]] = {"messages": b"request-id"}
"""The header in which a dialect's official client looks for the request's id, beside `x-request-id`."""

# What only a Messages body has: fields, and the types of its blocks.
_MESSAGES_FIELDS: Final = frozenset(
    {"system", "stop_sequences", "thinking", "output_config", "output_format", "container", "mcp_servers"}
)
_MESSAGES_BLOCKS: Final = frozenset(
    {
        "image",
        "document",
        "search_result",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "server_tool_use",
    }
)


def spoken_at(path: str) -> Dialect:
    """The dialect in which errors at this path are told."""
    return SPOKEN["messages" if path == "/v1/messages" or path.startswith("/v1/messages/") else "chat"]


def spoken_in(body: bytes) -> Dialect:
    """The dialect of a body whose path does not tell it: Responses by its `input`, Messages where something in it can
    be nothing else, otherwise chat. A body that fits both means the same in both.
    """
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        doc = None
    if not isinstance(doc, dict):
        return SPOKEN["chat"]  # which says what is wrong
    if "input" in doc and "messages" not in doc:
        return SPOKEN["responses"]
    return SPOKEN["messages" if _is_messages(doc) else "chat"]


def _is_messages(doc: dict[str, Any]) -> bool:
    turns, tools = doc.get("messages"), doc.get("tools")
    if not isinstance(turns, list):
        return False
    if any(doc.get(name) is not None for name in _MESSAGES_FIELDS):
        return True
    if isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools):
        return True
    return any(
        isinstance(block, dict) and isinstance(block.get("type"), str) and block["type"] in _MESSAGES_BLOCKS
        for turn in turns
        if isinstance(turn, dict) and isinstance(turn.get("content"), list)
        for block in turn["content"]
    )
