"""A request with an idempotency key is answered once, whatever happens in between."""

import asyncio
import resource
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving.router import Answer, Router, config, events, parse, serving
from tests.serving.upstream import Request, Upstream, answers, completion, drips, in_turn, sends, upstream, whole

HELLO = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
KEY = {"idempotency-key": "order-4711"}
KEYS = "server: {keys: [{name: one, key: sk-one}, {name: two, key: sk-two}]}"


@pytest.fixture
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture
def router(backend: Upstream, tmp_path: Path) -> Iterator[Router]:
    with serving(tmp_path, config(backend.url, "one")) as running:
        yield running


def code(answer: Answer) -> str:
    return str(answer.json()["error"]["code"])


def outcomes(router: Router) -> int:
    with closing(sqlite3.connect(router.settled())) as database:
        return int(database.execute("SELECT count(*) FROM outcomes").fetchone()[0])


@pytest.mark.parametrize("stream", [False, True])
def test_asked_again_it_gives_the_same_answer_and_asks_no_model(
    router: Router, backend: Upstream, stream: bool
) -> None:
    first = router.chat(headers=KEY, stream=stream)
    again = router.chat(headers=KEY, stream=stream)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["x-router-decision-id"] == first.headers["x-router-decision-id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert not stream or events(again)[-1] == "[DONE]"
    assert (len(backend.requests), outcomes(router)) == (1, 1)


def test_a_stream_that_came_piece_by_piece_is_given_again_whole(router: Router, backend: Upstream) -> None:
    """Most of its pieces are sent without waking the task that keeps it."""
    backend.behaviours["one"] = drips(0.02, times=30)
    first = router.chat(headers=KEY, stream=True)
    assert len(events(first)) > 30
    again = router.chat(headers=KEY, stream=True)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == first.body


def test_without_a_key_every_request_is_one_of_its_own(router: Router, backend: Upstream) -> None:
    router.chat()
    router.chat()
    assert len(backend.requests) == 2


def test_the_same_key_for_another_body_is_refused(router: Router, backend: Upstream) -> None:
    router.chat(headers=KEY)
    other = router.chat(text="Something else", headers=KEY)
    assert (other.status, code(other)) == (422, "idempotency_key_reused")
    assert len(backend.requests) == 1


def test_while_the_first_runs_the_second_is_told_to_wait(router: Router, backend: Upstream) -> None:
    asked, go = threading.Event(), threading.Event()

    async def slow(writer: asyncio.StreamWriter, request: Request) -> None:
        asked.set()
        while not go.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)
        await sends(whole(completion()))(writer, request)

    backend.behaviours["one"] = slow
    got: list[Answer] = []
    thread = threading.Thread(target=lambda: got.append(router.chat(headers=KEY)))
    thread.start()
    try:
        assert asked.wait(30)
        second = router.chat(headers=KEY)
        assert (second.status, code(second)) == (409, "idempotency_in_progress")
        assert second.headers["x-should-retry"] == "true"
        assert "retry-after" in second.headers
        assert code(router.chat(text="Something else", headers=KEY)) == "idempotency_key_reused"
    finally:
        go.set()
        thread.join()
    assert got[0].status == 200
    assert router.chat(headers=KEY).body == got[0].body
    assert len(backend.requests) == 1


