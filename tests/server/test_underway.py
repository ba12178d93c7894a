"""What is underway when the configuration changes, or when the router is asked to stop."""

import asyncio
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from tests.server.test_cut_streams import TEXT, TOKENS, cut, routed, said, stream
from tests.server.test_hedging import hedged
from tests.server.test_hedging import text as spoken
from tests.serving.router import Answer, Router, config, parse, serving
from tests.serving.upstream import Behaviour, Request, Upstream, answers, drips, fails, in_turn, sends, upstream, whole
from tests.support.conserved import assert_conserved, assert_given_back, held


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for a fact; the bound is generous because it is no measurement."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def once_told(go: threading.Event, behaviour: Behaviour) -> Behaviour:
    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        while not go.is_set():  # noqa: ASYNC110 - the event is of another thread
            await asyncio.sleep(0.01)
        await behaviour(writer, request)

    return behave


def reload(router: Router, text: str) -> None:
    (router.folder / "router.yaml").write_text(text)
    assert router.ask("/admin/reload", method="POST").status == 200


def asked(server: Upstream) -> int:
    return len(server.requests)


def metrics(router: Router) -> str:
    return router.ask("/metrics").body.decode()


SLOW_DOWN = sends(whole({"error": {"message": "slow down"}}, 429, "Retry-After: 2\r\n"))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("phase", ["waiting", "continuing", "hedging"])
def test_what_waits_continues_or_is_hedged_ends_as_it_began_though_its_models_are_taken_away(
    tmp_path: Path, phase: str, streamed: bool
) -> None:
    """And what it took is given back: nothing of the old configuration stays open."""
    go = threading.Event()
    streamed = streamed or phase == "continuing"
    with upstream(three=answers("I am three.")) as server:
        if phase == "waiting":
            server.behaviours["one"] = in_turn(SLOW_DOWN, answers("I am one."))
            text, before_go, expected = config(server.url, "one"), 1, "I am one."
        elif phase == "continuing":
            server.behaviours["one"] = sends(cut(TOKENS[:40]), then="reset")
            server.behaviours["two"] = once_told(go, sends(stream(["word39 ", *TOKENS[40:]])))
            text, before_go, expected = routed(server.url, "one", "two"), 2, TEXT
        else:
            server.behaviours["one"] = server.behaviours["two"] = once_told(go, answers("I am either."))
            text, before_go, expected = hedged(server.url, "one", "two", hedge="100ms"), 2, "I am either."
        with serving(tmp_path, text) as router:
            before = held(router, server.port)
            got: list[Answer] = []
            client = threading.Thread(target=lambda: got.append(router.chat(stream=streamed)))
            client.start()
            eventually(lambda: asked(server) == before_go)
            reload(router, config(server.url, "three"))
            assert router.chat().headers["x-router-model"] == "three"
            go.set()
            client.join()
            assert got[0].status == 200
            assert (said(got[0]) if streamed else spoken(got[0], False)).strip() == expected
            assert_conserved(router.database, lambda: metrics(router), admitted=2, seen=asked(server))
            assert_given_back(router, before)


def test_the_one_probe_of_a_half_open_breaker_stays_the_only_one_over_a_reload(tmp_path: Path) -> None:
    go = threading.Event()
    with upstream(ill=fails(500), two=answers()) as server:
        text = config(server.url, "ill", "two", timeouts="{first_token: 20s, total: 60s}")
        text = text.replace("breaker: none", "breaker: {failures: 1, open: 1s}", 1)
        with serving(tmp_path, text) as router:
            assert router.chat().headers["x-router-model"] == "two"
            eventually(lambda: "} 1.0" in metrics(router).split("# TYPE llm_router_breaker_state")[1].split("#")[0])
            server.behaviours["ill"] = once_told(go, answers())
            seen = len(server.asked("ill"))
            got: list[Answer] = []
            probe = threading.Thread(target=lambda: got.append(router.chat()))
            probe.start()
            eventually(lambda: len(server.asked("ill")) == seen + 1)
            reload(router, f"# again\n{text}")
            assert {router.chat().headers["x-router-model"] for _ in range(3)} == {"two"}
            assert len(server.asked("ill")) == seen + 1
            go.set()
            probe.join()
            assert got[0].headers["x-router-model"] == "ill"
            eventually(lambda: router.chat().headers["x-router-model"] == "ill")


class Client(threading.Thread):
    """Asks until the router takes no connection any more. `whole` and `broken` count answers."""

    def __init__(self, router: Router, stream: bool) -> None:
        super().__init__()
        body = orjson.dumps({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        self.request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self.router = router
        self.stream = stream
        self.whole = 0
        self.broken: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                data = self.router.raw(self.request)
            except OSError:
                return
            if not data:
                return  # closed before its request was read: nothing was asked
            answer = parse(data)
            if answer.status == 503 and b"shutting_down" in answer.body:
                return
            good = b"[DONE]" in answer.body if self.stream else b'"finish_reason"' in answer.body
            if answer.status == 200 and good:
                self.whole += 1
            else:
                self.broken.append(data)


def test_sigterm_under_load_lets_every_stream_and_every_whole_answer_finish(tmp_path: Path) -> None:
    async def either(writer: asyncio.StreamWriter, request: Request) -> None:
        await (drips(0.05, times=16) if request.body.get("stream") else answers(after=0.4))(writer, request)

    with upstream(one=either) as server, serving(tmp_path, config(server.url, "one")) as router:
        clients = [Client(router, stream=number % 2 == 0) for number in range(12)]
        for client in clients:
            client.start()
        eventually(lambda: sum(client.whole for client in clients) >= 12)
        router.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(30)
        assert router.process.wait(20) == 0
        assert [one for client in clients for one in client.broken] == []
        answered = sum(client.whole for client in clients)
        with closing(sqlite3.connect(router.database)) as database:
            ended = database.execute("SELECT status, error, count(*) FROM outcomes GROUP BY 1, 2").fetchall()
        assert ended == [(200, None, answered)]
        assert asked(server) == answered
        assert "Traceback" not in router.log()
