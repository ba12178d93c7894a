"""A scripted upstream on raw sockets: what it does is chosen by the `model` it is asked for.

A behaviour is an async function of (writer, request): it may answer, stay silent, reset, drip. All that was asked is
kept in `requests`, and how every connection ended in `closed`.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson


@dataclass
class Request:
    head: str
    body: dict[str, Any]
    gone: asyncio.Event  # set when the router closes the connection
    gone_after: float = -1.0  # seconds from the request until then


Behaviour: TypeAlias = Callable[[asyncio.StreamWriter, Request], Coroutine[Any, Any, None]]


@dataclass
class Upstream:
    port: int = 0
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)  # what GET of a path is answered; else an empty model list
    asked_pages: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def asked(self, model: str) -> list[Request]:
        return [r for r in self.requests if r.body.get("model") == model]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length")), 0
                )
                body = orjson.loads(await reader.readexactly(length)) if length else {}
                if head.startswith("GET "):
                    path = head.split(" ")[1]
                    self.asked_pages.append(path)
                    writer.write(self.pages.get(path) or whole({"object": "list", "data": []}))
                    continue
                request = Request(head, body, asyncio.Event())
                self.requests.append(request)
                await self._behave(reader, writer, request)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        behaviour = self.behaviours.get(str(request.body.get("model")), answers())
        began = asyncio.get_running_loop().time()
        work = asyncio.create_task(behaviour(writer, request))
        left = asyncio.create_task(_left(reader))
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        # A behaviour that is just writing may be the first to learn of a reset.
        if not work.done() or isinstance(work.exception(), ConnectionError):
            request.gone_after = asyncio.get_running_loop().time() - began
            request.gone.set()
            work.cancel()
            raise ConnectionResetError
        left.cancel()
        await work


async def _left(reader: asyncio.StreamReader) -> None:
    """Returns when the peer has closed. The router never pipelines, so nothing is read away here."""
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110 - a stream reader has no event for its end
        await asyncio.sleep(0.01)


@contextmanager
def upstream(**behaviours: Behaviour) -> Iterator[Upstream]:
    """Runs in a thread of its own until the block ends."""
    server = Upstream(behaviours=dict(behaviours))
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        listener.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    started.wait(5)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


# --- bytes --------------------------------------------------------------------------------------------------------


def whole(body: dict[str, Any] | bytes, status: int = 200, headers: str = "") -> bytes:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )


def completion(text: str = "Hello there.", usage: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "upstream-name",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return body


def delta(text: str | None = None, finish: str | None = None, **extra: Any) -> bytes:
    content: dict[str, Any] = {} if text is None else {"content": text}
    return orjson.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "upstream-name",
            "choices": [{"index": 0, "delta": content | extra, "finish_reason": finish}],
        }
    )


USAGE = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "upstream-name",
        "choices": [],
        "usage": {"prompt_tokens": 100, "completion_tokens": 3, "total_tokens": 103},
    }
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: bytes) -> bytes:
    return chunked(b"data: " + data + b"\n\n")


# --- behaviours ---------------------------------------------------------------------------------------------------


def answers(text: str = "Hello there.", usage: bool = True, after: float = 0.0) -> Behaviour:
    """A good answer, whole or streamed as asked, `after` seconds of silence."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        await asyncio.sleep(after)
        if not request.body.get("stream"):
            writer.write(whole(completion(text, usage)))
            return
        writer.write(STREAM_HEAD + event(delta("", role="assistant")))
        for word in text.split(" "):
            writer.write(event(delta(word + " ")))
            await writer.drain()
        writer.write(event(delta(finish="stop")))
        if usage and request.body.get("stream_options", {}).get("include_usage"):
            writer.write(event(USAGE))
        writer.write(event(b"[DONE]") + b"0\r\n\r\n")

    return behave


def sends(raw: bytes, then: str = "keep") -> Behaviour:
    """Raw bytes, then `keep` the connection, `close` it, `reset` it or `hang`."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        if raw:
            writer.write(raw)
            await writer.drain()
        if then == "hang":
            await asyncio.sleep(3600)
        elif then == "close":
            writer.close()
        elif then == "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    return behave


def drips(interval: float, times: int = 10**6) -> Behaviour:
    """A stream that sends one word every `interval` seconds."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        writer.write(STREAM_HEAD)
        for number in range(times):
            writer.write(event(delta(f"w{number} ")))
            await writer.drain()
            await asyncio.sleep(interval)
        writer.write(event(delta(finish="stop")) + event(b"[DONE]") + b"0\r\n\r\n")

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request gets the first, and so on; the last one for ever."""
    turn = iter(range(10**9))

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        await behaviours[min(next(turn), len(behaviours) - 1)](writer, request)

    return behave


def hangs() -> Behaviour:
    return sends(b"", then="hang")


def fails(status: int) -> Behaviour:
    return sends(whole({"error": {"message": "no", "type": "error", "code": None}}, status=status))


def later(seconds: float, behaviour: Behaviour) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        await asyncio.sleep(seconds)
        await behaviour(writer, request)

    return behave
