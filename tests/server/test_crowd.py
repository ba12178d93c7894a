"""Many requests at once go on step by step together; one that leaves between its steps leaves its books in order."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from llm_inference_router.config.load import load
from llm_inference_router.engine.judge import judge
from llm_inference_router.engine.pipeline import Pipeline
from llm_inference_router.server.app import Router
from llm_inference_router.server.crowd import MANY, MOST, Crowd
from llm_inference_router.server.protocol import Protocol
from llm_inference_router.server.reply import EXTENSION
from tests.server.test_cycle import POST, Talk, echo
from tests.serving.router import config
from tests.serving.upstream import Upstream, answers, upstream

BODY = orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]})
LEFT = 'llm_router_requests_total{model="%s",route="%s",status="499"} 1.0'


class Some(Crowd):
    """Many or not, whatever came."""

    def __init__(self, many: bool) -> None:
        super().__init__()
        self._many = many

    @property
    def many(self) -> bool:
        return self._many


class AtOnce(Crowd):
    """Whoever comes, comes at once."""

    def came(self, seconds: float) -> None:
        super().came(1.0)


async def ask(app: Router, crowd: Crowd, leaving: set[Callable[[], None]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [(b"host", b"localhost")]}
    await app({**scope, "extensions": {EXTENSION: {"leaving": leaving, "crowd": crowd}}}, receive, send)
    return sent


def run(folder: Path, test: Callable[[Router, Upstream], Awaitable[None]]) -> str:
    """The metrics after it."""

    async def started(backend: Upstream) -> str:
        app = Router(load(folder / "router.yaml"))
        await app.start()
        try:
            await test(app, backend)
        finally:
            await app.stop()
        return app.metrics.exposition().decode()

    with upstream(one=answers()) as backend:
        store = f"store: {{url: 'sqlite:///{folder}/router.db'}}"
        (folder / "router.yaml").write_text(config(backend.url, "one", extra=store))
        return asyncio.run(asyncio.wait_for(started(backend), 20))


def test_many_are_those_that_came_in_the_same_millisecond() -> None:
    crowd = Crowd()
    seen: list[bool] = []
    for at in [2.0002] * MANY + [2.0009, 2.0011]:
        crowd.came(at)
        seen.append(crowd.many)
    assert seen == [False] * (MANY - 1) + [True, True, False]


@pytest.mark.parametrize(
    ("many", "steps"),
    [(False, ["judge", "answer", "judge", "answer"]), (True, ["judge", "judge", "answer", "answer"])],
)
def test_each_step_is_taken_for_all_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool, steps: list[str]
) -> None:
    seen: list[str] = []
    answer = Pipeline.answer

    def judged(*given: Any) -> Any:
        seen.append("judge")
        return judge(*given)

    async def answered(pipeline: Pipeline, sink: Any) -> None:
        seen.append("answer")
        await answer(pipeline, sink)

    monkeypatch.setattr("llm_inference_router.server.inference.judge", judged)
    monkeypatch.setattr(Pipeline, "answer", answered)

    async def both(app: Router, backend: Upstream) -> None:
        first, second = await asyncio.gather(*[ask(app, Some(many), set()) for _ in range(2)])
        assert first[0]["status"] == second[0]["status"] == 200

    run(tmp_path, both)
    assert seen == steps


@pytest.mark.parametrize(("count", "many"), [(MANY - 1, False), (MANY, True), (MOST, True), (MOST + 1, False)])
def test_requests_that_come_together_are_told_whether_they_are_many(
    monkeypatch: pytest.MonkeyPatch, count: int, many: bool
) -> None:
    monkeypatch.setattr(Protocol, "crowd", AtOnce())
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"][EXTENSION]["crowd"].many)
        await echo(scope, receive, send)

    async def together() -> None:
        talks = [Talk(app) for _ in range(count)]
        for one in talks:
            one.protocol.data_received(POST % (2, b"") + b"{}")
        await asyncio.sleep(0)
        assert seen == [many] * count
        await talks[0].says(b"")

    asyncio.run(together())


@pytest.mark.parametrize(
    ("turn", "tries", "told"),
    [(1, 0, LEFT % ("other", "other")), (2, 0, LEFT % ("other", "other")), (3, 1, LEFT % ("one", "auto"))],
)
def test_a_client_that_leaves_between_two_steps_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int, tries: int, told: str
) -> None:
    leaving: set[Callable[[], None]] = set()
    turns: list[float] = []
    asking: list[asyncio.Task[Any] | None] = []
    sleep = asyncio.sleep

    async def others(seconds: float) -> None:
        if seconds == 0 and asyncio.current_task() in asking:
            turns.append(seconds)
            if len(turns) == turn:
                leaving.pop()()
        await sleep(seconds)

    async def leaves(app: Router, backend: Upstream) -> None:
        asking.append(asyncio.current_task())
        monkeypatch.setattr(asyncio, "sleep", others)
        assert await ask(app, Some(True), leaving) == [], "nobody is there to be told"
        monkeypatch.setattr(asyncio, "sleep", sleep)
        assert len(turns) == turn
        assert len(backend.requests) == tries

    figures = run(tmp_path, leaves)
    assert [line for line in figures.splitlines() if line.startswith("llm_router_requests_total")] == [told]
    assert figures.count("llm_router_decisions_total{") == tries
    with closing(sqlite3.connect(tmp_path / "router.db")) as database:
        kept = database.execute("SELECT status, error, attempts, usage_source FROM outcomes").fetchall()
    assert kept == [(499, "client_left", 1, "reported")] * tries
