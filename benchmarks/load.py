"""The load program: python -m benchmarks.load answers|streams PORT ... (see --help). Prints JSON, one object a line.

`answers` asks for whole answers one after the other on one connection, at a fixed rate, and prints latencies.
`streams` keeps `connections` streams running for `seconds` and counts their events; with `--window A B` it also prints
the count when A and B seconds have passed, so that another program can measure between the two lines.
"""

import argparse
import asyncio
import gc
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from benchmarks.script import PATHS, Speech

_SYSTEM = (
    "You are a careful assistant. You answer briefly, name the facts that you rely on and say so when you are not "
    "sure. The user is planning a journey through western Europe by train, reads the answers on a small screen and "
    "does not like filler. Write plain sentences, no lists, and no more than two of them."
)
_QUESTION = "What is the capital of France, and on which river does it lie? Answer in one short sentence, please."
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"0\r\n\r\n"
_EVENT = b"data: "


def request_body(model: str, *, stream: bool = False, pace_ms: int = 0, speech: Speech = "chat") -> bytes:
    """The request that every gateway gets; about 650 bytes."""
    if speech != "chat":
        return json.dumps(_relayed(model, stream, pace_ms, speech), separators=(",", ":")).encode()
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}],
        "temperature": 0.7,
        "max_tokens": 256,
        "user": f"pace={pace_ms}" if pace_ms else "user-1234",
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def _relayed(model: str, stream: bool, pace_ms: int, speech: Speech) -> dict[str, Any]:
    """The same in another dialect."""
    user = f"pace={pace_ms}" if pace_ms else "user-1234"
    body: dict[str, Any] = {"model": model, "temperature": 0.7, "stream": stream}
    if speech == "messages":
        asked = [{"role": "user", "content": _QUESTION}]
        return body | {"max_tokens": 256, "system": _SYSTEM, "messages": asked, "metadata": {"user_id": user}}
    return body | {"max_output_tokens": 256, "instructions": _SYSTEM, "input": _QUESTION, "user": user}


