"""Clients that leave, processes that are killed, routers that are asked to stop."""

import asyncio
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.router import Router, config, events, serving, start
from tests.serving.upstream import (
    STREAM_HEAD,
    Behaviour,
    Request,
    Upstream,
    answers,
    delta,
    drips,
    event,
    sends,
    upstream,
    whole,
)


def open_request(router: Router, stream: bool, model: str = "auto") -> socket.socket:
    body = b'{"model":"%s","stream":%s,"messages":[{"role":"user","content":"hi"}]}' % (
        model.encode(),
        b"true" if stream else b"false",
    )
    connection = socket.create_connection(("127.0.0.1", router.port), timeout=15)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(head + body)
    return connection


def wait_until(what: str, condition: "object", seconds: float = 10.0) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.01)


def outcomes(router: Router) -> list[tuple[int, str | None]]:
    with closing(sqlite3.connect(router.database)) as database:
        return database.execute("SELECT status, error FROM outcomes").fetchall()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("behaviour", ["before the head", "in the middle"])
def test_a_client_that_leaves_frees_the_upstream_within_a_second(tmp_path: Path, stream: bool, behaviour: str) -> None:
    silent = sends(b"", then="hang")
    middle = drips(0.05) if stream else sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", then="hang")
    limits = "{connect: 1s, first_token: 30s, idle: 30s, total: 60s}"
    with (
        upstream(one=silent if behaviour == "before the head" else middle) as backend,
        serving(tmp_path, config(backend.url, "one", timeouts=limits)) as router,
    ):
        connection = open_request(router, stream)
        wait_until("the upstream was asked", lambda: bool(backend.requests))
        time.sleep(0.3)
        left_at = time.monotonic()
        connection.close()
        [request] = backend.requests
        wait_until("the upstream was let go", request.gone.is_set)
        assert time.monotonic() - left_at < 1.0
        wait_until("the outcome was recorded", lambda: outcomes(router) == [(499, "client_left")])
        assert router.ask("/livez").status == 200


def test_a_client_that_leaves_while_another_model_goes_on_frees_that_one_within_a_second(tmp_path: Path) -> None:
    said = [event(delta(f"w{number} ")) for number in range(9)]
    with upstream(one=sends(STREAM_HEAD + b"".join(said), then="reset"), two=goes_on()) as backend:
        text = config(backend.url, "one", "two", timeouts="{connect: 1s, first_token: 30s, idle: 30s, total: 60s}")
        text = text.replace("policy: {kind: fixed}", "on_cut_stream: continue, policy: {kind: fixed}")
        with serving(tmp_path, text) as router:
            connection = open_request(router, stream=True)
            seen = b""
            while b"more20 " not in seen:
                seen += connection.recv(65536)
            left_at = time.monotonic()
            connection.close()
            [request] = backend.asked("two")
            wait_until("the upstream was let go", request.gone.is_set)
            assert time.monotonic() - left_at < 1.0
            wait_until("the outcome was recorded", lambda: outcomes(router) == [(499, "client_left")])


def goes_on() -> Behaviour:
    """The rest of what `w0 w1 ...` begins, for ever."""

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        writer.write(STREAM_HEAD + event(delta("w7 w8 ")))
        for number in range(10**6):
            writer.write(event(delta(f"more{number} ")))
            await writer.drain()
            await asyncio.sleep(0.01)

    return behave


def test_a_client_that_leaves_while_a_retry_is_waited_for_ends_the_request_and_nothing_more_is_asked(
    tmp_path: Path,
) -> None:
    limited = sends(whole({"error": {"message": "later", "code": "rate_limit"}}, 429, "Retry-After: 3\r\n"))
    with upstream(one=limited) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        connection = open_request(router, stream=True)
        wait_until("the upstream was asked", lambda: bool(backend.requests))
        time.sleep(0.3)
        left_at = time.monotonic()
        connection.close()
        wait_until("the outcome was recorded", lambda: outcomes(router) == [(499, "client_left")])
        assert time.monotonic() - left_at < 2.0, "not after the three seconds that the upstream asked for"
        time.sleep(3.0)
        assert len(backend.requests) == 1


def test_a_client_that_leaves_is_billed_for_what_it_used(tmp_path: Path) -> None:
    with upstream(one=drips(0.02)) as backend, serving(tmp_path, config(backend.url, "zero", "one")) as router:
        connection = open_request(router, stream=True, model="one")
        while b"w5 " not in connection.recv(65536):
            pass
        connection.close()
        wait_until("the outcome was recorded", lambda: bool(outcomes(router)))
        with closing(sqlite3.connect(router.database)) as database:
            [(cost, source)] = database.execute("SELECT cost, usage_source FROM outcomes")
        assert cost > 0
        assert source == "estimated"


