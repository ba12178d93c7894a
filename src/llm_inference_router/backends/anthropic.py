"""Anthropic's Messages upstream, as OpenAI's chat: requests translated there, answers back."""

from collections.abc import Iterable, Iterator, Mapping
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
        said = list(_deltas((block for block in blocks if isinstance(block, dict)), rendering))
        message = _message(said)
        refused = anthropic_extras.refusal(doc.get("stop_reason"), doc.get("stop_details"))
        if refused is not None:
            message["refusal"] = refused
            said.append({"refusal": refused})
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
        size, text = normalise.generated(message)[0], message["content"] or ""
        return Answer(result, reason, usage, size, text, said=tuple(said))

    def decoder(self, rendering: Rendering) -> Decoder:
        return AnthropicDecoder(rendering)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        return faults.of_answer(status, headers, body)

    def auth(self, api_key: str) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", api_key),)


def _deltas(blocks: Iterable[Mapping[str, Any]], rendering: Rendering) -> Iterator[dict[str, Any]]:
    """What each block says, in the fields of a chat message; of a call its number too."""
    at, calls = 0, 0
    for block in blocks:
        kind = block.get("type")
        if kind == "text" and isinstance(block.get("text"), str):
            end = at + len(block["text"])
            yield {"content": block["text"]} | anthropic_extras.cited(block.get("citations"), at, end)
            at = end
        elif kind == "thinking" and isinstance(block.get("thinking"), str):
            delta: dict[str, Any] = {"reasoning_content": block["thinking"]}
            signature = block.get("signature")
            if isinstance(signature, str) and signature:
                mark = tag(signature, rendering.provider)
                delta["thinking_blocks"] = [{"type": kind, "thinking": block["thinking"], "signature": mark}]
            yield delta
        elif kind == "redacted_thinking" and isinstance(block.get("data"), str):
            yield {"thinking_blocks": [{"type": kind, "data": tag(block["data"], rendering.provider)}]}
        elif kind == "tool_use" and isinstance(block.get("name"), str):
            name = str(block.get("id") or rendering.call_id(0, calls))
            yield {"tool_calls": [{"index": calls, **_call(block, name, rendering.custom_tools)}]}
            calls += 1
        # server tools and their results have no counterpart and concern only the upstream


def _message(said: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that deltas amount to."""
    texts: list[str] = []
    thoughts: list[str] = []
    lists: dict[str, list[Any]] = {"citations": [], "annotations": [], "thinking_blocks": [], "tool_calls": []}
    for delta in said:
        if "content" in delta:
            texts.append(delta["content"])
        thoughts.append(delta.get("reasoning_content", ""))
        for name, found in lists.items():
            found += delta.get(name, ())
    lists["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in lists["tool_calls"]]
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if texts or not lists["tool_calls"]:
        message["content"] = "".join(texts)
    message["refusal"] = None
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    return message | {name: found for name, found in lists.items() if found}


def _spell_inputs(blocks: list[Any], body: bytes) -> None:
    """Adds the spelling of every tool's input to its block: parsing has rounded numbers of more than 64 bits."""
    if not any(isinstance(block, dict) and block.get("type") == "tool_use" for block in blocks):
        return
    for block, raw in zip(blocks, _read(body).content, strict=False):
        if isinstance(block, dict) and block.get("input"):
            block[_SPELT] = bytes(_read_block(raw).input).decode()


def _call(block: Mapping[str, Any], name: str, custom_tools: frozenset[str]) -> dict[str, Any]:
    given = block.get("input") or {}
    if block["name"] in custom_tools:
        custom = {"name": block["name"], "input": anthropic_extras.free_text(given)}
        return {"id": name, "type": "custom", "custom": custom}
    function = {"name": block["name"], "arguments": block.get(_SPELT) or orjson.dumps(given).decode()}
    return {"id": name, "type": "function", "function": function}
