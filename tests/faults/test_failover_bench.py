"""The sixteen situations of the public referee Failover Bench, as its description tells them, with its expectations.

One model for each fault and `fb-ok` behind it. The limit on silence and a breaker's rest are shortened; everything else
is the router's default, retries included.
"""

import time
from collections.abc import Iterator

import pytest

from llm_inference_router.config.schema import TimeoutsConfig
from tests.serving.router import Answer, Router, events, serving
from tests.support.faults.scenarios import TEXT
from tests.support.faults.server import FaultServer, running

FAULTS = (
    "error-500", "error-503", "rate-limit", "rate-limit-2s-once", "unavailable-1s-once", "silent", "role-then-silent",
    "closed", "unauthorized", "context", "content-filter", "bad-request", "cut", "one-malformed", "no-done", "flapping",
    "error-500-once", "ok", "no-usage",
)  # fmt: skip


def configuration(url: str) -> str:
    rest = f"backend: openai_compatible, endpoints: [{{url: '{url}'}}], tier: small, location: local, health: none"
    limits = "timeouts: {first_token: 500ms, idle: 500ms}, breaker: {open: 2s}"
    models = [f"  - {{name: {name}, context: 8192, {rest}, {limits}}}" for name in FAULTS]
    models.append(f"  - {{name: fb-ok, context: 128000, {rest}}}")
    routes = [
        f"  r-{name}: {{models: [{name}, fb-ok], policy: {{kind: fixed}}, on_cut_stream: continue}}" for name in FAULTS
    ]
    return "models:\n" + "\n".join(models) + "\nroutes:\n" + "\n".join(routes) + "\n"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def router(server: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("failover"), configuration(server.url)) as one:
        yield one


@pytest.fixture(autouse=True)
def fresh(server: FaultServer) -> None:
    server.requests.clear()


def said(answer: Answer) -> str:
    if answer.headers["content-type"].startswith("application/json"):
        return str(answer.json()["choices"][0]["message"]["content"])
    chunks = [one for one in events(answer) if isinstance(one, dict)]
    return "".join(c["delta"].get("content") or "" for one in chunks for c in one.get("choices", ()))


def named(answer: Answer) -> str:
    """The model that the answer itself names."""
    body = events(answer)[-2] if answer.headers["content-type"].startswith("text/event") else answer.json()
    return str(body["model"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "name", ["error-500", "error-503", "rate-limit", "role-then-silent", "silent", "closed", "unauthorized", "context"]
)
def test_another_model_answers_under_its_own_name_with_its_own_usage(
    router: Router, server: FaultServer, name: str, stream: bool
) -> None:
    options = {"include_usage": True} if stream else None
    answer = router.chat(f"r-{name}", stream=stream, max_tokens=1, stream_options=options)
    assert said(answer) == TEXT
    assert named(answer) == "fb-ok"
    usage = events(answer)[-2]["usage"] if stream else answer.json()["usage"]
    assert usage["completion_tokens"] == 60
    if name not in ("closed", "unauthorized", "rate-limit"):  # those rest after the first of the two cases
        assert server.requests[name] == 1


@pytest.mark.parametrize("name", ["rate-limit-2s-once", "unavailable-1s-once"])
def test_who_is_told_to_wait_a_moment_waits_and_gets_the_same_model(
    router: Router, server: FaultServer, name: str
) -> None:
    answer = router.chat(f"r-{name}")
    assert (answer.status, named(answer), answer.headers["x-router-attempts"]) == (200, name, "2")
    assert (server.requests[name], server.requests["fb-ok"]) == (2, 0)
    first, second = server.times[name]
    told = 2.0 if name == "rate-limit-2s-once" else 1.0
    assert told <= second - first <= told + 3.0, "not before it was told to, and not long after"


def test_a_silent_endpoint_is_asked_once(router: Router, server: FaultServer) -> None:
    answer = router.chat("r-silent", stream=True)
    assert named(answer) == "fb-ok"
    assert server.requests["silent"] == 1


@pytest.mark.parametrize("name", ["content-filter", "bad-request"])
def test_what_the_client_did_wrong_is_asked_nobody_twice(router: Router, server: FaultServer, name: str) -> None:
    assert router.chat(f"r-{name}").status == 400
    assert (server.requests[name], server.requests["fb-ok"]) == (1, 0)


def test_a_prompt_that_is_too_long_is_never_sent_to_the_same_model_again(router: Router, server: FaultServer) -> None:
    assert named(router.chat("r-context")) == "fb-ok"
    assert server.requests["context"] == 1


def test_a_stream_that_is_cut_after_40_of_60_tokens_is_delivered_whole(router: Router) -> None:
    answer = router.chat("r-cut", stream=True)
    assert said(answer) == TEXT
    assert events(answer)[-1] == "[DONE]"


def test_a_malformed_event_is_passed_over(router: Router, server: FaultServer) -> None:
    answer = router.chat("r-one-malformed", stream=True)
    assert said(answer) == TEXT
    assert (named(answer), server.requests["fb-ok"]) == ("one-malformed", 0)


def test_without_an_end_marker_the_answer_ends_at_once_with_its_usage(router: Router) -> None:
    answer = router.chat("r-no-done", stream=True, stream_options={"include_usage": True})
    assert (said(answer), events(answer)[-1]) == (TEXT, "[DONE]")
    assert events(answer)[-2]["usage"]["completion_tokens"] == 60


def test_a_flapping_model_is_served_throughout_and_comes_back(router: Router) -> None:
    got = [router.chat("r-flapping") for _ in range(30)]
    assert {one.status for one in got} == {200}
    assert {named(one) for one in got} == {"flapping", "fb-ok"}


def test_a_primary_that_was_down_is_returned_to_within_seconds(router: Router, server: FaultServer) -> None:
    """Until its breaker opens everybody asks it in vain; while it rests nobody does; once it is well again it answers
    within the rest of two seconds, and from then on everything."""
    server.down.add("ok")
    try:
        while server.requests["ok"] < 5:
            assert named(router.chat("r-ok")) == "fb-ok"
        for _ in range(5):
            assert named(router.chat("r-ok")) == "fb-ok"
        assert server.requests["ok"] == 5, "while it rests it is left alone"
    finally:
        server.down.clear()
    well, asked = time.monotonic(), 0
    while named(router.chat("r-ok")) != "ok":
        asked += 1
        assert time.monotonic() - well < 10, "it was not returned to"
        time.sleep(0.05)
    assert asked <= 2 / 0.05, "as many as fit into its rest"
    assert [named(router.chat("r-ok")) for _ in range(10)] == ["ok"] * 10


def test_a_primary_that_goes_and_comes_is_returned_to_each_time(router: Router, server: FaultServer) -> None:
    for _ in range(3):
        server.down.add("no-usage")
        got = [router.chat("r-no-usage") for _ in range(8)]
        server.down.clear()
        assert {(one.status, named(one)) for one in got} == {(200, "fb-ok")}
        end = time.monotonic() + 10
        while named(router.chat("r-no-usage")) != "no-usage":
            assert time.monotonic() < end, "it was not returned to"
            time.sleep(0.05)


def test_one_failure_is_not_remembered(router: Router) -> None:
    assert named(router.chat("r-error-500-once")) == "fb-ok"
    assert named(router.chat("r-error-500-once")) == "error-500-once"


def test_the_default_limit_on_silence_is_ten_seconds() -> None:
    assert TimeoutsConfig().first_token == 10.0
