"""What ASGI is promised (version 3.0, HTTP spec 2.3), on a connection without a network."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import pytest
import uvicorn

from llm_inference_router.server.protocol import Protocol
from llm_inference_router.server.reply import EXTENSION
from tests.server.test_protocol import Wire

POST = b"POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%b\r\n"
GET = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
WHOLE = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
STREAM = {"type": "http.response.start", "status": 200, "headers": []}


class Talk:
    """`app` answers; a clock tick is a round of the loop."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        settings = uvicorn.Config(app, interface="asgi3", proxy_headers=False, log_config=None, date_header=False)
        settings.load()
        self.state = uvicorn.server.ServerState()
        self.protocol = Protocol(settings, self.state, {"shared": 1})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    async def says(self, *parts: bytes) -> bytes:
        for part in parts:
            self.protocol.data_received(part)
            for _ in range(12):
                await asyncio.sleep(0)
        return self.wire.sent


def talk(app: Callable[..., Awaitable[None]], *parts: bytes) -> bytes:
    async def run() -> bytes:
        return await Talk(app).says(*parts)

    return asyncio.run(run())


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says back what it was told, and what it was told about it."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    told = (
        f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} {scope['http_version']} ".encode() + body
    )
    await send({**WHOLE, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        (b"/p", "/p", ""),
        (b"/p?a=1&b=%20", "/p", "a=1&b=%20"),
        (b"/a%20b/%C3%A9", "/a b/é", ""),
        (b"http://host:80/p?x", "/p", "x"),
        (b"/p#part", "/p", ""),
    ],
)
def test_path_and_query_are_told_apart(url: bytes, path: str, query: str) -> None:
    sent = talk(echo, b"GET " + url + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert sent.endswith(f"GET {path}?{query} 1.1 ".encode())


def test_a_body_comes_however_it_is_cut() -> None:
    message = POST % (5, b"") + b"12345"
    for cut in range(1, len(message)):
        assert talk(echo, message[:cut], message[cut:]).endswith(b"POST /p? 1.1 12345")
    assert talk(echo, *(message[at : at + 1] for at in range(len(message)))).endswith(b" 12345")


def test_a_chunked_body_comes_whole() -> None:
    head = b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert talk(echo, head + b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n").endswith(b" abcde")


def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    released: list[asyncio.Event] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        released.append(asyncio.Event())
        await released[-1].wait()
        await echo(scope, receive, send)

    async def run() -> None:
        one = Talk(slow)
        await one.says(GET % (b"1", b"") + GET % (b"2", b"") + POST % (1, b"") + b"x")
        for count in (1, 2, 3):
            assert len(released) == count, "only one runs at a time"
            released[-1].set()
            sent = await one.says(b"")
        assert [sent.count(b"GET /1?"), sent.count(b"GET /2?"), sent.count(b"POST /p? 1.1 x")] == [1, 1, 1]
        assert sent.index(b"/1?") < sent.index(b"/2?") < sent.index(b"/p?")
        assert not one.wire.closed

    asyncio.run(run())


def test_a_client_that_leaves_is_told_to_whoever_listens_also_behind_another_request() -> None:
    heard: list[str] = []

    async def listens(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        heard.append((await receive())["type"])
        await send(WHOLE)  # nobody is there: nothing is sent, and nothing goes wrong

    async def run() -> None:
        one = Talk(listens)
        await one.says(GET % (b"1", b"") + GET % (b"2", b""))
        one.protocol.connection_lost(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert heard == ["http.disconnect"]
        assert one.wire.sent == b""
        assert not one.state.connections

    asyncio.run(run())


def test_whoever_listens_hears_the_end_of_his_own_answer() -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await send(WHOLE)
        await send({"type": "http.response.body", "body": b"ok"})
        heard.append((await listening)["type"])

    talk(app, GET % (b"", b""))
    assert heard == ["http.disconnect"]


def test_a_client_that_waits_to_be_told_is_told_to_go_on_once_the_body_is_wanted() -> None:
    sent = talk(echo, POST % (2, b"Expect: 100-continue\r\n"), b"hi")
    assert sent.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")

    async def refuses(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    assert b"100 Continue" not in talk(refuses, POST % (2, b"Expect: 100-continue\r\n"))


async def streams(scope: Any, receive: Any, send: Any) -> None:
    await send(STREAM)
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


def test_a_body_of_unknown_length_is_chunked() -> None:
    sent = talk(streams, GET % (b"", b""))
    assert sent.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_head_is_answered_without_a_body() -> None:
    for app in (echo, streams):
        sent = talk(app, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
        assert sent.endswith(b"\r\n\r\n")
        assert b"chunked" not in sent


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    assert b"transfer-encoding" not in talk(app, GET % (b"", b""))


@pytest.mark.parametrize(
    ("request_", "closes"),
    [
        (GET % (b"", b""), False),
        (GET % (b"", b"Connection: close\r\n"), True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
    ],
)
def test_the_connection_stays_open_where_the_client_wants_it(request_: bytes, closes: bool) -> None:
    async def run() -> None:
        one = Talk(echo)
        sent = await one.says(request_)
        assert one.wire.closed is closes
        assert (b"connection: close" in sent) is closes

    asyncio.run(run())


def test_a_shutdown_answers_what_runs_and_what_waits_and_then_closes() -> None:
    free = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await free.wait()
        await echo(scope, receive, send)

    async def run() -> None:
        one, idle = Talk(app), Talk(app)
        await one.says(GET % (b"1", b"") + GET % (b"2", b""))
        one.protocol.shutdown()
        idle.protocol.shutdown()
        assert (one.wire.closed, idle.wire.closed) == (False, True)
        free.set()
        sent = await one.says(b"")
        assert b"/1?" in sent
        assert b"/2?" in sent
        assert one.wire.closed

    asyncio.run(run())


WRONG = [
    [],
    [STREAM],
    [{"type": "http.response.body", "body": b"x"}],
    [WHOLE, {"type": "http.response.body", "body": b"x"}],
    [WHOLE, {"type": "http.response.body", "body": b"xxx"}],
    [{**STREAM, "headers": [(b"a", b"b\r\nc: d")]}],
    [{**STREAM, "headers": [(b"a\n", b"b")]}],
    [STREAM, STREAM],
]


@pytest.mark.parametrize("messages", WRONG, ids=range(len(WRONG)))
def test_an_application_that_is_wrong_is_said_on_the_log_and_never_taken_for_an_answer(
    messages: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    async def run() -> None:
        one = Talk(app)
        sent = await one.says(GET % (b"", b""))
        assert one.wire.closed
        assert caplog.records
        assert b"c: d" not in sent
        if sent.startswith(b"HTTP/1.1 200"):
            assert not sent.endswith(b"0\r\n\r\n")
        else:
            assert sent == b"" or sent.startswith(b"HTTP/1.1 500 ")

    asyncio.run(run())


def test_a_client_that_does_not_read_holds_back_who_sends() -> None:
    passed: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(STREAM)
        for number in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            passed.append(number)

    async def run() -> None:
        one = Talk(app)
        one.protocol.pause_writing()
        await one.says(GET % (b"", b""))
        assert passed == []
        one.protocol.resume_writing()
        await one.says(b"")
        assert passed == [0, 1, 2]

    asyncio.run(run())


def test_while_requests_wait_no_more_is_read() -> None:
    free = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await free.wait()
        free.clear()
        await echo(scope, receive, send)

    async def run() -> None:
        one = Talk(app)
        await one.says(GET % (b"1", b"") + GET % (b"2", b"") + POST % (2, b""))
        seen = [one.wire.paused]
        for _ in range(2):
            free.set()
            await one.says(b"")
            seen.append(one.wire.paused)
        assert seen == [True, True, False]
        free.set()
        assert (await one.says(b"hi")).endswith(b" hi")

    asyncio.run(run())


def test_a_body_that_nobody_takes_is_not_read_on() -> None:
    free = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await free.wait()
        await echo(scope, receive, send)

    async def run() -> None:
        one = Talk(app)
        await one.says(POST % (200_000, b"") + b"x" * 100_000)
        seen = [one.wire.paused]
        free.set()
        await one.says(b"")
        assert [*seen, one.wire.paused] == [True, False]
        assert (await one.says(b"x" * 100_000)).endswith(b"x" * 200_000)

    asyncio.run(run())


def test_a_client_that_leaves_lets_go_who_waits_to_send_and_who_asked_to_hear() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"][EXTENSION]["leaving"].add(lambda: told.append("left"))
        await send(STREAM)
        told.append("let go")

    async def run() -> None:
        one = Talk(app)
        one.protocol.pause_writing()
        await one.says(GET % (b"", b""))
        assert told == []
        one.protocol.connection_lost(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert told == ["left", "let go"]

    asyncio.run(run())


def test_what_goes_wrong_behind_an_answer_costs_the_next_one_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)
        await asyncio.sleep(0)
        if scope["path"] == "/1":
            raise ValueError("late")

    sent = talk(app, GET % (b"1", b"") + GET % (b"2", b""))
    assert b"GET /2?" in sent
    assert caplog.records


@pytest.mark.parametrize("piece", [b"GET /" + b"a" * 5000, b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 5000])
def test_a_head_in_one_endless_line_has_a_bound(piece: bytes) -> None:
    sent = talk(echo, piece, *[b"a" * 5000] * 10)
    assert sent.startswith(b"HTTP/1.1 413 ")
    assert b"headers_too_large" in sent


def test_a_head_behind_a_large_body_counts_only_for_itself() -> None:
    body = b"x" * 100_000
    message = POST % (len(body), b"") + body + GET % (b"next", b"")
    assert b"GET /next?" in talk(echo, message[:-10], message[-10:])


def test_parsers_are_as_the_protocol_takes_them() -> None:
    """The place behind a request that asks for another protocol is the first argument of what it raises."""

    class Nothing:
        """No callbacks."""

    data = POST % (4, b"Connection: Upgrade\r\nUpgrade: h2c\r\n")
    with pytest.raises(httptools.HttpParserUpgrade) as raised:
        httptools.HttpRequestParser(Nothing()).feed_data(data + b"more")
    assert raised.value.args[0] == len(data)
