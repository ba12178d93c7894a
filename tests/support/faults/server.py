"""An upstream that breaks as it is told, on raw sockets, and counts what it saw."""

import asyncio
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.support.faults.scenarios import SCENARIOS, Close, Drip, Reset, Send, Stall, Step
from tests.support.faults.wire import Ask, Wire, error

_TIMES = 100
PROMPTS = ("messages", "input", "prompt")  # the field that holds it, whichever the wire


@dataclass
class FaultServer:
    """`requests` by model; `running` are those that are being answered; `bodies` the last of each model; `times` the
    monotonic seconds of each model's first hundred; `accepted` counts every connection, whether anything came on it or
    not. Models in `down` answer 500, whatever their scenario is.
    """

    port: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    credentials: set[str] = field(default_factory=set)
    running: int = 0
    connections: int = 0
    accepted: int = 0
    times: dict[str, list[float]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.accepted += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        data = await reader.readexactly(int(lengths[0])) if lengths else b""
        body = orjson.loads(data) if data else {}
        model = str(body.get("model", "ok"))
        wire = _wire(head.split(" ", 2)[1])
        keys = re.findall(r"(?im)^(?:authorization: bearer|x-api-key:) *(.+?)\r$", head)
        self.credentials.update(keys)
        secrets = f"{keys} {orjson.dumps([body.get(name) for name in PROMPTS]).decode()}"
        ask = Ask(wire, model, bool(body.get("stream")), self.requests[model], secrets)
        self.requests[model] += 1
        self.bodies[model] = body
        if self.requests[model] <= _TIMES:
            self.times.setdefault(model, []).append(time.monotonic())
        known = SCENARIOS.get(model.partition("@")[0])  # what follows an @ tells requests for one scenario apart
        steps = known.script(ask) if known else (Send(error(ask, 404, "not_found_error", f"no scenario {model!r}")),)
        if model in self.down:
            steps = (Send(error(ask, 500, "server_error")),)
        self.running += 1
        work = asyncio.ensure_future(_play(steps, writer))
        left = asyncio.ensure_future(_left(reader))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            return work.done() and not work.cancelled() and await work
        finally:
            self.running -= 1
            for one in (work, left):
                one.cancel()


def _wire(path: str) -> Wire:
    if "/messages" in path:
        return "anthropic"
    if path.endswith("/responses"):
        return "responses"
    return "completions" if path.endswith("/completions") and "/chat/" not in path else "openai"


async def _play(steps: tuple[Step, ...] | Any, writer: asyncio.StreamWriter) -> bool:
    for step in steps:
        match step:
            case Send(data=data):
                writer.write(data)
                await writer.drain()
            case Drip(data=data, every=every):
                while True:
                    writer.write(data)
                    await writer.drain()
                    await asyncio.sleep(every)
            case Stall():
                await asyncio.sleep(3600)
            case Close():
                return False
            case Reset():
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
    return True


async def _left(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110 - a stream reader has no event for its end
        await asyncio.sleep(0.01)


@contextmanager
def running(port: int = 0) -> Iterator[FaultServer]:
    """In a thread of its own until the block ends."""
    server = FaultServer()
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", port, limit=1024 * 1024)
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
