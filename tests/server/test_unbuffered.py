"""A stream is a stream: what the upstream has said is with the client before the upstream says more. Every dialect,
through every backend, relayed and translated.

The upstream waits after each part until the client has it. Was anything held back, both would wait for ever; the
socket's time limit ends that.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson
import pytest

from tests.serving.router import Router, serving
from tests.serving.upstream import STREAM_HEAD, Request, Upstream, chunked, delta, event, upstream

PARTS = ("alpha", "bravo", "charlie")
PATIENCE_S = 30
BACKENDS = ("openai", "anthropic", "vllm", "tgi", "ollama", "llamacpp", "openai_compatible")
PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}
TOOL = {"type": "object", "properties": {"a": {"type": "string"}}}
HI = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": HI, "tools": [{"type": "function", "function": {"name": "f", "parameters": TOOL}}]},
    "messages": {"messages": HI, "max_tokens": 100, "tools": [{"name": "f", "input_schema": TOOL}]},
    "responses": {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": TOOL, "strict": False}]},
    "completions": {"prompt": "hi"},
}


class Lockstep:
    """Sends `frames` one at a time, each when `step` is called."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self._loop: asyncio.AbstractEventLoop | None = None
        self._go = asyncio.Semaphore(0)

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> None:
        self._loop = asyncio.get_running_loop()
        writer.write(STREAM_HEAD)
        for frame in self._frames:
            writer.write(frame)
            await writer.drain()
            await self._go.acquire()

    def step(self) -> None:
        assert self._loop is not None, "the client was answered before the upstream"
        self._loop.call_soon_threadsafe(self._go.release)


def _chat(kind: str) -> list[bytes]:
    def call(number: int, part: str) -> dict[str, Any]:
        first = {"id": "call_abcdefgh", "type": "function"} if number == 0 else {}
        function = ({"name": "f"} if number == 0 else {}) | {"arguments": part}
        return {"tool_calls": [{"index": 0, **first, "function": function}]}

    made = []
    for number, part in enumerate(PARTS):
        if kind == "text":
            made.append(event(delta(part)))
        elif kind == "thinking":
            made.append(event(delta(reasoning_content=part)))
        else:
            made.append(event(delta(**call(number, ('{"a":"' if number == 0 else "") + part))))
    return made


def _completions() -> list[bytes]:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    choices = [{"index": 0, "text": part, "logprobs": None, "finish_reason": None} for part in PARTS]
    return [event(orjson.dumps(head | {"choices": [one]})) for one in choices]


def _named(*docs: dict[str, Any]) -> bytes:
    return b"".join(chunked(b"event: %b\ndata: %b\n\n" % (doc["type"].encode(), orjson.dumps(doc))) for doc in docs)


def _messages(kind: str) -> list[bytes]:
    blocks: dict[str, tuple[dict[str, Any], str, str]] = {
        "text": ({"type": "text", "text": ""}, "text_delta", "text"),
        "thinking": ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"),
        "tool": ({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, "input_json_delta", "partial_json"),
    }
    block, delta_kind, field = blocks[kind]
    usage = {"input_tokens": 9, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    begun = {"type": "message_start", "message": message | {"stop_reason": None, "stop_sequence": None, "usage": usage}}
    opened = {"type": "content_block_start", "index": 0, "content_block": block}
    opening = _named(begun, opened)
    made = []
    for number, part in enumerate(PARTS):
        text = '{"a":"' + part if kind == "tool" and number == 0 else part
        said = {"type": "content_block_delta", "index": 0, "delta": {"type": delta_kind, field: text}}
        made.append((opening if number == 0 else b"") + _named(said))
    return made


def _responses(kind: str) -> list[bytes]:
    response = {"id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "model": "m"}
    begun = {"type": "response.created", "sequence_number": 0, "response": response | {"output": []}}
    where = {"item_id": "i_1", "output_index": 0}
    item: dict[str, Any] = {"id": "i_1", "status": "in_progress"}
    more: dict[str, Any] = {}
    opening = [begun]
    if kind == "tool":
        item |= {"type": "function_call", "call_id": "c_1", "name": "f", "arguments": ""}
        name = "response.function_call_arguments.delta"
    else:
        part, name = ("output_text", "response.output_text.delta") if kind == "text" else ("reasoning_text", "")
        name = name or "response.reasoning_text.delta"
        item |= {"type": "message", "role": "assistant"} if kind == "text" else {"type": "reasoning", "summary": []}
        item["content"] = []
        more = {"content_index": 0} | ({"logprobs": []} if kind == "text" else {})
    opening.append({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item})
    if kind != "tool":
        empty: dict[str, Any] = {"type": part, "text": ""} | (
            {"annotations": [], "logprobs": []} if kind == "text" else {}
        )
        added = {"type": "response.content_part.added", "sequence_number": 2, "content_index": 0, "part": empty}
        opening.append(added | where)
    made = []
    for number, text in enumerate(PARTS):
        said = {"type": name, "sequence_number": 3 + number, "delta": text, **where, **more}
        made.append(_named(*(opening if number == 0 else []), said))
    return made


def frames(dialect: str, backend: str, kind: str) -> list[bytes]:
    """What the upstream of this backend says to a client of this dialect."""
    if backend == "anthropic":
        return _messages(kind)
    if (dialect, backend) == ("responses", "openai"):
        return _responses(kind)
    if dialect == "completions" and backend != "openai":
        return _completions()
    return _chat(kind)


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def router(server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    models = "\n".join(
        f"  - {{name: {name}, backend: {name}, endpoints: [{{url: '{server.url}'}}], tier: small, location: local, "
        "context: 32768, max_output: 4096, price: {input: 0, output: 0}, capabilities: [tools, reasoning], "
        "api_key: sk-x, health: none, breaker: none, timeouts: {first_token: 60s, idle: 60s, total: 300s}}"
        for name in BACKENDS
    )
    text = f"models:\n{models}\nroutes:\n  auto: {{models: [vllm]}}\n"
    with serving(tmp_path_factory.mktemp("unbuffered"), text) as running:
        yield running


CASES = [
    (dialect, backend, kind)
    for dialect in PATHS
    for backend in BACKENDS
    for kind in ("text", "thinking", "tool")
    # Completions know text alone, and OpenAI's chat models have none.
    if dialect != "completions" or (kind == "text" and backend not in ("openai", "anthropic"))
]


@pytest.mark.parametrize(("dialect", "backend", "kind"), CASES, ids=["-".join(one) for one in CASES])
def test_each_part_is_with_the_client_before_the_upstream_says_the_next(
    router: Router, server: Upstream, dialect: str, backend: str, kind: str
) -> None:
    said = server.behaviours[backend] = Lockstep(frames(dialect, backend, kind))
    body = orjson.dumps({"model": backend, "stream": True, **BODIES[dialect]})
    head = f"POST {PATHS[dialect]} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=PATIENCE_S)) as connection:
        connection.sendall(head.encode() + body)
        seen = b""
        for number, part in enumerate(PARTS):
            while part.encode() not in seen:
                received = connection.recv(65536)
                assert received, seen
                seen += received
            assert not any(later.encode() in seen for later in PARTS[number + 1 :])
            if number + 1 < len(PARTS):
                said.step()
    assert seen.startswith(b"HTTP/1.1 200")
