"""What tests of Anthropic's backend share: chat requests as it encodes them, messages and events as it reads them."""

import json
from itertools import pairwise
from typing import Any

import orjson
from anthropic.types import MessageParam, ToolChoiceParam, ToolUnionParam
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from pydantic import TypeAdapter

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.dialects.chat import parse
from tests.backends import wire

anthropic = Anthropic()
NEW, LATE, MIDDLE, EARLY = "claude-opus-5-5", "claude-sonnet-5", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
SECOND = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}
CUSTOM = {"type": "custom", "custom": {"name": "sql", "description": "Runs a query."}}
WEB = {
    "type": "web_search_result_location",
    "url": "https://example.com/a",
    "title": "A",
    "cited_text": "c",
    "encrypted_index": "e",
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_WHOLE_PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
_STREAM_PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsStreaming)
_PARTS: dict[str, TypeAdapter[Any]] = {
    "messages": TypeAdapter(list[MessageParam]),
    "tools": TypeAdapter(list[ToolUnionParam]),
    "tool_choice": TypeAdapter(ToolChoiceParam),
}


def judge(body: dict[str, Any]) -> None:
    adapter = _STREAM_PARAMS if body.get("stream") else _WHOLE_PARAMS
    adapter.validate_python(body)
    for name, part in _PARTS.items():
        if name in body:
            part.validate_python(body[name])
    turns = body["messages"]
    assert turns[0]["role"] == "user"
    assert all(a["role"] != b["role"] for a, b in pairwise(turns))
    for turn in turns:
        blocks = turn["content"]
        assert blocks
        for block in blocks if isinstance(blocks, list) else [{"type": "text", "text": blocks}]:
            assert block["type"] != "text" or block["text"].strip()


def encoded(model: str, /, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for this upstream model, judged by the official client's types."""
    max_output = fields.pop("max_output", None)
    raw = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **fields}
    upstream = wire.model("anthropic", max_output=max_output, upstream_model=model)
    made = anthropic.encode(parse(orjson.dumps(raw)), upstream)
    body = orjson.loads(made.call.body)
    judge(body)
    return body, made.warnings


def answered(doc: dict[str, Any], *custom_tools: str) -> dict[str, Any]:
    """The chat.completion for a message, judged by the official client's types."""
    body = {"id": "msg_1", "type": "message", "role": "assistant", "usage": {"input_tokens": 1, "output_tokens": 1}}
    given = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, custom_tools=frozenset(custom_tools))
    answer = anthropic.answer(json.dumps(body | doc).encode(), given)
    assert isinstance(answer, Answer)
    wire.completion(answer.body)
    return answer.body


def streamed(*docs: dict[str, Any], custom_tools: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The chunks of a stream of these events after a message_start, as the client gets them."""
    start = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}}
    given = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, custom_tools=frozenset(custom_tools))
    decoder = anthropic.decoder(given)
    data = b"".join(b"data: " + json.dumps(doc).encode() + b"\n\n" for doc in (start, *docs, {"type": "message_stop"}))
    assembly, sent = wire.assembled([*decoder.feed(data), *decoder.close()])
    assert assembly.complete
    return [orjson.loads(line[6:]) for line in sent.split(b"\n\n")[:-2]]


def started(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def said(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stopped(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finished(reason: str, **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": {"output_tokens": 9}}