def test_twenty_at_once_are_answered_once(router: Router, backend: Upstream) -> None:
    got: list[Answer] = []
    threads = [threading.Thread(target=lambda: got.append(router.chat(headers=KEY))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.status for one in got} <= {200, 409}
    assert len({one.body for one in got if one.status == 200}) == 1
    assert (len(backend.requests), outcomes(router)) == (1, 1)


def test_a_request_that_failed_leaves_its_key_free(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = in_turn(sends(whole({"error": {"message": "bad"}}, 400)), answers())
    assert router.chat(headers=KEY).status == 400
    assert router.chat(headers=KEY).status == 200
    assert len(backend.requests) == 2


@pytest.mark.parametrize("restart", [False, True], ids=["", "after kill -9"])
def test_a_request_whose_client_left_is_not_run_again(backend: Upstream, tmp_path: Path, restart: bool) -> None:
    """A model may have done the work: only a new key asks it once more."""

    async def never(writer: asyncio.StreamWriter, request: Request) -> None:
        await asyncio.sleep(60)

    backend.behaviours["one"] = in_turn(never, answers())
    text = config(backend.url, "one", timeouts="{connect: 1s, first_token: 30s, idle: 30s, total: 60s}")
    with serving(tmp_path, text) as router:
        _ask_and_leave(router, backend)
        while (first := code(router.chat(headers=KEY))) == "idempotency_in_progress":
            time.sleep(0.05)
        assert first == "idempotency_interrupted"
        while not outcomes(router):
            time.sleep(0.05)
        if restart:
            router.process.kill()
            router.process.wait()
    if restart:
        with serving(tmp_path, text) as router:
            again = router.chat(headers=KEY)
            assert (again.status, code(again)) == (409, "idempotency_interrupted")
            assert again.headers["x-should-retry"] == "false"
            assert router.chat(headers={"idempotency-key": "another"}).status == 200
    assert len(backend.requests) == 1 + restart


@pytest.mark.parametrize("refused", ["by the router", "by the model"])
def test_the_key_of_a_request_that_failed_is_free_after_kill_9(backend: Upstream, tmp_path: Path, refused: str) -> None:
    bad: Any = b"{"
    if refused == "by the model":
        bad = HELLO
        backend.behaviours["one"] = in_turn(sends(whole({"error": {"message": "bad"}}, 400)), answers())
    text = config(backend.url, "one")
    with serving(tmp_path, text) as router:
        assert router.ask("/v1/chat/completions", bad, headers=KEY).status == 400
        router.process.kill()
        router.process.wait()
    with serving(tmp_path, text) as router:
        assert router.ask("/v1/chat/completions", HELLO, headers=KEY).status == 200


def test_the_same_bytes_at_another_path_are_another_request(router: Router, backend: Upstream) -> None:
    body = {"model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
    assert router.ask("/v1/chat/completions", body, headers=KEY).status == 200
    assert router.ask("/v1/messages", body, headers=KEY).status == 422
    assert len(backend.requests) == 1


def until_the_last_byte(router: Router, body: Any) -> Answer:
    """An answer on a connection that stays open: it is here the moment its last byte is."""
    data = orjson.dumps(body)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nidempotency-key: {KEY['idempotency-key']}\r\n"
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=30)) as connection:
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        seen = b""
        while not seen.endswith(b"0\r\n\r\n" if body["stream"] else b"}"):
            seen += connection.recv(65536)
    return parse(seen)


@contextmanager
def locked(router: Router) -> Iterator[None]:
    with closing(sqlite3.connect(router.database, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@contextmanager
def full(router: Router) -> Iterator[None]:
    """No room for the database; the small file beside it still has some."""
    _, hard = resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE)
    room = sum(file.stat().st_size for file in router.folder.glob("router.db*")) // 2
    resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE, (room, hard))
    yield


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("trouble", [locked, full])
def test_a_database_that_fails_between_claim_and_answer_costs_no_second_run(
    backend: Upstream, tmp_path: Path, content: bool, trouble: Callable[[Router], AbstractContextManager[None]]
) -> None:
    asked, go = threading.Event(), threading.Event()

    async def slow(writer: asyncio.StreamWriter, request: Request) -> None:
        asked.set()
        while not go.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)
        await sends(whole(completion()))(writer, request)

    backend.behaviours["one"] = slow
    timeouts = "{connect: 1s, first_token: 30s, idle: 30s, total: 60s}"
    text = config(backend.url, "one", extra=f"store: {{content: {str(content).lower()}}}", timeouts=timeouts)
    got: list[Answer] = []
    with serving(tmp_path, text) as router:
        thread = threading.Thread(target=lambda: got.append(router.chat(headers=KEY)))
        thread.start()
        assert asked.wait(30)
        with trouble(router):
            go.set()
            thread.join()
            assert got[0].status == 200
            router.process.kill()
            router.process.wait()
    with serving(tmp_path, text) as router:
        again = router.chat(headers=KEY)
    if content:
        assert (again.status, again.body) == (200, got[0].body)
    else:
        assert (again.status, code(again)) == (409, "idempotency_already_answered")
    assert len(backend.requests) == 1


