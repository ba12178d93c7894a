"""The client under every upstream call: what it reuses, what it refuses, and the fault it makes of each failure."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from msgspec import structs

from llm_inference_router.backends.base import Call
from llm_inference_router.transport.base import TransportFault
from llm_inference_router.transport.http import HttpTransport
from llm_inference_router.types import Endpoint, Model, Price, Timeouts

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CALL = Call("/chat", b'{"a":1}')
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def model(url: str, connect: float = 1.0) -> Model:
    endpoint = Endpoint("m@x", url)
    return Model(
        "m",
        "openai",
        "m",
        (endpoint,),
        "small",
        "cloud",
        "",
        1000,
        None,
        Price(),
        frozenset(),
        Timeouts(connect=connect),
    )


class Peer:
    """Answers each request with the next of `answers`; counts connections and keeps the bytes of each request."""

    def __init__(self, *answers: bytes, split: int = 0, close: bool = False) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.requests: list[bytes] = []
        self.split = split
        self.close = close
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")
                )
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                step = self.split or len(answer) or 1
                for at in range(0, len(answer), step):
                    writer.write(answer[at : at + step])
                    await writer.drain()
                    if self.split:
                        await asyncio.sleep(0)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://localhost:{port}/v1" if tls else f"http://127.0.0.1:{port}/v1"
    finally:
        server.close()


@asynccontextmanager
async def client(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport({"m": (("Authorization", "Bearer secret"),)}, tls)
    try:
        yield transport
    finally:
        await transport.close()


async def ask(transport: HttpTransport, url: str, call: Call = CALL) -> bytes:
    target = model(url)
    response = await transport.send(call, target, target.endpoints[0])
    try:
        return await response.read(10**6)
    finally:
        response.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    uvloop.run(bounded())


async def fault_of(url: str, **tls: ssl.SSLContext) -> str:
    async with client(**tls) as transport:
        with pytest.raises(TransportFault) as caught:
            await ask(transport, url)
    assert "127.0.0.1" not in caught.value.fault.message
    assert "localhost" not in caught.value.fault.message
    return caught.value.fault.kind


def test_requests_in_turn_share_a_connection() -> None:
    async def test() -> None:
        peer = Peer(OK)
        async with listening(peer.serve) as url, client() as transport:
            for _ in range(5):
                assert await ask(transport, url) == b"ok"
        assert peer.connections == 1

    run(test)


def test_the_request_is_what_was_asked_for() -> None:
    async def test() -> None:
        peer = Peer(OK)
        async with listening(peer.serve) as url, client() as transport:
            await ask(transport, url, Call("/chat", b"body", (("anthropic-version", "1"),)))
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /v1/chat HTTP/1.1"
        assert "Accept-Encoding: identity" in lines
        assert "Authorization: Bearer secret" in lines
        assert "anthropic-version: 1" in lines
        assert len([line for line in lines if line.startswith("Host: ")]) == 1
        assert body == b"body"

    run(test)


@pytest.mark.parametrize("split", [1, 2, 7])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
    ],
)
def test_answers_may_be_split_anywhere(answer: bytes, body: bytes, split: int) -> None:
    async def test() -> None:
        peer = Peer(answer, split=split)
        async with listening(peer.serve) as url, client() as transport:
            assert await ask(transport, url) == body
            assert await ask(transport, url) == body
        assert peer.connections == 1

    run(test)


def test_a_body_that_ends_with_its_connection_is_read_to_the_end() -> None:
    async def test() -> None:
        peer = Peer(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)
        async with listening(peer.serve) as url, client() as transport:
            assert await ask(transport, url) == b"all of it"

    run(test)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "truncated"),
        (b"SSH-2.0-OpenSSH\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", "malformed"),
    ],
)
def test_broken_answers_are_told_apart(answer: bytes, kind: str) -> None:
    async def test() -> None:
        async with listening(Peer(answer, close=True).serve) as url:
            assert await fault_of(url) == kind

    run(test)


def test_no_listener_is_a_connect_fault_and_no_name_a_dns_fault() -> None:
    async def test() -> None:
        assert await fault_of("http://127.0.0.1:1/v1") == "connect"
        assert await fault_of("http://no-such-host.invalid/v1") == "dns"

    run(test)


def test_an_address_that_swallows_packets_times_out() -> None:
    async def test() -> None:
        async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        import socket

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        target = model(f"http://127.0.0.1:{port}/v1", connect=0.2)
        async with client() as transport:
            with pytest.raises(TransportFault) as caught:
                await asyncio.wait_for(transport.send(CALL, target, target.endpoints[0]), 5)
        assert caught.value.fault.kind == "timeout.connect"
        for one in (*waiting, listener):
            one.close()

    run(test)


def test_an_answer_that_is_not_wanted_any_more_costs_its_connection() -> None:
    async def test() -> None:
        peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
        async with listening(peer.serve) as url, client() as transport:
            target = model(url)
            response = await transport.send(CALL, target, target.endpoints[0])
            response.close()
            await asyncio.wait_for(peer.gone.wait(), 1)

    run(test)


def test_a_finished_stream_keeps_its_connection_though_its_end_came_late() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(len(CALL.body))
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n")
                    await asyncio.sleep(0.05)
                    writer.write(b"0\r\n\r\n")
                    assert head
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        connections: list[asyncio.StreamWriter] = []
        async with listening(serve) as url, client() as transport:
            for _ in range(3):
                target = model(url)
                response = await transport.send(CALL, target, target.endpoints[0])
                assert await response.pump(lambda data: data != b"done")
                response.close(finished=True)
                await asyncio.sleep(0.1)
        assert len(connections) == 1

    run(test)


def test_a_connection_is_free_when_its_answer_is_closed_and_never_after_one_that_is_discarded() -> None:
    async def test() -> None:
        peer = Peer(OK)
        async with listening(peer.serve) as url, client() as transport:
            target = model(url)
            first = await transport.send(CALL, target, target.endpoints[0])
            assert await first.read(1000) == b"ok"
            second = await transport.send(CALL, target, target.endpoints[0])
            assert peer.connections == 2, "whether the first is well is not known yet"
            assert await second.read(1000) == b"ok"
            first.discard()
            second.close()
            assert await ask(transport, url) == b"ok"
        assert peer.connections == 2

    run(test)


def test_an_idle_connection_that_the_peer_closed_is_not_used_again() -> None:
    async def test() -> None:
        peer = Peer(OK, close=True)
        async with listening(peer.serve) as url, client() as transport:
            for _ in range(3):
                assert await ask(transport, url) == b"ok"
                await asyncio.sleep(0.02)
        assert peer.connections == 3

    run(test)


def test_bytes_that_nobody_asked_for_reach_nobody() -> None:
    async def test() -> None:
        stray = b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nSTRAY"
        peer = Peer(OK + stray)
        async with listening(peer.serve) as url, client() as transport:
            for _ in range(3):
                target = model(url)
                response = await transport.send(CALL, target, target.endpoints[0])
                assert response.status == 200
                assert await response.read(1000) == b"ok"
                response.close()
        assert peer.connections == 3, "a connection that is out of step is not used again"

    run(test)


def test_headers_of_clients_are_not_remembered_for_ever() -> None:
    async def test() -> None:
        peer = Peer(OK)
        async with listening(peer.serve) as url, client() as transport:
            for number in range(3000):
                call = structs.replace(CALL, headers=(("anthropic-beta", f"feature-{number}"),))
                assert await ask(transport, url, call) == b"ok"
            assert len(transport._heads) <= 1024

    run(test)


def test_an_answer_larger_than_the_limit_is_refused() -> None:
    async def test() -> None:
        body = b"x" * 200_000
        peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        async with listening(peer.serve) as url, client() as transport:
            target = model(url)
            response = await transport.send(CALL, target, target.endpoints[0])
            with pytest.raises(TransportFault):
                await response.read(100_000)
            response.close()

    run(test)


def test_a_slow_reader_slows_the_upstream_down() -> None:
    async def test() -> None:
        sent = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            try:
                while sent < 100_000_000:
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    sent += 100_000
            except ConnectionError:
                pass
            writer.close()

        async with listening(serve) as url, client() as transport:
            target = model(url)
            response = await transport.send(CALL, target, target.endpoints[0])
            await asyncio.sleep(0.5)
            stalled = sent
            await asyncio.sleep(0.3)
            assert sent == stalled < 30_000_000  # what the two sockets' buffers hold, and no more
            response.close()
            await asyncio.sleep(0.05)

    run(test)


FOLDER = Path(__file__).parent  # a self-signed certificate for the name localhost, good for a hundred years


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(FOLDER / "localhost.cert.pem", FOLDER / "localhost.key.pem")
    return server, ssl.create_default_context(cafile=str(FOLDER / "localhost.cert.pem"))


def test_tls_answers_share_a_connection_too() -> None:
    async def test() -> None:
        server, trusting = contexts()
        peer = Peer(OK)
        async with listening(peer.serve, server) as url, client(trusting) as transport:
            for _ in range(3):
                assert await ask(transport, url) == b"ok"
        assert peer.connections == 1

    run(test)


def test_a_certificate_that_is_not_trusted_is_a_tls_fault() -> None:
    async def test() -> None:
        server, _ = contexts()
        async with listening(Peer(OK).serve, server) as url:
            assert await fault_of(url) == "tls"

    run(test)


def test_a_certificate_for_another_name_is_a_tls_fault() -> None:
    async def test() -> None:
        server, trusting = contexts()
        async with listening(Peer(OK).serve, server) as url:
            assert await fault_of(url.replace("localhost", "127.0.0.1"), tls=trusting) == "tls"

    run(test)


def test_a_server_without_tls_is_a_tls_fault() -> None:
    async def test() -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        async with listening(plain) as url:
            assert await fault_of(url.replace("http://", "https://")) == "tls"

    run(test)