def request_bytes(port: int, body: bytes, headers: Sequence[str] = (), speech: Speech = "chat") -> bytes:
    """The whole HTTP request. `headers`: lines `name: value` beside those that every gateway gets."""
    lines = [
        f"POST {PATHS[speech]} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "Authorization: Bearer sk-1234",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed; nan for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Exchange(asyncio.Protocol):
    """One connection that sends a request and reads its answer, again and again.

    `done` is called with True when a good answer (status 200) is whole, False when a bad one is, None when the
    connection is gone. Times are seconds; `events` counts the answer's server-sent events.
    """

    def __init__(self, done: Callable[["Exchange", bool | None], None]) -> None:
        self._done = done
        self._transport: asyncio.Transport | None = None
        self.finished = False

    def send(self, request: bytes) -> None:
        self._head = b""
        self._headed = False
        self._length = -1  # of the body; -1: in chunks
        self._received = 0
        self._tail = b""
        self.good = False
        self.events = 0
        self.first_event_s = float("nan")
        self.began = time.perf_counter()
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        self.finished = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self.finished:
            self._done(self, None)

    def data_received(self, data: bytes) -> None:
        if not self._headed:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._read_head(self._head[:end])
        self._received += len(data)
        seen = self._tail + data  # five bytes of the last read: an event's mark may be cut in two
        self.events += seen.count(_EVENT)
        self._tail = seen[-5:]
        if self.events and self.first_event_s != self.first_event_s:
            self.first_event_s = time.perf_counter() - self.began
        if self._received >= self._length if self._length >= 0 else seen.endswith(_END):
            self._done(self, self.good)

    def _read_head(self, head: bytes) -> None:
        self._headed = True
        self.good = head.startswith(b"HTTP/1.1 200")
        length = _LENGTH.search(head)
        if length is not None:
            self._length = int(length[1])


async def answers(port: int, request: bytes, *, rate: float, seconds: float, warm_s: float) -> dict[str, float]:
    """Latencies in ms of whole answers at `rate` a second, those of the first `warm_s` seconds left out."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[bool | None] = loop.create_future()

    def done(exchange: Exchange, good: bool | None) -> None:
        if not waiter.done():
            waiter.set_result(good)

    _, exchange = await loop.create_connection(lambda: Exchange(done), "127.0.0.1", port)
    taken: list[float] = []
    errors = 0
    start = due = time.perf_counter()
    while time.perf_counter() < start + warm_s + seconds:
        waiter = loop.create_future()
        exchange.send(request)
        good = await waiter
        now = time.perf_counter()
        errors += not good
        if good is None:
            _, exchange = await loop.create_connection(lambda: Exchange(done), "127.0.0.1", port)
        elif good and exchange.began >= start + warm_s:
            taken.append((now - exchange.began) * 1e3)
        due = max(due + 1 / rate, now)
        await asyncio.sleep(due - now)
    exchange.close()
    return {
        "answers": len(taken),
        "errors": errors,
        "p50_ms": percentile(taken, 0.5),
        "p99_ms": percentile(taken, 0.99),
        "max_ms": max(taken, default=float("nan")),
    }


class Streams:
    """A number of connections, each with one stream after the other until `seconds` have passed."""

    def __init__(self, request: bytes, connections: int, seconds: float) -> None:
        self._request = request
        self._connections = connections
        self._seconds = seconds
        self._open: list[Exchange] = []
        self._all_ended = asyncio.get_running_loop().create_future()
        self._running = connections
        self._whole = 0  # events of streams that have ended
        self._first_ms: list[float] = []
        self._total_ms: list[float] = []
        self._errors = 0

    def events(self) -> int:
        """How many events have come on all connections so far."""
        return self._whole + sum(exchange.events for exchange in self._open)

    async def run(self, port: int, patience_s: float = 60.0) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            _, exchange = await loop.create_connection(lambda: Exchange(self._done), "127.0.0.1", port)
            self._open.append(exchange)
        self._until = time.perf_counter() + self._seconds
        for exchange in self._open:
            exchange.send(self._request)
        await asyncio.wait([self._all_ended], timeout=self._seconds + patience_s)
        return {
            "streams": len(self._total_ms),
            "events": self.events(),
            "errors": self._errors + self._running,
            "first_p50_ms": percentile(self._first_ms, 0.5),
            "first_p99_ms": percentile(self._first_ms, 0.99),
            "total_p50_ms": percentile(self._total_ms, 0.5),
        }

    def _done(self, exchange: Exchange, good: bool | None) -> None:
        now = time.perf_counter()
        if good:
            self._first_ms.append(exchange.first_event_s * 1e3)
            self._total_ms.append((now - exchange.began) * 1e3)
        else:
            self._errors += 1
        self._whole += exchange.events
        exchange.events = 0
        if good is not None and now < self._until:
            exchange.send(self._request)
            return
        exchange.close()
        self._running -= 1
        if self._running == 0:
            self._all_ended.set_result(None)


async def streams(
    port: int, request: bytes, *, connections: int, seconds: float, window: tuple[float, float] | None
) -> dict[str, float]:
    running = Streams(request, connections, seconds)
    loop = asyncio.get_running_loop()
    for moment in window or ():
        loop.call_later(moment, lambda: print(json.dumps({"events": running.events()}), flush=True))
    return await running.run(port)


async def _main(arguments: argparse.Namespace) -> dict[str, float]:
    stream = arguments.mode == "streams"
    body = request_body(arguments.model, stream=stream, pace_ms=arguments.pace, speech=arguments.speech)
    request = request_bytes(arguments.port, body, arguments.header, arguments.speech)
    gc.freeze()
    if stream:
        return await streams(
            arguments.port,
            request,
            connections=arguments.connections,
            seconds=arguments.seconds,
            window=tuple(arguments.window) if arguments.window else None,
        )
    return await answers(arguments.port, request, rate=arguments.rate, seconds=arguments.seconds, warm_s=arguments.warm)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("answers", "streams"))
    parser.add_argument("port", type=int)
    parser.add_argument("--model", default="gpt-4o-mini")
    parser.add_argument("--speech", default="chat", choices=list(PATHS), help="the dialect that is asked in")
    parser.add_argument("--header", action="append", default=[], help="a line `name: value` for every request")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rate", type=float, default=100.0, help="answers: a second")
    parser.add_argument("--warm", type=float, default=1.0, help="answers: seconds that are not counted")
    parser.add_argument("--connections", type=int, default=1, help="streams: at the same time")
    parser.add_argument("--pace", type=int, default=0, help="streams: ms between two events of one stream")
    parser.add_argument("--window", type=float, nargs=2, help="streams: print the count of events at these seconds")
    print(json.dumps(uvloop.run(_main(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
