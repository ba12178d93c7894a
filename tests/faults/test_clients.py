"""Clients that leave, stay silent, or never finish: what they cost is given back, and others are served."""

import asyncio
import random
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.serving.router import Router, config, serving
from tests.serving.upstream import STREAM_HEAD, Request, delta, event, upstream
from tests.support.conserved import assert_conserved, assert_given_back, held
from tests.support.faults.server import FaultServer, running
from tests.support.line import exchange, request

REST = "tier: small, location: local, context: 8192, price: {input: 1, output: 1}, health: none, breaker: none"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as one:
        yield one


@pytest.fixture
def router(server: FaultServer, tmp_path: Path) -> Iterator[Router]:
    names = ("ok", "drip", "silent", "stall", "silent-after-head")
    models = "\n".join(
        f"  - {{name: {name}, backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {REST}}}"
        for name in names
    )
    server.requests.clear()
    with serving(tmp_path, f"models:\n{models}\nroutes:\n  auto: {{models: [ok]}}\n") as one:
        yield one


def eventually(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def test_a_hundred_clients_that_leave_in_every_phase_leave_nothing_open(router: Router, server: FaultServer) -> None:
    """While the model is silent, after its head, in the middle of a stream, in the middle of a whole answer."""
    router.chat("ok")
    before = held(router, server.port)
    luck = random.Random(1)
    asked = 1
    for number in range(100):
        model = ("silent", "silent-after-head", "drip", "stall")[number % 4]
        stream = number % 8 < 4
        seen = sum(server.requests.values())
        with suppress(TimeoutError):
            _leave(router, model, stream, luck.choice((0.005, 0.02)), partial(_more, server, seen))
        asked += 1
    eventually(lambda: server.running == 0, 5)
    assert_given_back(router, before)
    text = router.ask("/metrics").body.decode()
    assert_conserved(router.database, lambda: text, admitted=asked, seen=sum(server.requests.values()))
    assert router.chat("ok").status == 200


def _more(server: FaultServer, seen: int) -> bool:
    return sum(server.requests.values()) > seen


def _leave(router: Router, model: str, stream: bool, after: float, arrived: Callable[[], bool]) -> None:
    """Asks, waits until the upstream has been asked, and goes."""
    body = b'{"model":"%b","stream":%b,"max_tokens":5000,"messages":[{"role":"user","content":"Hi"}]}' % (
        model.encode(), b"true" if stream else b"false",
    )  # fmt: skip
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=10)) as connection:
        connection.sendall(head.encode() + body)
        eventually(arrived, 10)
        time.sleep(after)


def test_five_hundred_slow_connections_are_closed_and_others_are_served_meanwhile(router: Router) -> None:
    """Silent ones and half heads; the limit is ten seconds, and nobody waits for them."""
    with ExitStack() as stack:
        slow = []
        for number in range(500):
            connection = stack.enter_context(closing(socket.create_connection(("127.0.0.1", router.port), timeout=30)))
            if number % 2:
                connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: local")
            slow.append(connection)
        for _ in range(20):
            assert exchange(router.port, request("ok", stream=True)).endswith(b"0\r\n\r\n")
        for connection in slow:
            assert connection.recv(65536) == b""
    closed = [line for line in router.ask("/metrics").body.decode().splitlines() if "connections_closed_total{" in line]
    assert sum(float(line.rpartition(" ")[2]) for line in closed) >= 500


async def floods(writer: asyncio.StreamWriter, request: Request) -> None:
    began = time.monotonic()
    writer.write(STREAM_HEAD)
    try:
        while True:
            writer.write(event(delta("x" * 10_000)))
            await writer.drain()
    finally:
        request.gone_after = time.monotonic() - began
        request.gone.set()


def test_a_client_that_stops_reading_is_let_go_after_half_a_minute(tmp_path: Path) -> None:
    """What it holds is given back: the upstream's connection, the running request; what was used is counted."""
    with (
        upstream(endless=floods) as backend,
        serving(tmp_path, config(backend.url, "endless", timeouts="{first_token: 5s, idle: 5s, total: 10m}")) as router,
        closing(socket.socket()) as client,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", router.port))
        body = b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        client.sendall(head % len(body) + body)
        eventually(lambda: len(backend.requests) == 1, 5)
        [request] = backend.requests
        eventually(request.gone.is_set, 90)
        assert request.gone_after > 20, "a client that is only slow gets its time"
        eventually(lambda: outcomes(router) == [("client_stalled", 1)], 5)
        eventually(lambda: 'llm_router_inflight{model="endless"} 0.0' in router.ask("/metrics").body.decode(), 5)


def outcomes(router: Router) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(router.database)) as database:
        return database.execute("SELECT error, output_tokens > 1000 FROM outcomes").fetchall()
