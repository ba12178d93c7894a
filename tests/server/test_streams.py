"""Streams through the whole router on raw sockets: slow clients, odd packets, upstreams that break off or go silent."""

import asyncio
import socket
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from llm_inference_router.config.load import load
from llm_inference_router.server.app import Router as App
from tests.serving.router import Answer, Router, config, events, parse, serving
from tests.serving.upstream import STREAM_HEAD, Behaviour, Request, Upstream, answers, delta, event, in_turn, upstream

END = event(delta(finish="stop")) + event(b"[DONE]") + b"0\r\n\r\n"
BODY = orjson.dumps({"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]})


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    limits = "{connect: 1s, first_token: 5s, idle: 1s, total: 60s}"
    with serving(tmp_path_factory.mktemp("streams"), config(backend.url, "one", timeouts=limits)) as running:
        yield running


def packets(*parts: bytes, pause_s: float = 0.05, then: str = "") -> Behaviour:
    """Each part as a packet of its own; then silence, a closed connection or nothing."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if then == "silence":
            await asyncio.sleep(3600)
        elif then == "close":
            writer.close()

    return behave


def words(answer: Answer) -> list[str]:
    """The content of the chunks that are chunks."""
    chunks = [one for one in events(answer) if one != "[DONE]" and "choices" in one]
    return [text for one in chunks if (text := one["choices"][0]["delta"].get("content"))]


def test_packets_of_several_events_arrive_whole_and_in_order(router: Router, backend: Upstream) -> None:
    two = event(delta("c ")) + event(delta("d "))
    backend.behaviours["one"] = packets(
        STREAM_HEAD + event(delta("a ")), event(delta("b ")), two, event(delta("e ")) + END
    )
    answer = router.chat(stream=True)
    assert words(answer) == ["a ", "b ", "c ", "d ", "e "]
    assert events(answer)[-1] == "[DONE]"


def test_events_that_are_cut_anywhere_arrive_whole(router: Router, backend: Upstream) -> None:
    data = b"".join(event(delta(f"w{number} ")) for number in range(8)) + END
    parts = [data[at : at + 97] for at in range(0, len(data), 97)]
    backend.behaviours["one"] = packets(STREAM_HEAD, *parts, pause_s=0.005)
    answer = router.chat(stream=True)
    assert words(answer) == [f"w{number} " for number in range(8)]
    assert events(answer)[-1] == "[DONE]"


def test_an_upstream_that_breaks_off_ends_with_an_error(router: Router, backend: Upstream) -> None:
    parts = [event(delta(f"w{number} ")) for number in range(3)]
    backend.behaviours["one"] = packets(STREAM_HEAD, *parts, then="close")
    answer = router.chat(stream=True)
    assert words(answer) == ["w0 ", "w1 ", "w2 "]
    assert events(answer)[-1]["error"]["code"] == "upstream_truncated"


def test_an_upstream_that_falls_silent_ends_with_an_error(router: Router, backend: Upstream) -> None:
    parts = [event(delta(f"w{number} ")) for number in range(3)]
    backend.behaviours["one"] = packets(STREAM_HEAD, *parts, pause_s=0.5, then="silence")  # longer than idle, in all
    answer = router.chat(stream=True)
    assert words(answer) == ["w0 ", "w1 ", "w2 "]
    assert events(answer)[-1]["error"]["type"] == "upstream_error"


def test_a_slow_client_stops_its_upstream_and_loses_nothing(router: Router, backend: Upstream) -> None:
    sent = 0
    padding = "x" * 10_000  # beside the text, of which no answer has so much
    total = 5_000

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        nonlocal sent
        writer.write(STREAM_HEAD)
        for number in range(total):
            writer.write(event(delta(f"{number}: ", padding=padding)))
            await writer.drain()
            sent += 1
            if number < 5:
                await asyncio.sleep(0.02)
        writer.write(END)

    backend.behaviours["one"] = behave
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", router.port))
        head = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        )
        connection.sendall(head % len(BODY) + BODY)
        seen = [connection.recv(1000)]
        before = -1
        while before != sent:
            before = sent
            asyncio.run(asyncio.sleep(0.6))  # and more than one sweep of the connections passes
        assert sent < total / 2, "what the buffers of four sockets and the router hold, and no more"
        while part := connection.recv(1_000_000):
            seen.append(part)
    answer = parse(b"".join(seen))
    assert [one.partition(":")[0] for one in words(answer)] == [str(number) for number in range(total)]
    assert events(answer)[-1] == "[DONE]"


def test_a_server_that_knows_asgi_alone_gets_the_same_stream(backend: Upstream, tmp_path: Path) -> None:
    backend.behaviours["one"] = packets(
        STREAM_HEAD, *[event(delta(f"w{number} ")) for number in range(4)], END, pause_s=0
    )
    (tmp_path / "router.yaml").write_text(
        config(backend.url, "one", extra=f"store: {{url: 'sqlite:///{tmp_path}/r.db'}}")
    )
    sent: list[MutableMapping[str, Any]] = []

    asked: Iterator[MutableMapping[str, Any]] = iter([{"type": "http.request", "body": BODY, "more_body": False}])

    async def receive() -> MutableMapping[str, Any]:
        for message in asked:
            return message
        await asyncio.Event().wait()  # it never leaves
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        app = App(load(tmp_path / "router.yaml"))
        await app.start()
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [(b"host", b"localhost")]}
        await app(scope, receive, send)
        await app.stop()

    asyncio.run(run())
    assert [one["type"] for one in sent] == ["http.response.start"] + ["http.response.body"] * (len(sent) - 1)
    answer = Answer(sent[0]["status"], {}, b"".join(one["body"] for one in sent[1:]))
    assert words(answer) == ["w0 ", "w1 ", "w2 ", "w3 "]
    assert events(answer)[-1] == "[DONE]"


def test_requests_that_wait_in_line_on_one_connection_are_answered_in_turn(router: Router, backend: Upstream) -> None:
    whole = BODY.replace(b'"stream":true', b'"stream":false')
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n%b\r\n"
    backend.behaviours["one"] = in_turn(
        packets(STREAM_HEAD, *[event(delta(f"w{number} ")) for number in range(4)], END),
        answers("second"),
        packets(STREAM_HEAD, *[event(delta(f"w{number} ")) for number in range(4, 8)], END),
        answers("fourth"),
    )
    seen = router.raw(
        b"".join(head % (len(body), b"") + body for body in (BODY, whole, BODY))
        + (head % (len(whole), b"Connection: close\r\n") + whole)
    )
    found = [seen.find(word) for word in (b"w0 ", b"w3 ", b"[DONE]", b"second", b"w4 ", b"w7 ", b"fourth")]
    assert -1 not in found
    assert found == sorted(found)
    assert seen.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert seen.count(b"[DONE]") == 2
