"""An upstream that holds its clients to Anthropic's rules: what breaks one is a 400 that says which."""

import asyncio
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from tests.serving.upstream import STREAM_HEAD, Request, chunked, whole

_FIELDS = frozenset(
    {
        "model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "stream", "temperature",
        "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "output_config", "container",
        "context_management", "mcp_servers", "cache_control",
    }
)  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9_-]+\Z")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_THOUGHTS = ("thinking", "redacted_thinking")


class Broken(Exception):
    """A rule, in the words of the error."""


@dataclass
class Claude:
    """`says`: the content of its answers, in turn. It signs its reasoning, and takes back only what it signed."""

    says: list[list[dict[str, Any]]]
    refused: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    signed: dict[str, str] = field(default_factory=dict)  # signature or data -> the reasoning

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> None:
        body = request.body
        try:
            self.check(body)
        except Broken as broken:
            self.refused.append(str(broken))
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": str(broken)}}
            writer.write(whole(error, 400))
            return
        if "/count_tokens " in request.head:
            writer.write(whole({"input_tokens": 4242}))
            return
        thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
        content = [self._sign(b) for b in self.says[len(self.asked)] if thinks or b["type"] not in _THOUGHTS]
        self.asked.append(body)
        if body.get("stream"):
            writer.write(STREAM_HEAD)
            for event in events(content, len(self.asked)):
                writer.write(chunked(b"event: %b\ndata: %b   \n\n" % (event["type"].encode(), orjson.dumps(event))))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(whole(message(content, len(self.asked))))

    def _sign(self, block: dict[str, Any]) -> dict[str, Any]:
        if block["type"] == "thinking":
            signature = f"EqQBCg+{len(self.signed)}/signed=="
            self.signed[signature] = block["thinking"]
            return {**block, "signature": signature}
        if block["type"] == "redacted_thinking":
            self.signed[block["data"]] = ""
        return block

    def check(self, body: dict[str, Any]) -> None:
        """Raises Broken."""
        if extra := set(body) - _FIELDS:
            raise Broken(f"{', '.join(sorted(extra))}: Extra inputs are not permitted")
        turns = [{**turn, "content": _blocks(turn["content"])} for turn in body["messages"]]
        if turns[0]["role"] != "user":
            raise Broken("messages: first message must use the user role")
        if any(a["role"] == b["role"] for a, b in pairwise(turns)):
            raise Broken("messages: roles must alternate")
        for number, turn in enumerate(turns):
            self._turn(number, turn)
        _tools_are_answered(turns)
        _thinking_is_possible(body, turns)
        marks = str(body.get("system")) + str(body.get("tools")) + str(body["messages"])
        if marks.count("'cache_control'") > 4:
            raise Broken("A maximum of 4 blocks with cache_control may be provided")

    def _turn(self, number: int, turn: dict[str, Any]) -> None:
        if not turn["content"]:
            raise Broken(f"messages.{number}: content must not be empty")
        for block in turn["content"]:
            kind = block["type"]
            if kind == "text" and not block["text"].strip():
                raise Broken("messages: text content blocks must contain non-whitespace text")
            if kind == "thinking" and self.signed.get(block["signature"]) != block["thinking"]:
                raise Broken(f"messages.{number}.content: Invalid `signature` in `thinking` block")
            if kind == "redacted_thinking" and block["data"] not in self.signed:
                raise Broken(f"messages.{number}.content: Invalid `data` in `redacted_thinking` block")
            if kind == "tool_use" and not (_ID.match(block["id"]) and _NAME.match(block["name"])):
                raise Broken(f"messages.{number}.content: tool_use id or name does not match the pattern")
            if kind == "tool_use" and not isinstance(block["input"], dict):
                raise Broken(f"messages.{number}.content: Input should be a valid dictionary")


def _blocks(content: Any) -> list[dict[str, Any]]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _tools_are_answered(turns: list[dict[str, Any]]) -> None:
    known: set[str] = set()
    for turn, after in pairwise([*turns, {"role": "", "content": []}]):
        calls = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        if known.intersection(calls) or len(set(calls)) < len(calls):
            raise Broken("messages: `tool_use` ids must be unique")
        known.update(calls)
        results = [block["tool_use_id"] for block in after["content"] if block["type"] == "tool_result"]
        if sorted(calls) != sorted(results):
            raise Broken("messages: `tool_use` ids were found without `tool_result` blocks immediately after")
        kinds = [block["type"] == "tool_result" for block in after["content"]]
        if kinds != sorted(kinds, reverse=True):
            raise Broken("messages: `tool_result` blocks come first")


def _thinking_is_possible(body: dict[str, Any], turns: list[dict[str, Any]]) -> None:
    thinking = body.get("thinking", {})
    if thinking.get("type") != "enabled":
        edits = body.get("context_management", {}).get("edits", [])
        if thinking.get("type") != "adaptive" and any("clear_thinking" in edit["type"] for edit in edits):
            raise Broken("context_management: `clear_thinking` requires `thinking` to be enabled")
        return
    if not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
        raise Broken("`max_tokens` must be greater than `thinking.budget_tokens`")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Broken("Thinking may not be enabled when tool_choice forces tool use.")
    said = [turn for turn in turns if turn["role"] == "assistant"]
    in_loop = any(block["type"] == "tool_result" for block in turns[-1]["content"])
    if in_loop and said and said[-1]["content"][0]["type"] not in _THOUGHTS:
        raise Broken("Expected `thinking` or `redacted_thinking`, but found another block")


def message(content: list[dict[str, Any]], number: int) -> dict[str, Any]:
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "id": f"msg_upstream{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-upstream",
        "content": content,
        "stop_reason": "tool_use" if called else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 30,
            "output_tokens": 40,
            "service_tier": "standard",
        },
    }


def events(content: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """The stream of a message, its texts in two parts each."""
    whole_one = message(content, number)
    start = {**whole_one, "content": [], "stop_reason": None, "usage": {**whole_one["usage"], "output_tokens": 1}}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(content):
        kind = block["type"]
        if kind == "redacted_thinking":
            head, parts = block, []
        elif kind == "tool_use":
            text = orjson.dumps(block["input"]).decode()
            head, parts = {**block, "input": {}}, _halves("input_json_delta", "partial_json", text)
        elif kind == "thinking":
            head, parts = {**block, "thinking": "", "signature": ""}, _halves("thinking_delta", kind, block[kind])
            parts.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            head, parts = {**block, "text": ""}, _halves("text_delta", "text", block["text"])
        found.append({"type": "content_block_start", "index": index, "content_block": head})
        found += [{"type": "content_block_delta", "index": index, "delta": part} for part in parts]
        found.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": whole_one["stop_reason"], "stop_sequence": None}
    found.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 40}})
    return [*found, {"type": "message_stop"}]


def _halves(kind: str, name: str, text: str) -> list[dict[str, Any]]:
    middle = len(text) // 2
    return [{"type": kind, name: part} for part in (text[:middle], text[middle:])]
