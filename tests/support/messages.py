"""Requests of Anthropic's dialect, for tests that read them."""

from typing import Any

import orjson

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.messages import parse
from llm_inference_router.types import ChatRequest

HI = {"role": "user", "content": "hi"}
CACHED = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def parsed(*messages: Any, **fields: Any) -> ChatRequest:
    doc = {"model": "auto", "max_tokens": 100, "messages": list(messages) or [HI], **fields}
    request = parse(orjson.dumps(doc))
    assert request.source == doc
    assert request.dialect == "messages"
    chat.parse(orjson.dumps(request.body))  # what backends encode from is chat
    return request


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}