def _ask_in_vain(router: Router) -> None:
    with suppress(OSError, ValueError, IndexError):
        router.chat(headers=KEY)


def _ask_and_leave(router: Router, backend: Upstream) -> None:
    """Goes when the model has been asked."""
    body = b'{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nidempotency-key: {KEY['idempotency-key']}\r\n"
    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=30)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        end = time.monotonic() + 30
        while not backend.requests:
            assert time.monotonic() < end, "the model was not asked"
            time.sleep(0.01)


def test_keys_of_two_clients_do_not_meet(backend: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, config(backend.url, "one", extra=KEYS)) as router:
        for name in ("sk-one", "sk-two"):
            assert router.chat(headers={**KEY, "Authorization": f"Bearer {name}"}).status == 200
        assert len(backend.requests) == 2
        assert router.chat(text="other", headers={**KEY, "Authorization": "Bearer wrong"}).status == 401


def test_a_key_that_is_none_is_a_400(router: Router, backend: Upstream) -> None:
    for bad in ("", " ", "x" * 300, "a\tb"):
        answer = router.chat(headers={"idempotency-key": bad})
        assert (answer.status, answer.json()["error"]["param"]) == (400, "idempotency-key"), bad
    assert not backend.requests


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", [False, True])
def test_after_kill_9_it_is_still_known(backend: Upstream, tmp_path: Path, content: bool, stream: bool) -> None:
    text = config(backend.url, "one", extra=f"store: {{content: {str(content).lower()}}}")
    with serving(tmp_path, text) as router:
        first = until_the_last_byte(router, {**HELLO, "stream": stream})
        router.process.kill()
        router.process.wait()
    seen = len(backend.requests)
    with serving(tmp_path, text) as router:
        again = router.chat(headers=KEY, stream=stream)
        if content:
            assert (again.status, again.body) == (200, first.body)
        else:
            assert (again.status, code(again)) == (409, "idempotency_already_answered")
            assert first.headers["x-router-decision-id"] in again.json()["error"]["message"]
            assert again.headers["x-should-retry"] == "false"
        assert code(router.chat(text="other", headers=KEY)) == "idempotency_key_reused"
    assert len(backend.requests) == seen


def test_a_request_that_kill_9_interrupted_is_not_run_again(backend: Upstream, tmp_path: Path) -> None:
    asked = threading.Event()

    async def never(writer: asyncio.StreamWriter, request: Request) -> None:
        asked.set()
        await asyncio.sleep(60)

    backend.behaviours["one"] = never
    text = config(backend.url, "one")
    with serving(tmp_path, text) as router:
        thread = threading.Thread(target=_ask_in_vain, args=(router,))
        thread.start()
        assert asked.wait(30)
        router.process.kill()
        thread.join()
    with serving(tmp_path, text) as router:
        again = router.chat(headers=KEY)
    assert (again.status, code(again)) == (409, "idempotency_interrupted")
    assert len(backend.requests) == 1


def test_where_the_claim_cannot_be_kept_nothing_is_asked(router: Router, backend: Upstream) -> None:
    with closing(sqlite3.connect(router.database, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        answer = router.chat(headers=KEY)
        assert (answer.status, code(answer)) == (503, "store_unavailable")
        assert answer.headers["x-should-retry"] == "true"
        assert not backend.requests
        assert router.chat().status == 200
        database.execute("ROLLBACK")
    for _ in range(200):
        answer = router.chat(headers=KEY)
        if answer.status == 200:
            return
    raise AssertionError("the key stayed unusable")
