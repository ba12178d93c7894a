"""When the sweep closes a connection, and what half a request costs the others."""

import asyncio
import socket
from collections import deque
from collections.abc import MutableMapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from llm_inference_router.config.load import load
from llm_inference_router.errors import Busy
from llm_inference_router.server.app import Router as App
from llm_inference_router.server.body import Arriving, read_body
from llm_inference_router.server.protocol import Protocol
from tests.serving.router import config, parse, serving
from tests.serving.upstream import answers, upstream


class Unsent:
    """A transport as far as the sweep looks at it."""

    def __init__(self) -> None:
        self.size = 0

    def get_write_buffer_size(self) -> int:
        return self.size


def protocol() -> tuple[Protocol, Unsent]:
    one = Protocol.__new__(Protocol)
    unsent = Unsent()
    one.transport = unsent  # type: ignore[assignment]
    one.cycle = None
    one.queue = deque()
    one.unsent, one.body_bytes, one.unsent_since = 0, 0, 0.0
    return one, unsent


def test_a_client_that_reads_nothing_for_thirty_seconds_has_stalled() -> None:
    one, unsent = protocol()
    assert not one.stalled(0.0)
    unsent.size = 100_000
    assert not one.stalled(1.0)
    assert not one.stalled(29.0)
    assert one.stalled(31.0)


def test_a_client_that_reads_slowly_has_not() -> None:
    one, unsent = protocol()
    for second in range(200):
        unsent.size = 300_000 - 1000 * second
        assert not one.stalled(float(second))


def uploading(*parts: tuple[float, int]) -> Protocol:
    """A body that began at 0.0; each part is a time and a number of bytes."""
    one, _ = protocol()
    one.waits_for, one.waits_since, one.body_since = "body", 0.0, 0.0
    for at, size in parts:
        one.waits_since = at
        one.body_bytes += size
    return one


def test_half_a_body_is_waited_for_thirty_seconds() -> None:
    assert not uploading((5.0, 10_000)).overdue(34.0)
    assert uploading((5.0, 10_000)).overdue(36.0)


def test_a_body_in_drips_is_not_waited_for_without_end() -> None:
    drips = [(3.0 * number, 1) for number in range(1, 11)]
    assert not uploading(*drips).overdue(30.0)
    assert uploading(*drips).overdue(31.0)


def test_a_slow_body_of_a_kibibyte_a_second_is_taken() -> None:
    assert not uploading(*[(float(second), 1024) for second in range(1, 300)]).overdue(300.0)


class Wire(asyncio.Transport):
    """A client that reads everything at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Talk:
    """One connection; its application answers once `free` is set, and reads no body."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        settings = uvicorn.Config(
            self._answer, interface="asgi3", proxy_headers=False, log_config=None, timeout_keep_alive=75
        )
        settings.load()
        self.protocol = Protocol(settings, uvicorn.server.ServerState(), {})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    async def says(self, data: bytes) -> None:
        self.protocol.data_received(data)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    def overdue(self, after_s: float) -> bool:
        return self.protocol.overdue(self.protocol.waits_since + after_s)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await self.free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"


def test_a_connection_that_asks_nothing_more_is_closed_after_a_while() -> None:
    async def run() -> None:
        talk = Talk()
        await talk.says(HEAD + b"{}")
        assert not talk.overdue(10_000.0), "it is being answered"
        talk.free.set()
        await talk.settled()
        assert not talk.overdue(74.0)
        assert talk.overdue(76.0)
        await talk.says(b"\r\n")
        assert talk.overdue(76.0), "an empty line asks nothing"
        await talk.says(HEAD)
        assert not talk.overdue(29.0)

    asyncio.run(run())


def test_a_body_that_comes_after_its_answer_keeps_nothing_open() -> None:
    async def run() -> None:
        talk = Talk()
        talk.free.set()
        await talk.says(HEAD)
        assert talk.wire.sent.startswith(b"HTTP/1.1 200")
        assert talk.overdue(31.0), "the body is waited for all the same"
        await talk.says(b"{}")
        assert not talk.overdue(74.0)
        assert talk.overdue(76.0)

    asyncio.run(run())


@pytest.mark.parametrize(("begun", "limit_s"), [(HEAD[:20], 10.0), (HEAD, 30.0), (HEAD + b"{", 30.0)])
def test_an_answer_is_not_cut_for_the_next_request_that_has_only_begun(begun: bytes, limit_s: float) -> None:
    async def run() -> None:
        talk = Talk()
        await talk.says(HEAD + b"{}")
        await talk.says(begun)
        assert not talk.overdue(10_000.0)
        talk.free.set()
        await talk.settled()
        assert not talk.overdue(limit_s - 1)
        assert talk.overdue(limit_s + 1)

    asyncio.run(run())


async def body_in(parts: list[bytes], arriving: Arriving) -> bytes:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return await read_body(receive, {}, 1000, arriving)


def test_bodies_that_arrive_have_a_bound_of_their_own_and_give_back_what_they_took() -> None:
    arriving = Arriving(most=10)
    assert asyncio.run(body_in([b"12345", b"6789", b"0123456789"], arriving)) == b"1234567890123456789"
    with pytest.raises(Busy) as raised:
        asyncio.run(body_in([b"12345", b"6789", b"01", b""], arriving))
    assert 1.0 <= (raised.value.retry_after_s or 0.0) <= 3.0
    assert arriving.bytes == 0
    assert asyncio.run(body_in([b"x" * 100], arriving)) == b"x" * 100, "what is whole waits for nobody"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/route", "/v1/messages/count_tokens"])
def test_every_path_that_reads_a_body_keeps_to_the_one_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("llm_inference_router.server.inference.Arriving", lambda: Arriving(most=10))
    store = f"store: {{url: 'sqlite:///{tmp_path}/r.db'}}"
    (tmp_path / "router.yaml").write_text(config("http://127.0.0.1:1/v1", "one", extra=store))
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"123456", "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        app = App(load(tmp_path / "router.yaml"))
        await app.start()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await app(scope, receive, send)
        await app.stop()

    asyncio.run(run())
    assert sent[0]["status"] == 429
    assert b"bodies are arriving at once" in sent[1]["body"]


HALF = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


def test_five_hundred_half_bodies_take_no_place_from_others(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend, ExitStack() as open_ones:
        text = config(backend.url, "one", extra="server: {max_requests: 2}")
        with serving(tmp_path, text) as router:
            halves = [socket.create_connection(("127.0.0.1", router.port)) for _ in range(500)]
            for half in halves:
                open_ones.enter_context(half)
                half.sendall(HALF)
            for stream in (False, True):
                assert router.chat(stream=stream).status == 200
            assert len(backend.requests) == 2, "half a body asks no model"
            halves[0].sendall(b" " * 98 + b"x")
            assert halves[0].recv(12) == b"HTTP/1.1 400", "and it may still become whole"


def test_too_many_connections_are_told_to_come_back_at_different_times(tmp_path: Path) -> None:
    with (
        upstream() as backend,
        serving(tmp_path, config(backend.url, "one", extra="server: {max_connections: 1}")) as router,
        socket.create_connection(("127.0.0.1", router.port)) as first,
    ):
        first.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first.recv(12) == b"HTTP/1.1 200"
        told = [parse(router.raw(b"")) for _ in range(8)]
        assert {(one.status, one.json()["error"]["code"]) for one in told} == {(429, "overloaded")}
        waits = {float(one.headers["retry-after"]) for one in told}
        assert len(waits) > 1
        assert 1.0 <= min(waits) <= max(waits) <= 3.0
