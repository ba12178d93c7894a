"""Anthropic's Messages upstream, as OpenAI's chat: requests translated there, answers back."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from llm_inference_router.backends import anthropic_extras, anthropic_request, faults, normalise
from llm_inference_router.backends.anthropic_stream import AnthropicDecoder, finish_reason
from llm_inference_router.backends.base import JSON_HEADERS, Answer, Call, Decoder, Encoded, Rendering
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.usage import usage_as_chat, usage_of_messages
from llm_inference_router.types import ChatRequest, Fault, Model

VERSION: Final = "2023-06-01"
_SPELT: Final = " input"  # no name that the API could use
HEADERS: Final = (*JSON_HEADERS, ("anthropic-version", VERSION))


class _Spelling(msgspec.Struct):
    content: list[msgspec.Raw]


class _BlockSpelling(msgspec.Struct):
    input: msgspec.Raw


_read = msgspec.json.Decoder(_Spelling).decode
_read_block = msgspec.json.Decoder(_BlockSpelling).decode


class Anthropic:
    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body, warnings = anthropic_request.encode(request, model)
        return Encoded(Call("/messages", orjson.dumps(body), HEADERS, stream=request.stream), warnings)

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.answered(body)
        if isinstance(doc, Fault):
            return doc
        blocks = doc.get("content")
        if not isinstance(blocks, list):
            return Fault("malformed", "it has no content")
        _spell_inputs(blocks, body)
        message = _message([block for block in blocks if isinstance(block, dict)], rendering)
        message["refusal"] = anthropic_extras.refusal(doc.get("stop_reason"), doc.get("stop_details"))
        reason = finish_reason(doc.get("stop_reason")) or ("tool_calls" if message.get("tool_calls") else "stop")
        usage = usage_of_messages(doc.get("usage"))
        result: dict[str, Any] = {
            "id": doc["id"] if isinstance(doc.get("id"), str) and doc["id"] else rendering.id,
            "object": "chat.completion",
            "created": rendering.created,
            "model": rendering.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        }
        if isinstance(doc.get("stop_sequence"), str):
            result["choices"][0]["stop_reason"] = doc["stop_sequence"]
        if (tier := anthropic_extras.tier(doc.get("usage"))) is not None:
            result["service_tier"] = tier
        if usage is not None:
            result["usage"] = usage_as_chat(usage)
        return Answer(result, reason, usage, normalise.generated(message)[0], message["content"] or "")

    def decoder(self, rendering: Rendering) -> Decoder:
        return AnthropicDecoder(rendering)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        return faults.of_answer(status, headers, body)

    def auth(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", api_key),)


def _message(blocks: list[dict[str, Any]], rendering: Rendering) -> dict[str, Any]:
    texts: list[dict[str, Any]] = []
    signed: list[dict[str, Any]] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "text" and isinstance(block.get("text"), str):
            texts.append(block)
        elif kind == "thinking" and isinstance(block.get("thinking"), str):
            thoughts.append(block["thinking"])
            signature = block.get("signature")
            if isinstance(signature, str) and signature:
                mark = tag(signature, rendering.provider)
                signed.append({"type": kind, "thinking": block["thinking"], "signature": mark})
        elif kind == "redacted_thinking" and isinstance(block.get("data"), str):
            signed.append({"type": kind, "data": tag(block["data"], rendering.provider)})
        elif kind == "tool_use" and isinstance(block.get("name"), str):
            calls.append(_call(block, str(block.get("id") or rendering.call_id(0, len(calls))), rendering.custom_tools))
        # server tools and their results have no counterpart and concern only the upstream
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if texts or not calls:
        message["content"] = "".join(block["text"] for block in texts)
    message["refusal"] = None
    anthropic_extras.cite(texts, message)
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if signed:
        message["thinking_blocks"] = signed
    if calls:
        message["tool_calls"] = calls
    return message


def _spell_inputs(blocks: list[Any], body: bytes) -> None:
    """Adds the spelling of every tool's input to its block: parsing has rounded numbers of more than 64 bits."""
    if not any(isinstance(block, dict) and block.get("type") == "tool_use" for block in blocks):
        return
    for block, raw in zip(blocks, _read(body).content, strict=False):
        if isinstance(block, dict) and block.get("input"):
            block[_SPELT] = bytes(_read_block(raw).input).decode()


def _call(block: dict[str, Any], name: str, custom_tools: frozenset[str]) -> dict[str, Any]:
    given = block.get("input") or {}
    if block["name"] in custom_tools:
        custom = {"name": block["name"], "input": anthropic_extras.free_text(given)}
        return {"id": name, "type": "custom", "custom": custom}
    function = {"name": block["name"], "arguments": block.get(_SPELT) or orjson.dumps(given).decode()}
    return {"id": name, "type": "function", "function": function}
