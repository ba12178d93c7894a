"""What is odd about a request, a head or a trailer: answered where it can be, refused in its turn where not."""

import asyncio
from typing import Any

import pytest

from tests.server.test_cycle import GET, POST, STREAM, Talk, echo, streams, talk


def test_a_client_that_asks_for_another_protocol_is_answered_in_this_one_again_and_again() -> None:
    """Java's client does, with every request over plain HTTP."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    sent = talk(echo, POST % (2, wish) + b"ab", POST % (2, wish) + b"cd", GET % (b"", wish) + GET % (b"last", b""))
    assert sent == talk(
        echo, *[(POST % (2, wish) + b"ab" + POST % (2, wish))], b"cd", GET % (b"", wish), GET % (b"last", b"")
    )
    for told in (b"1.1 ab", b"1.1 cd", b"GET /? 1.1 ", b"GET /last? 1.1 "):
        assert told in sent


TUNNEL = b"CONNECT /%b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n%b\r\nhi"


@pytest.mark.parametrize("wish", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_a_tunnel_is_refused_and_never_run(wish: bytes) -> None:
    before = POST % (2, b"Connection: Upgrade\r\nUpgrade: h2c\r\n") + b"ab"
    sent = talk(echo, before, TUNNEL % (b"p", wish))
    assert sent.count(b"HTTP/1.1 200 ") == 1
    assert sent.count(b"HTTP/1.1 400 ") == 1
    assert b"CONNECT" not in sent


def test_hundreds_of_wishes_at_once_are_answered_up_to_what_may_wait() -> None:
    async def run() -> None:
        one = Talk(echo)
        await one.says(GET % (b"x", b"Connection: Upgrade\r\nUpgrade: h2c\r\n") * 1500)
        for _ in range(200):
            sent = await one.says(b"")
        assert sent.count(b"HTTP/1.1 200 ") == 101
        assert sent.count(b"HTTP/1.1 429 ") == 1
        assert one.wire.closed

    asyncio.run(run())


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2"])
def test_another_version_is_refused(version: bytes) -> None:
    assert talk(echo, b"GET / " + version + b"\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_old_client_gets_what_it_understands() -> None:
    sent = talk(streams, b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert sent.endswith(b"connection: close\r\n\r\nonetwo")
    sent = talk(echo, b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", b"hi")
    assert sent.startswith(b"HTTP/1.1 200 ")


CHUNKED = b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"


def test_trailers_are_thrown_away() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)
        seen.append(dict(scope["headers"]))

    assert talk(app, CHUNKED + b"0\r\nAuthorization: Bearer x\r\nX: y\r\n\r\n").endswith(b" hi")
    assert b"authorization" not in seen[0]


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 5000, b"X: a\r\n" * 1000])
def test_trailers_have_a_bound(piece: bytes) -> None:
    sent = talk(echo, CHUNKED + b"0\r\n", *[piece] * 20)
    assert sent.startswith(b"HTTP/1.1 413 ")


def test_a_body_in_the_smallest_chunks_has_none() -> None:
    assert talk(echo, CHUNKED, *[b"1\r\n", b"x\r\n"] * 12_000, b"0\r\n\r\n").endswith(b"hi" + b"x" * 12_000)


@pytest.mark.parametrize("started", [False, True])
def test_what_is_wrong_behind_a_request_is_said_behind_its_answer(started: bool) -> None:
    free = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if started:
            await send(STREAM)
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await free.wait()
        if not started:
            await send(STREAM)
        await send({"type": "http.response.body", "body": b"two"})

    async def run() -> None:
        one = Talk(app)
        sent = await one.says(GET % (b"", b""), b"garbage\r\n\r\n" + GET % (b"never", b""))
        assert b"400" not in sent
        free.set()
        sent = await one.says(b"")
        assert b"3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 400 " in sent
        assert sent.count(b"HTTP/1.1 ") == 2
        assert one.wire.closed

    asyncio.run(run())


def test_a_body_that_is_wrong_is_said_where_nothing_was_and_cuts_an_answer_that_has_begun() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send(STREAM)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await receive()
        await receive()

    async def run() -> None:
        for app, begins in ((echo, b"HTTP/1.1 400 "), (early, b"HTTP/1.1 200 ")):
            one = Talk(app)
            sent = await one.says(CHUNKED, b"no chunk\r\n")
            assert sent.startswith(begins)
            assert sent.count(b"HTTP/1.1 ") == 1
            assert not sent.endswith(b"0\r\n\r\n")
            assert one.wire.closed

    asyncio.run(run())