def test_a_client_that_leaves_before_anything_was_sent_is_billed_for_nothing(tmp_path: Path) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one connection waits, and the next is kept waiting
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        limits = "{connect: 30s, first_token: 30s, idle: 30s, total: 60s}"
        text = config(f"http://127.0.0.1:{port}/v1", "zero", "one", timeouts=limits)
        with serving(tmp_path, text) as router:
            connection = open_request(router, stream=True, model="one")

            def is_tried() -> bool:
                return 'llm_router_inflight{model="one"} 1.0' in router.ask("/metrics").body.decode()

            wait_until("the try began", is_tried)
            connection.close()
            wait_until("the outcome was recorded", lambda: outcomes(router) == [(499, "client_left")])
            with closing(sqlite3.connect(router.database)) as database:
                assert database.execute("SELECT cost FROM outcomes").fetchall() == [(0,)]
                assert database.execute("SELECT outcome, cost FROM attempts").fetchall() == [("cancelled", 0)]
        for one in waiting:
            one.close()


def test_sigterm_lets_running_answers_finish_and_ends_with_zero(tmp_path: Path) -> None:
    with upstream(one=drips(0.1, times=15)) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        with closing(open_request(router, stream=True)) as connection:
            while b"w1 " not in connection.recv(65536):
                pass
            router.process.send_signal(signal.SIGTERM)
            seen = b""
            while part := connection.recv(65536):
                seen += part
        assert b"w14 " in seen
        assert b"[DONE]" in seen
        assert router.process.wait(10) == 0
        assert outcomes(router) == [(200, None)]
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", router.port), timeout=1)


def test_sigterm_cuts_what_does_not_finish_within_the_drain_and_says_so(tmp_path: Path) -> None:
    text = config("URL", "one", extra="server: {drain: 1s}")
    with upstream(one=drips(0.05)) as backend, serving(tmp_path, text.replace("URL", backend.url)) as router:
        with closing(open_request(router, stream=True)) as connection:
            connection.recv(1000)
            began = time.monotonic()
            router.process.send_signal(signal.SIGTERM)
            seen = b""
            while part := connection.recv(65536):
                seen += part
        assert b'"shutting_down"' in seen
        assert b"[DONE]" not in seen
        assert router.process.wait(10) == 0
        assert time.monotonic() - began < 6
        assert "Traceback" not in router.log()
        assert outcomes(router) == [(200, "shutting_down")]


class Load(threading.Thread):
    """Asks without pause until the router dies; `answered` are the decisions whose last byte arrived."""

    def __init__(self, router: Router, stream: bool) -> None:
        super().__init__(daemon=True)
        self.router = router
        self.stream = stream
        self.answered: list[str] = []

    def run(self) -> None:
        while True:
            try:
                answer = self.router.chat(stream=self.stream)
                complete = events(answer)[-1] == "[DONE]" if self.stream else bool(answer.json())
            except (OSError, ValueError, IndexError):
                return
            if complete:
                self.answered.append(answer.headers["x-router-decision-id"])


def test_kill_9_under_load_loses_no_answered_record(tmp_path: Path) -> None:
    """Several rounds on one database: what was answered in full is in it after every kill, once."""
    answered: list[str] = []
    with upstream(one=answers()) as backend:
        for round_number in range(5):
            router = start(tmp_path, config(backend.url, "one"))
            loads = [Load(router, stream=bool(i % 2)) for i in range(6)]
            for load in loads:
                load.start()
            time.sleep(0.4 + 0.13 * round_number)
            os.kill(router.process.pid, signal.SIGKILL)
            router.process.wait()
            for load in loads:
                load.join(10)
                answered += load.answered
        with serving(tmp_path, config(backend.url, "one")) as router:
            router.settled()
            assert router.stop() == 0
    with closing(sqlite3.connect(tmp_path / "router.db")) as database:
        kept = [row[0] for row in database.execute("SELECT decision_id FROM outcomes")]
        decisions = {row[0] for row in database.execute("SELECT id FROM decisions")}
    assert len(answered) > 100
    assert len(kept) == len(set(kept))
    assert set(answered) <= set(kept)
    assert set(kept) <= decisions


