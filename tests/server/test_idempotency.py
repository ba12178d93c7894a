"""A request with an idempotency key is answered once, whatever happens in between."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.serving.router import Answer, Router, config, events, serving
from tests.serving.upstream import Request, Upstream, answers, completion, in_turn, sends, upstream, whole

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
    with closing(sqlite3.connect(router.database)) as database:
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
        assert asked.wait(10)
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


def test_a_client_that_left_may_ask_again(router: Router, backend: Upstream) -> None:
    async def never(writer: asyncio.StreamWriter, request: Request) -> None:
        await asyncio.sleep(60)

    backend.behaviours["one"] = in_turn(never, answers())
    with pytest.raises(TimeoutError):
        _ask_for_a_moment(router)
    for _ in range(100):
        answer = router.chat(headers=KEY)
        if answer.status == 200:
            break
        assert code(answer) == "idempotency_in_progress"
    assert answer.status == 200


def _ask_in_vain(router: Router) -> None:
    with suppress(OSError, ValueError, IndexError):
        router.chat(headers=KEY)


def _ask_for_a_moment(router: Router) -> None:
    body = b'{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nidempotency-key: {KEY['idempotency-key']}\r\n"
    router.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, timeout=0.3)


def test_keys_of_two_clients_do_not_meet(backend: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, config(backend.url, "one", extra=KEYS)) as router:
        for name in ("sk-one", "sk-two"):
            assert router.chat(headers={**KEY, "Authorization": f"Bearer {name}"}).status == 200
        assert len(backend.requests) == 2
        assert router.chat(text="other", headers={**KEY, "Authorization": "Bearer wrong"}).status == 401


@pytest.mark.parametrize("bad", ["", " ", "x" * 300, "a\tb"])
def test_a_key_that_is_none_is_a_400(router: Router, backend: Upstream, bad: str) -> None:
    answer = router.chat(headers={"idempotency-key": bad})
    assert (answer.status, answer.json()["error"]["param"]) == (400, "idempotency-key")
    assert not backend.requests


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", [False, True])
def test_after_kill_9_it_is_still_known(backend: Upstream, tmp_path: Path, content: bool, stream: bool) -> None:
    text = config(backend.url, "one", extra=f"store: {{content: {str(content).lower()}}}")
    with serving(tmp_path, text) as router:
        first = router.chat(headers=KEY, stream=stream)
        router.chat()  # its record is committed after what came before it
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
        assert asked.wait(10)
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
