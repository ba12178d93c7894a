"""A second try beside a silent first one: whichever answers first is given, once, and everything is paid for."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.router import Answer, Router, config, events, serving
from tests.serving.upstream import (
    STREAM_HEAD,
    Behaviour,
    Upstream,
    answers,
    delta,
    event,
    fails,
    hangs,
    later,
    sends,
    upstream,
)

SLOW_S = 3.0
PATIENCE_S = 1.0


def hedged(url: str, *names: str, hedge: str = "200ms") -> str:
    timeouts = "{connect: 500ms, first_token: 6s, idle: 2s, total: 8s}"
    base = config(url, *names, timeouts=timeouts)
    return base.replace("policy: {kind: fixed}", f"policy: {{kind: fixed}}, retry: {{hedge: {hedge}}}")


def rows(router: Router, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{router.database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def attempts(router: Router) -> set[tuple[object, ...]]:
    return set(rows(router, "SELECT model, outcome FROM attempts"))


def recorded(router: Router, count: int) -> None:
    end = time.monotonic() + 5
    while rows(router, "SELECT count(*) FROM outcomes") != [(count,)]:
        assert time.monotonic() < end, rows(router, "SELECT * FROM outcomes")
        time.sleep(0.02)


def text(answer: Answer, stream: bool) -> str:
    if not stream:
        return str(answer.json()["choices"][0]["message"]["content"])
    chunks = [one for one in events(answer) if one != "[DONE]"]
    assert events(answer)[-1] == "[DONE]"
    assert {one["model"] for one in chunks} == {answer.headers["x-router-model"]}
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"]).strip()


def test_where_no_patience_is_named_a_silent_model_is_waited_for_alone(tmp_path: Path) -> None:
    with (
        upstream(slow=answers("From the slow one.", after=1.5), quick=answers("From the quick one.")) as up,
        serving(tmp_path, config(up.url, "slow", "quick", timeouts="{first_token: 6s, total: 8s}")) as router,
    ):
        assert text(router.chat(), stream=False) == "From the slow one."
    assert not up.asked("quick")


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_answers_while_the_first_is_silent(tmp_path: Path, stream: bool) -> None:
    with (
        upstream(slow=answers("From the slow one.", after=SLOW_S), quick=answers("From the quick one.")) as up,
        serving(tmp_path, hedged(up.url, "slow", "quick", hedge=f"{PATIENCE_S}s")) as router,
    ):
        answer = router.chat(stream=stream)
        assert text(answer, stream) == "From the quick one."
        assert answer.headers["x-router-model"] == "quick"
        assert answer.headers["x-router-reason"] == "fallback:hedged"
        assert answer.headers["x-router-attempts"] == "2"
        assert float(answer.headers["x-router-overhead-ms"]) < PATIENCE_S * 1000, (
            "waiting for upstreams is no overhead of ours"
        )
        recorded(router, 1)
        assert attempts(router) == {("slow", "hedged"), ("quick", "ok")}
        assert freed(up, "slow") < PATIENCE_S + 1.2, "the loser is freed at once"
        [(cost, lost)] = rows(router, "SELECT (SELECT sum(cost) FROM attempts), (SELECT count(*) FROM attempts)")
        assert rows(router, "SELECT cost, baseline_cost > 0 FROM outcomes") == [(cost, 1)]
        assert lost == 2
        metrics = router.ask("/metrics").body.decode()
        assert 'llm_router_fallbacks_total{cause="hedged",from="slow",to="quick"} 1.0' in metrics


def freed(up: Upstream, model: str) -> float:
    [request] = up.asked(model)
    end = time.monotonic() + 3
    while not request.gone.is_set():
        assert time.monotonic() < end, "the upstream still works on what nobody waits for"
        time.sleep(0.01)
    return request.gone_after


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_may_still_win(tmp_path: Path, stream: bool) -> None:
    with (
        upstream(slow=answers("From the first.", after=0.6), slower=answers("Too late.", after=SLOW_S)) as up,
        serving(tmp_path, hedged(up.url, "slow", "slower")) as router,
    ):
        answer = router.chat(stream=stream)
        assert text(answer, stream) == "From the first."
        assert answer.headers["x-router-reason"] == "policy:fixed"
        assert answer.headers["x-router-attempts"] == "2"
        recorded(router, 1)
        assert attempts(router) == {("slow", "ok"), ("slower", "hedged")}
        assert freed(up, "slower") < 1.5
        assert "llm_router_fallbacks_total{" not in router.ask("/metrics").body.decode()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_time_is_asked_once(tmp_path: Path, stream: bool) -> None:
    with (
        upstream(a=answers("At once."), b=answers("Never.")) as up,
        serving(tmp_path, hedged(up.url, "a", "b", hedge="2s")) as router,
    ):
        for _ in range(5):
            assert text(router.chat(stream=stream), stream) == "At once."
        recorded(router, 5)
        assert up.asked("b") == []
        assert attempts(router) == {("a", "ok")}


@pytest.mark.parametrize(
    ("second", "outcome"),
    [(fails(500), "status"), (sends(b"nonsense\r\n\r\n", then="close"), "malformed"), (fails(401), "auth")],
)
def test_one_that_fails_beside_leaves_the_other_alone(tmp_path: Path, second: Behaviour, outcome: str) -> None:
    with (
        upstream(slow=answers("I take my time.", after=1.0), broken=second) as up,
        serving(tmp_path, hedged(up.url, "slow", "broken")) as router,
    ):
        assert text(router.chat(), False) == "I take my time."
        recorded(router, 1)
        assert attempts(router) == {("slow", "ok"), ("broken", outcome)}


def test_when_both_fail_the_next_model_answers(tmp_path: Path) -> None:
    with (
        upstream(a=later(0.6, fails(500)), b=later(0.6, fails(500)), c=answers("Third time.")) as up,
        serving(tmp_path, hedged(up.url, "a", "b", "c")) as router,
    ):
        answer = router.chat()
        assert text(answer, False) == "Third time."
        assert answer.headers["x-router-reason"] == "fallback:status"
        assert answer.headers["x-router-attempts"] == "3"


def test_what_is_the_clients_own_mistake_ends_both(tmp_path: Path) -> None:
    with (
        upstream(a=later(0.6, fails(400)), b=hangs()) as up,
        serving(tmp_path, hedged(up.url, "a", "b")) as router,
    ):
        assert router.chat().status == 400
        assert freed(up, "b") < 1.5
        recorded(router, 1)
        assert attempts(router) == {("a", "status"), ("b", "hedged")}


def test_a_client_that_leaves_frees_both(tmp_path: Path) -> None:
    with upstream(a=hangs(), b=hangs()) as up, serving(tmp_path, hedged(up.url, "a", "b")) as router:
        with pytest.raises(TimeoutError):
            router.raw(_request(router), timeout=0.8)
        assert freed(up, "a") < 1.8
        assert freed(up, "b") < 1.8
        recorded(router, 1)
        assert attempts(router) == {("a", "cancelled"), ("b", "cancelled")}


def _request(router: Router) -> bytes:
    body = b'{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_hedges_stay_within_the_retry_budget(tmp_path: Path) -> None:
    with (
        upstream(a=answers("Slow.", after=0.3), b=answers("Slower.", after=5)) as up,
        serving(tmp_path, hedged(up.url, "a", "b", hedge="50ms")) as router,
    ):
        for _ in range(30):
            assert router.chat().status == 200
        assert 10 <= len(up.asked("b")) <= 10 + 30 * 0.2 + 1


def test_a_winner_that_breaks_in_its_first_packet_ends_honestly(tmp_path: Path) -> None:
    """Content and error arrive as one while the other try has only just been told to stop."""
    broken = event(b'{"error": {"message": "it broke", "type": "server_error"}}')
    first = later(0.4, sends(STREAM_HEAD + event(delta("Well, ")) + broken, then="hang"))
    with upstream(a=first, b=hangs()) as up, serving(tmp_path, hedged(up.url, "a", "b")) as router:
        for _ in range(6):
            answer = router.chat(stream=True)
            assert answer.status == 200
            assert events(answer)[-1]["error"]["code"] == "upstream_unavailable"
        recorded(router, 6)
        assert set(rows(router, "SELECT status, error FROM outcomes")) == {(200, "upstream_unavailable")}
        assert "internal" not in router.log()
