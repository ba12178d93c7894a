"""What answers teach of their models, and what is known again after a restart."""

import asyncio
from pathlib import Path

from llm_inference_router.config.load import inspect
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.live import LiveFigures
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.recall import recall
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.store.answers import Answered
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics
from llm_inference_router.types import Quantiles, Usage
from tests.serving.router import config

GUESS = Quantiles(100, 240)


def test_a_whole_answer_teaches_length_and_no_pace() -> None:
    live = LiveFigures(["one", "two"])
    live.measure("one", GUESS, Usage(10, 400), "stop", 1)
    figures = live.figures()
    assert set(figures) == {"one"}
    assert figures["one"].samples == 0
    assert figures["one"].length is not None
    assert figures["one"].length.answers == 1


def test_a_stream_teaches_pace_too() -> None:
    live = LiveFigures(["one"])
    live.observe("one", 100.0, 1_100.0, 50)
    assert live.figures()["one"].length is None
    live.measure("one", GUESS, Usage(10, 50), "stop", 1)
    one = live.figures()["one"]
    assert (one.ttft_ms, one.tokens_per_s, one.samples) == (100.0, 50.0, 1)
    assert one.length is not None


def test_what_was_given_out_does_not_change() -> None:
    live = LiveFigures(["one"])
    live.measure("one", GUESS, Usage(10, 400), "stop", 1)
    before = live.figures()["one"].length
    for _ in range(100):
        live.measure("one", GUESS, Usage(10, 800), "stop", 1)
    assert before is not None
    assert before.answers == 1


def test_recalling_is_learning_again() -> None:
    seen, again = LiveFigures(["one"]), LiveFigures(["one"])
    usages = [Usage(10, 100 + 7 * number, reasoning_tokens=number) for number in range(80)]
    for usage in usages:
        seen.measure("one", GUESS, usage, "stop", 2)
    again.recall(Answered(name, GUESS, usage, "stop", 2) for usage in usages for name in ("one", "retired"))
    assert again.figures() == seen.figures()


def test_a_database_that_cannot_be_read_is_no_obstacle(tmp_path: Path) -> None:
    lines: list[str] = []
    path = tmp_path / "router.yaml"
    path.write_text(config("http://127.0.0.1:9/v1", "one"))
    loaded = inspect(str(path)).config
    assert loaded is not None

    async def run() -> None:
        clock = SystemClock()
        store = SqliteStore.open(f"sqlite:///{tmp_path}/r.db")
        observer = Observer(Metrics(), Log("json", lines.append), clock.now_ms)
        runtime = Runtime(loaded, store, observer, clock)
        await recall(runtime, tmp_path / "none.db")
        assert runtime.live.figures() == {}
        observer.flush()
        await runtime.close()
        await store.close()

    asyncio.run(run())
    assert "StoreFault" in "".join(lines)
