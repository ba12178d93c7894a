"""Lengths of the newest answers, as a router learns them again."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llm_inference_router.engine.live import LiveFigures
from llm_inference_router.store.answers import answers
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Record, Usage
from tests.serving.router import Router, serving
from tests.serving.upstream import answers as upstream_answers
from tests.serving.upstream import completion, sends, upstream, whole
from tests.store.build import record


def filled(path: Path, records: list[Record]) -> Path:
    async def fill() -> None:
        store = SqliteStore.open(f"sqlite:///{path}")
        for one in records:
            await store.append(one)
        await store.close()

    asyncio.run(fill())
    return path


def answered(number: int, model: str = "little", output: int = 40, **outcome: Any) -> Record:
    one = record(at=1_790_000_000_000 + number, model=model, **outcome)
    return structs.replace(one, outcome=structs.replace(one.outcome, usage=Usage(10, output, reasoning_tokens=7)))


def test_the_newest_of_each_model_oldest_first(tmp_path: Path) -> None:
    path = filled(
        tmp_path / "a.db", [answered(n, "big" if n % 3 == 0 else "little", output=100 + n) for n in range(30)]
    )
    found = answers(path, each=4)
    assert [one.usage.output_tokens for one in found if one.model == "big"] == [118, 121, 124, 127]
    assert [one.usage.output_tokens for one in found if one.model == "little"] == [125, 126, 128, 129]
    assert [one.usage.output_tokens for one in found] == sorted(one.usage.output_tokens for one in found)
    assert (found[0].guess.p50, found[0].guess.p90, found[0].usage.reasoning_tokens) == (50, 200, 7)


def test_failures_tell_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", [answered(1, status=502), answered(2, error="upstream_error"), answered(3)])
    assert len(answers(path, each=10)) == 1


def test_a_late_start_is_content_with_less(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", [answered(number) for number in range(200)])
    assert len(answers(path, each=200, within_s=0.0)) == 64


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"not a database, and long enough to be looked at" * 30)
    with pytest.raises(StoreFault, match=r"a\.db"):
        answers(tmp_path / "a.db", each=1)


def test_models_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", [answered(number, output=500) for number in range(64)])
    live = LiveFigures(["big"])
    live.recall(answers(path, each=64))
    assert live.figures() == {}


def test_a_model_that_writes_more_than_guessed_costs_more_after_a_restart_too(tmp_path: Path) -> None:
    body = completion() | {"usage": {"prompt_tokens": 10, "completion_tokens": 3000, "total_tokens": 3010}}
    asked = {"model": "auto", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    with upstream(long=sends(whole(body)), short=upstream_answers()) as server:
        text = f"""
models:
  - {{name: long, backend: openai_compatible, endpoints: [{{url: "{server.url}/v1"}}], tier: small, location: cloud,
     context: 32768, price: {{input: 1, output: 1}}}}
routes:
  auto: {{models: [long]}}
store: {{url: "sqlite:///{tmp_path}/router.db"}}
"""
        with serving(tmp_path, text) as router:
            (before,) = router.ask("/v1/route", asked).json()["candidates"]
            for _ in range(30):
                assert router.ask("/v1/chat/completions", asked).status == 200
            (kept,) = _settled(router, asked)
            assert router.stop() == 0
        with serving(tmp_path, text) as router:
            (after,) = router.ask("/v1/route", asked).json()["candidates"]
    assert before["output_tokens"]["p50"] < 1000
    assert kept["output_tokens"]["p50"] == 3000
    assert after["output_tokens"] == kept["output_tokens"]
    assert after["cost_usd"] == kept["cost_usd"] > 0.0029 > before["cost_usd"]


def _settled(router: Router, asked: dict[str, Any]) -> Any:
    """The snapshot that decisions are made from is up to half a second old."""
    for _ in range(100):
        found = router.ask("/v1/route", asked).json()["candidates"]
        if found[0]["output_tokens"]["p50"] == 3000:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing was learned")
