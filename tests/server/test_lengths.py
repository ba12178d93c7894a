"""What the router expects an answer to cost follows what answers have been, across a restart too."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving.router import Router, config, events, serving
from tests.serving.upstream import STREAM_HEAD as HEAD
from tests.serving.upstream import Behaviour, Request, completion, delta, event, upstream, whole

QUESTION = "Explain how a sailing boat can go against the wind."
ANSWERS = 20
BODY = {"model": "auto", "messages": [{"role": "user", "content": QUESTION}]}


def long_winded(tokens: Callable[[], int], reasoning: Callable[[], int] = lambda: 0) -> Behaviour:
    """Says as many tokens as it is told to, whole or streamed."""

    async def behave(writer: Any, request: Request) -> None:
        usage = {
            "prompt_tokens": 20,
            "completion_tokens": tokens(),
            "total_tokens": 20 + tokens(),
            "completion_tokens_details": {"reasoning_tokens": reasoning()},
        }
        if not request.body.get("stream"):
            writer.write(whole(completion() | {"usage": usage}))
            return
        last = orjson.dumps(orjson.loads(delta()) | {"choices": [], "usage": usage})
        writer.write(HEAD + event(delta("so")) + event(delta(finish="stop")) + event(last) + event(b"[DONE]"))
        writer.write(b"0\r\n\r\n")

    return behave


def candidate(router: Router, name: str, **fields: Any) -> dict[str, Any]:
    decision = router.ask("/v1/route", BODY | fields).json()
    return next(one for one in decision["candidates"] if one["model"] == name)


def settled(router: Router, name: str, expected: int) -> dict[str, Any]:
    """The candidate once all its answers are counted: a snapshot is made twice a second, and the one that knows of
    an answer of the marker's knows of all before it."""
    unknown = candidate(router, "marker")["output_tokens"]
    assert router.chat("marker", QUESTION).status == 200
    for _ in range(400):
        if candidate(router, "marker")["output_tokens"] != unknown:
            found = candidate(router, name)
            assert found["output_tokens"]["p50"] == expected
            return found
        time.sleep(0.05)
    raise AssertionError("no snapshot was made")


@pytest.mark.parametrize("stream", [False, True])
def test_the_expected_cost_follows_the_answers_and_outlives_a_restart(tmp_path: Path, stream: bool) -> None:
    guessed = {"tokens": 0}
    winded = long_winded(lambda: 4 * guessed["tokens"], lambda: guessed["tokens"])
    with upstream(two=winded, marker=winded) as backend:
        text = config(backend.url, "one", "two", "marker")
        with serving(tmp_path, text) as router:
            before = candidate(router, "two")
            guessed["tokens"] = before["output_tokens"]["p50"]
            assert before["reasoning_tokens"] == {"p50": 0, "p90": 0}
            assert candidate(router, "one")["output_tokens"] == before["output_tokens"]
            for _ in range(ANSWERS):
                answer = router.chat("two", QUESTION, stream=stream)
                assert answer.status == 200
                assert not stream or events(answer)[-1] == "[DONE]"
            after = settled(router, "two", 4 * guessed["tokens"])
            check(before, after, guessed["tokens"])
            assert candidate(router, "one")["output_tokens"] == before["output_tokens"]
            short = candidate(router, "two", max_tokens=2 * guessed["tokens"])
            assert short["output_tokens"]["p90"] == 2 * guessed["tokens"]
            router.stop()
        with serving(tmp_path, text) as router:
            again = candidate(router, "two")
            assert {k: again[k] for k in ("output_tokens", "reasoning_tokens", "cost_usd")} == {
                k: after[k] for k in ("output_tokens", "reasoning_tokens", "cost_usd")
            }


def check(before: dict[str, Any], after: dict[str, Any], guessed: int) -> None:
    assert after["output_tokens"]["p50"] == 4 * guessed
    assert after["output_tokens"]["p90"] >= 4 * guessed
    assert after["reasoning_tokens"]["p50"] == guessed
    more = 3 * guessed * 2e-6  # "two" takes two dollars for a million tokens
    assert after["cost_usd"] == pytest.approx(before["cost_usd"] + more, abs=1e-9)


def test_the_callers_cost_limit_is_on_what_is_learned(tmp_path: Path) -> None:
    guessed = {"tokens": 0}
    winded = long_winded(lambda: 4 * guessed["tokens"])
    with (
        upstream(two=winded, marker=winded) as backend,
        serving(tmp_path, config(backend.url, "one", "two", "marker")) as router,
    ):
        before = candidate(router, "two")
        guessed["tokens"] = before["output_tokens"]["p50"]
        limit = {"x-router-max-cost-usd": str(2 * before["cost_usd"])}
        assert router.ask("/v1/route", BODY | {"model": "two"}, headers=limit).status == 200
        for _ in range(ANSWERS):
            router.chat("two", QUESTION)
        settled(router, "two", 4 * guessed["tokens"])
        refused = router.ask("/v1/route", BODY | {"model": "two"}, headers=limit)
        assert refused.status == 422
        assert "over the caller's" in refused.json()["error"]["message"]
