"""Recorded exchanges over HTTP: a trace's answer as a behaviour, and its request as the client's arguments."""

import asyncio
import inspect
from typing import Any

import orjson
from openai.resources.chat.completions import Completions

from tests.serving.upstream import Behaviour, Request, chunked
from tests.traces.read import Trace

CHAT = "/v1/chat/completions"
_ARGUMENTS = frozenset(inspect.signature(Completions.create).parameters)
# Servers that answered a role which does not exist; the router refuses it, so a known one is sent in its place.
_REFUSED = frozenset({"vllm/56-err_role", "transformers-serve/56-err_role"})
_PART = 100  # bytes: a stream's events are cut anywhere, characters and all


def replays(exchange: Trace) -> Behaviour:
    """Answers with the trace's status, content type and body; a stream in small parts that respect no boundary."""
    kind = exchange.headers.get("content-type", "application/json")
    head = f"HTTP/1.1 {exchange.status} X\r\nContent-Type: {kind}\r\n"
    if exchange.stream:
        parts = [exchange.body[i : i + _PART] for i in range(0, len(exchange.body), _PART)]
        head += "Transfer-Encoding: chunked\r\n\r\n"
        data = [head.encode(), *(chunked(part) for part in parts), b"0\r\n\r\n"]
    else:
        data = [f"{head}Content-Length: {len(exchange.body)}\r\n\r\n".encode(), exchange.body]

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        for part in data:
            writer.write(part)
            await writer.drain()

    return behave


def arguments(exchange: Trace, **changes: Any) -> dict[str, Any]:
    """The trace's request for `create`, to route `auto`; what the client does not know goes as `extra_body`."""
    body: dict[str, Any] = orjson.loads(exchange.request) | {"model": "auto"} | changes
    if exchange.id in _REFUSED:
        body["messages"] = [{"role": "user", "content": "hi"}]
    unknown = {name: value for name, value in body.items() if name not in _ARGUMENTS}
    known = {name: value for name, value in body.items() if name in _ARGUMENTS}
    return known | {"extra_headers": {"x-router-tags": f"server={exchange.server}"}, "extra_body": unknown}


def upstream_answers(exchange: Trace) -> list[dict[str, Any]]:
    """The JSON that the upstream sent: one body, or the chunks of a stream."""
    if not exchange.stream:
        return [orjson.loads(exchange.body)]
    lines = exchange.body.replace(b"\r\n", b"\n").split(b"\n")
    return [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def said(answers: list[dict[str, Any]]) -> dict[tuple[int, str], str]:
    """What was generated, joined as clients join it: by choice, and by kind (content, reasoning, tool calls)."""
    total: dict[tuple[int, str], str] = {}

    def add(choice: int, kind: str, text: Any) -> None:
        if text:
            total[choice, kind] = total.get((choice, kind), "") + text

    for answer in answers:
        for choice in answer["choices"]:
            index = choice["index"]
            message = choice.get("message") or choice.get("delta") or {}
            for kind in ("content", "refusal"):
                add(index, kind, message.get(kind))
            # Said under either name; the router gives it under both where an upstream says `reasoning`.
            add(index, "reasoning", message.get("reasoning_content") or message.get("reasoning"))
            for number, call in enumerate(message.get("tool_calls") or ()):
                place = call.get("index", number)
                add(index, f"tool {place} name", call["function"].get("name"))
                add(index, f"tool {place} arguments", call["function"].get("arguments"))
    return total


def finishes(answers: list[dict[str, Any]]) -> dict[int, str]:
    """The finish reason of every choice."""
    found = [choice for answer in answers for choice in answer["choices"] if choice.get("finish_reason")]
    return {choice["index"]: choice["finish_reason"] for choice in found}