def test_the_database_may_be_locked_for_seconds_and_answers_go_on(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        names = [router.chat().headers["x-router-decision-id"]]
        with closing(sqlite3.connect(router.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            names += [router.chat().headers["x-router-decision-id"] for _ in range(5)]
            wait_until("it is degraded", lambda: router.ask("/readyz").json()["status"] == "degraded")
            other.execute("ROLLBACK")

        def all_kept() -> bool:
            with closing(sqlite3.connect(router.database)) as database:
                kept = {row[0] for row in database.execute("SELECT decision_id FROM outcomes")}
            return kept == set(names)

        wait_until("all records are in the database", all_kept)


def test_a_database_that_vanishes_is_made_again_and_answers_go_on(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        router.chat()
        router.settled()
        for name in ("router.db", "router.db-wal", "router.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        names = {router.chat().headers["x-router-decision-id"] for _ in range(5)}
        wait_until("all records since are in the database", lambda: names <= kept(router))
        assert router.ask("/readyz").json()["status"] == "ready"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process's limits can be set on Linux only")
def test_a_full_disk_degrades_and_answers_go_on(tmp_path: Path) -> None:
    """Full for the database; the small file beside it still has room."""
    with upstream(one=answers()) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        names = {router.chat().headers["x-router-decision-id"]}
        soft, hard = resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE)
        room = sum(file.stat().st_size for file in tmp_path.glob("router.db*")) // 2
        resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE, (room, hard))
        for _ in range(20):
            answer = router.chat()
            assert answer.status == 200
            names.add(answer.headers["x-router-decision-id"])
        wait_until("it is degraded", lambda: router.ask("/readyz").json()["status"] == "degraded")
        resource.prlimit(router.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        wait_until("all records are in the database", lambda: names == kept(router), 20)
        wait_until("it is ready again", lambda: router.ask("/readyz").json()["status"] == "ready")


def kept(router: Router) -> set[str]:
    """The decisions that have an outcome; none while the database is being made."""
    if not Path(router.database).exists():
        return set()
    with closing(sqlite3.connect(f"file:{router.database}?mode=ro", uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'outcomes'").fetchone():
            return set()
        return {row[0] for row in database.execute("SELECT decision_id FROM outcomes")}


def test_a_dead_model_rests_and_comes_back(tmp_path: Path) -> None:
    text = config("URL", "one", "two").replace("breaker: none", "breaker: {failures: 2, window: 30s, open: 1s}")
    with (
        upstream(one=sends(b"", then="close")) as backend,
        serving(tmp_path, text.replace("URL", backend.url)) as router,
    ):
        for _ in range(3):
            assert router.chat().headers["x-router-model"] == "two"
        asked = len(backend.asked("one"))
        assert router.chat().headers["x-router-reason"] == "policy:fixed"
        assert len(backend.asked("one")) == asked, "a resting endpoint is left alone"
        troubles = router.ask("/readyz").json()["troubles"]
        assert any("one" in trouble for trouble in troubles)
        backend.behaviours["one"] = answers()
        wait_until("one answers again", lambda: router.chat().headers["x-router-model"] == "one")


def test_limits_on_running_requests(tmp_path: Path) -> None:
    text = config("URL", "one", extra="server: {max_requests: 2}")
    with upstream(one=answers(after=1.0)) as backend, serving(tmp_path, text.replace("URL", backend.url)) as router:
        running = [open_request(router, stream=True) for _ in range(2)]
        wait_until("both run", lambda: len(backend.requests) == 2)
        refused = router.chat()
        assert refused.status == 429
        assert refused.json()["error"]["code"] == "overloaded"
        assert refused.headers["retry-after"]
        for connection in running:
            connection.close()


def test_a_silent_local_server_is_noticed_by_its_probe(tmp_path: Path) -> None:
    text = config("http://127.0.0.1:1/v1", "one", "two").replace("health: none", "health: {every: 1s}", 1)
    text = text.replace("breaker: none", "breaker: {failures: 5, window: 30s, open: 10s}")
    with upstream() as backend:
        second = text.replace("http://127.0.0.1:1/v1", backend.url).replace(backend.url, "http://127.0.0.1:1/v1", 1)
        with serving(tmp_path, second) as router:
            wait_until("the probe failed", lambda: router.ask("/readyz").json()["status"] == "degraded")
            answer = router.chat()
            assert answer.headers["x-router-model"] == "two"
            assert answer.headers["x-router-attempts"] == "1"


def test_upstream_sees_one_request_for_each_answer(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend, serving(tmp_path, config(backend.url, "one")) as router:
        for number in range(20):
            router.chat(stream=bool(number % 2))
        assert_pooled(backend)


def assert_pooled(backend: Upstream) -> None:
    assert len(backend.requests) == 20
    assert backend.connections <= 3, "connections are used again"
