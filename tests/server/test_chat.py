"""The main path: whole and streamed answers, the decision's headers, fallback before the first content."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.router import Router, config, events, serving
from tests.serving.upstream import (
    STREAM_HEAD,
    Request,
    Upstream,
    answers,
    completion,
    delta,
    drips,
    event,
    in_turn,
    sends,
    upstream,
    whole,
)

ERROR_500 = whole({"error": {"message": "boom", "type": "server_error"}}, 500)


@pytest.fixture(scope="module")
def backend() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def router(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    extra = "store: {content: true}"
    with serving(tmp_path_factory.mktemp("chat"), config(backend.url, "one", "two", "three", extra=extra)) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(backend: Upstream, router: Router) -> None:
    backend.behaviours.clear()
    backend.requests.clear()


def rows(router: Router, query: str, *values: object) -> list[sqlite3.Row]:
    """A record is in the database a moment after its answer."""
    end = time.monotonic() + 10
    with closing(sqlite3.connect(router.database)) as database:
        database.row_factory = sqlite3.Row
        while not (found := database.execute(query, values).fetchall()) and time.monotonic() < end:
            time.sleep(0.01)
        return found


def test_a_whole_answer_names_the_model_that_gave_it(router: Router) -> None:
    answer = router.chat()
    assert answer.status == 200
    body = answer.json()
    assert body["model"] == "one"
    assert body["choices"][0]["message"]["content"] == "Hello there."
    assert body["usage"]["total_tokens"] == 110


def test_every_answer_carries_its_decision(router: Router) -> None:
    headers = router.chat(headers={"x-request-id": "mine"}).headers
    assert headers["x-router-route"] == "auto"
    assert headers["x-router-model"] == "one"
    assert headers["x-router-reason"] == "policy:fixed"
    assert 0 <= float(headers["x-router-complexity"]) <= 1
    assert headers["x-router-attempts"] == "1"
    assert float(headers["x-router-overhead-ms"]) >= 0
    assert headers["x-request-id"] == "mine"
    assert len(headers["x-router-decision-id"]) == 36


def test_cost_is_tokens_times_price(router: Router) -> None:
    answer = router.chat("two")
    assert float(answer.headers["x-router-cost-usd"]) == pytest.approx(100 * 1e-6 + 10 * 2e-6, abs=1e-15)


def test_an_answer_leaves_its_record(router: Router) -> None:
    name = router.chat("two", "A question.").headers["x-router-decision-id"]
    [outcome] = rows(router, "SELECT * FROM outcomes WHERE decision_id = ?", name)
    assert outcome["status"] == 200
    assert outcome["cost"] == 100 * 10**6 + 10 * 2 * 10**6
    [content] = rows(router, "SELECT * FROM contents WHERE decision_id = ?", name)
    assert content["prompt"] == "user: A question."
    assert content["completion"] == "Hello there."


def test_a_stream_arrives_in_chunks_and_ends_with_the_marker(router: Router) -> None:
    answer = router.chat(stream=True)
    chunks = events(answer)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert chunks[-1] == "[DONE]"
    assert {chunk["model"] for chunk in chunks[:-1]} == {"one"}
    text = "".join(c["delta"].get("content") or "" for chunk in chunks[:-1] for c in chunk["choices"])
    assert text == "Hello there. "
    assert not any(chunk.get("usage") for chunk in chunks[:-1])


def test_usage_is_streamed_to_those_who_ask(router: Router) -> None:
    chunks = events(router.chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[-2]["usage"]["total_tokens"] == 103
    assert chunks[-2]["choices"] == []


def test_usage_that_the_upstream_does_not_report_is_estimated_and_marked(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = answers("four words are here", usage=False)
    answer = router.chat(stream=True, stream_options={"include_usage": True})
    assert events(answer)[-2]["usage"]["completion_tokens"] > 0
    name = answer.headers["x-router-decision-id"]
    [outcome] = rows(router, "SELECT * FROM outcomes WHERE decision_id = ?", name)
    assert outcome["usage_source"] == "estimated"


def test_a_whole_answer_has_usage_even_where_the_upstream_reports_none(router: Router, backend: Upstream) -> None:
    """Clients read it unasked, and some (the llm command) fail without it."""
    backend.behaviours["one"] = answers("four words are here", usage=False)
    answer = router.chat()
    [outcome] = rows(router, "SELECT * FROM outcomes WHERE decision_id = ?", answer.headers["x-router-decision-id"])
    usage = answer.json()["usage"]
    assert usage["completion_tokens"] == outcome["output_tokens"] > 0
    assert usage["prompt_tokens"] == outcome["input_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert outcome["usage_source"] == "estimated"


@pytest.mark.parametrize("stream", [False, True])
def test_explain_puts_the_decision_into_the_answer(router: Router, stream: bool) -> None:
    answer = router.chat(headers={"x-router-explain": "true"}, stream=stream)
    explained = events(answer)[-2]["router"] if stream else answer.json()["router"]
    assert explained["id"] == answer.headers["x-router-decision-id"]
    assert explained["chosen"] == "one"
    assert set(explained["signals"]["complexity"]["parts"]) == {
        "reasoning",
        "knowledge",
        "constraints",
        "context",
        "output",
    }


def test_a_models_own_name_pins_it(router: Router, backend: Upstream) -> None:
    backend.behaviours["two"] = sends(ERROR_500)
    answer = router.chat("two")
    assert answer.status == 503
    assert answer.headers["x-router-reason"] == "pinned"
    assert not backend.asked("one")
    assert not backend.asked("three")


FAILURES = {
    "a server error": sends(ERROR_500),
    "a connection closed before the head": sends(b"", then="close"),
    "a reset": sends(b"", then="reset"),
    "garbage": sends(b"SSH-2.0-OpenSSH_9.2\r\n", then="close"),
    "silence": sends(b"", then="hang"),
    "a body that is no JSON": sends(whole(b"<html>hello</html>")),
    "a rate limit": sends(whole({"error": {"message": "slow down"}}, 429, "Retry-After: 30\r\n")),
    "refused credentials": sends(whole({"error": {"message": "no"}}, 401)),
    "a compressed answer": sends(whole(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n")),
    "a redirect": sends(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    "an endless head": sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n"),
}
STREAM_FAILURES = {
    "a cut after the role": sends(STREAM_HEAD + event(delta("", role="assistant")), then="reset"),
    "silence after the role": sends(STREAM_HEAD + event(delta("", role="assistant")), then="hang"),
    "an error before content": sends(STREAM_HEAD + event(b'{"error":{"message":"oh"}}') + b"0\r\n\r\n"),
    "an empty stream": sends(STREAM_HEAD + b"0\r\n\r\n"),
}


def place(failure: str, stream: bool) -> str:
    """A model and a route for each: some failures rest the endpoint that has them."""
    return f"{'stream' if stream else 'whole'}-{sorted(FAILURES).index(failure)}"


@pytest.fixture(scope="module")
def failing(backend: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    names = [place(failure, stream) for failure in FAILURES for stream in (False, True)]
    routes = "".join(f"  r-{name}: {{models: [{name}, two], policy: {{kind: fixed}}}}\n" for name in names)
    with serving(tmp_path_factory.mktemp("failing"), config(backend.url, *names, "two", extra=routes)) as running:
        yield running


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_content_is_invisible(failing: Router, backend: Upstream, failure: str, stream: bool) -> None:
    name = place(failure, stream)
    backend.behaviours[name] = FAILURES[failure]
    answer = failing.chat(f"r-{name}", stream=stream, max_tokens=1)
    assert answer.status == 200
    assert answer.headers["x-router-model"] == "two"
    assert answer.headers["x-router-reason"].startswith("fallback:")
    assert int(answer.headers["x-router-attempts"]) >= 2
    text = events(answer)[1] if stream else answer.json()
    assert text["model"] == "two"


@pytest.mark.parametrize("failure", STREAM_FAILURES)
def test_a_stream_that_fails_before_content_is_answered_by_the_next_model(
    router: Router, backend: Upstream, failure: str
) -> None:
    backend.behaviours["one"] = STREAM_FAILURES[failure]
    answer = router.chat(stream=True)
    assert answer.headers["x-router-model"] == "two"
    assert events(answer)[-1] == "[DONE]"


def test_an_answer_that_is_cut_ends_with_an_error_and_no_marker(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(STREAM_HEAD + event(delta("half an ")), then="reset")
    answer = router.chat(stream=True)
    chunks = events(answer)
    assert chunks[0]["choices"][0]["delta"]["content"] == "half an "
    assert chunks[-1]["error"]["code"] == "upstream_truncated"
    assert not backend.asked("two"), "content was sent: no second model may answer"
    [outcome] = rows(router, "SELECT * FROM outcomes WHERE decision_id = ?", answer.headers["x-router-decision-id"])
    assert outcome["error"] == "upstream_truncated"


def test_an_answer_that_stalls_ends_with_an_error(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(STREAM_HEAD + event(delta("half an ")), then="hang")
    assert events(router.chat(stream=True))[-1]["error"]["type"] == "upstream_error"


def test_a_finish_without_marker_is_complete_at_once(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(STREAM_HEAD + event(delta("done")) + event(delta(finish="stop")), then="hang")
    began = time.monotonic()
    chunks = events(router.chat(stream=True))
    assert chunks[-1] == "[DONE]"
    assert time.monotonic() - began < 4


def test_the_first_content_leaves_as_soon_as_it_arrives(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = drips(0.2, times=4)
    body = b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    import socket

    with closing(socket.create_connection(("127.0.0.1", router.port), timeout=10)) as connection:
        connection.sendall(request + body)
        seen = b""
        while b"w0" not in seen:
            seen += connection.recv(65536)
        assert b"w1" not in seen


def test_the_clients_own_mistake_is_passed_on_and_not_tried_elsewhere(router: Router, backend: Upstream) -> None:
    mistake = {
        "error": {"message": "temperature is too high", "type": "BadRequestError", "param": "temperature", "code": 400}
    }
    backend.behaviours["one"] = sends(whole(mistake, 400))
    answer = router.chat()
    assert answer.status == 400
    assert answer.json()["error"]["message"] == "temperature is too high"
    assert answer.json()["error"]["param"] == "temperature"
    assert not backend.asked("two")


def test_when_everything_fails_the_client_is_told_not_to_try_at_once(router: Router, backend: Upstream) -> None:
    for name in ("one", "two", "three"):
        backend.behaviours[name] = sends(ERROR_500)
    answer = router.chat()
    assert answer.status == 503
    assert answer.headers["x-should-retry"] == "false"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["code"] == "upstream_unavailable"


def test_a_passing_server_error_is_outlived(backend: Upstream, tmp_path: Path) -> None:
    backend.behaviours["one"] = in_turn(sends(ERROR_500), answers())
    with serving(tmp_path, config(backend.url, "one")) as router:
        answer = router.chat()
        assert answer.status == 200
        assert answer.headers["x-router-attempts"] == "2"


def test_fields_we_do_not_know_reach_the_upstream(router: Router, backend: Upstream) -> None:
    router.chat(seed=7, my_field={"a": [1, 2]})
    [request] = backend.requests
    assert request.body["seed"] == 7
    assert request.body["my_field"] == {"a": [1, 2]}
    assert request.body["model"] == "one"


def test_attempts_match_what_the_upstream_saw(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(b"", then="reset")
    name = router.chat().headers["x-router-decision-id"]
    attempts = rows(router, "SELECT * FROM attempts WHERE decision_id = ? ORDER BY number", name)
    assert [a["model"] for a in attempts] == [r.body["model"] for r in backend.requests]
    assert attempts[-1]["outcome"] == "ok"


def test_a_cut_after_the_finish_is_no_cut(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(
        STREAM_HEAD + event(delta("all of it")) + event(delta(finish="stop")), then="close"
    )
    answer = router.chat(stream=True)
    assert events(answer)[-1] == "[DONE]"
    [outcome] = rows(router, "SELECT * FROM outcomes WHERE decision_id = ?", answer.headers["x-router-decision-id"])
    assert outcome["error"] is None


def test_a_stream_of_two_answers_ends_with_the_second(router: Router, backend: Upstream) -> None:
    async def one_after_the_other(writer: asyncio.StreamWriter, request: Request) -> None:
        first = event(delta("first")) + event(delta(finish="stop"))
        writer.write(STREAM_HEAD + first)
        await writer.drain()
        await asyncio.sleep(0.3)
        second = (event(delta("second")) + event(delta(finish="stop"))).replace(b'"index":0', b'"index":1')
        writer.write(second + event(b"[DONE]") + b"0\r\n\r\n")

    backend.behaviours["one"] = one_after_the_other
    chunks = events(router.chat(stream=True, n=2))[:-1]
    said = {
        c["index"]: c["delta"]["content"] for chunk in chunks for c in chunk["choices"] if c["delta"].get("content")
    }
    assert said == {0: "first", 1: "second"}


def test_a_server_that_ignores_n_is_still_complete(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(
        STREAM_HEAD + event(delta("only one")) + event(delta(finish="stop")) + b"0\r\n\r\n"
    )
    assert events(router.chat(stream=True, n=2))[-1] == "[DONE]"


def test_what_follows_a_finish_is_held_within_bounds(router: Router, backend: Upstream) -> None:
    flood = event(delta("x" * 1000)) * 5000
    backend.behaviours["one"] = sends(STREAM_HEAD + event(delta("text")) + event(delta(finish="stop")) + flood, "hang")
    answer = router.chat(stream=True)
    assert events(answer)[-1] == "[DONE]"
    assert len(answer.body) < 2_500_000


def test_a_stream_that_never_says_anything_is_given_up(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(STREAM_HEAD + event(delta("", padding="x" * 1000)) * 3000, then="hang")
    assert router.chat(stream=True).headers["x-router-model"] == "two"


def test_an_error_that_echoes_a_long_request_is_passed_on_once(router: Router, backend: Upstream) -> None:
    echo = {"error": {"message": "wrong", "type": "invalid_request_error", "input": "x" * 300_000}}
    backend.behaviours["one"] = sends(whole(echo, 422))
    assert router.chat().status == 422
    assert len(backend.requests) == 1


def test_an_answer_with_odd_fields_is_mended(router: Router, backend: Upstream) -> None:
    backend.behaviours["one"] = sends(whole(completion() | {"service_tier": ["x"], "created": "now"}))
    answer = router.chat()
    assert answer.status == 200
    assert "service_tier" not in answer.json()


def test_a_name_that_no_host_can_have_is_a_failure_like_others(tmp_path: Path, backend: Upstream) -> None:
    text = config(backend.url, "one", "two").replace(backend.url, f"http://{'a' * 70}.invalid/v1", 1)
    with serving(tmp_path, text) as router:
        assert router.chat().headers["x-router-reason"] == "fallback:dns"


def test_upstream_words_that_quote_the_prompt_are_not_stored(router: Router, backend: Upstream) -> None:
    quoted = {"error": {"message": "Invalid value: 'my canary secret'", "type": "invalid_request_error"}}
    backend.behaviours["one"] = sends(whole(quoted, 400))
    answer = router.chat(text="my canary secret")
    assert "canary" in answer.json()["error"]["message"], "the client may read its own words"
    [attempt] = rows(router, "SELECT * FROM attempts WHERE decision_id = ?", answer.headers["x-router-decision-id"])
    assert "canary" not in attempt["detail"]
