"""Messages to an upstream that speaks Messages: the client's own JSON, with what routing has to change.

Its model is ours to name. `max_tokens` stays within what the model can write. Beyond that only what other models have
left in the conversation is changed: their reasoning is left out, and ids, names and empty texts that Anthropic would
refuse are mended; and what this Claude refuses though others take it (`anthropic_refused`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from llm_inference_router.backends import anthropic_refused, anthropic_thinking, normalise
from llm_inference_router.backends.anthropic import HEADERS, Anthropic
from llm_inference_router.backends.anthropic_ids import Ids, call_id
from llm_inference_router.backends.anthropic_relay_message import message
from llm_inference_router.backends.anthropic_relay_stream import RelayDecoder
from llm_inference_router.backends.base import Answer, Call, Decoder, Encoded, Rendering, provider_of
from llm_inference_router.config.claude import claude
from llm_inference_router.dialects.messages_spelling import spell_message, written
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest, Fault, Model

_CALL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


class AnthropicRelay(Anthropic):
    """Errors and credentials are those of the backend that translates."""

    takes: frozenset[str] = frozenset()

    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body, warnings = dict(request.source), list[str]()
        body["model"] = model.upstream_model
        body["messages"] = _turns(body["messages"], provider_of(model), warnings)
        limit = model.max_output
        if limit is not None and request.max_tokens is not None and request.max_tokens > limit:
            body["max_tokens"] = limit
            warnings.append(warning("clamped", "max_tokens"))
        anthropic_refused.mend(body, claude(model.upstream_model), warnings)
        headers = tuple((dict(HEADERS) | dict(request.headers)).items())
        call = Call("/messages", orjson.dumps(body), headers, stream=request.stream)
        return Encoded(call, tuple(dict.fromkeys(warnings)))

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.answered(body)
        if isinstance(doc, Fault):
            return doc
        if not isinstance(doc.get("content"), list):
            return Fault("malformed", "it has no content")
        spell_message(doc, body)
        return message(doc, rendering)

    def decoder(self, rendering: Rendering) -> Decoder:
        return RelayDecoder(rendering)


def _turns(messages: list[dict[str, Any]], provider: str, warnings: list[str]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    ids = Ids()
    gap = False  # a turn has been left out: its neighbours are of one role
    for turn in messages:
        content = turn.get("content")
        if isinstance(content, list) and turn["role"] != "system":
            assistant = turn["role"] == "assistant"
            if assistant:
                ids.turn()
            mended = _mended(content, assistant, provider, ids, warnings)
            if mended is not content:
                if not mended:
                    gap = True
                    continue
                turn = {**turn, "content": mended}
        if gap and turns and turns[-1]["role"] == turn["role"]:
            turns[-1] = {**turns[-1], "content": [*_blocks(turns[-1]), *_blocks(turn)]}
        else:
            turns.append(turn)
        gap = False
    return turns


def _blocks(turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _mended(content: list[Any], assistant: bool, provider: str, ids: Ids, warnings: list[str]) -> list[Any]:
    """The blocks of a turn; the very list where nothing of it has to be changed."""
    blocks = []
    for block in content:
        kind = block["type"]
        if kind in anthropic_thinking.THOUGHTS:
            found = anthropic_thinking.own(block, provider)
            if found is None:
                warnings.append(warning("foreign", "messages.thinking"))
            elif found == block:
                blocks.append(block)
            else:
                blocks.append(found)
        elif kind == "text" and assistant and not block["text"].strip():
            warnings.append(warning("rewritten", "messages"))
        elif kind == "tool_use":
            blocks.append(_call(block, ids.call(block["id"]), warnings))
        elif kind == "tool_result":
            name = ids.result(block["tool_use_id"])
            blocks.append(block if name == block["tool_use_id"] else {**block, "tool_use_id": name})
        else:
            blocks.append(block)
    unchanged = len(blocks) == len(content) and all(a is b for a, b in zip(blocks, content, strict=True))
    return content if unchanged else blocks


def _call(block: dict[str, Any], name: str, warnings: list[str]) -> dict[str, Any]:
    """`name`: its id as Anthropic takes it."""
    if (given := written(block.get("input"))) is not block.get("input"):
        block = {**block, "input": given}
    if name == block["id"] and _CALL_NAME.match(block["name"]):
        return block
    if name == block["id"]:
        warnings.append(warning("rewritten", "messages"))
    return {**block, "id": name, "name": call_id(block["name"])[:128]}
