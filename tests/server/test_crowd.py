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
from llm_inference_router.server.crowd import MANY, Crowd
from llm_inference_router.server.reply import EXTENSION
from tests.serving.router import config
from tests.serving.upstream import Upstream, answers, upstream

BODY = orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]})
LEFT = 'llm_router_requests_total{model="%s",route="%s",status="499"} 1.0'


class Asked(Crowd):
    """Many or not, whatever came. `do` is done before the others' turn, when it is asked for the `when`th time."""

    def __init__(self, many: bool, when: int = 0, do: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._many, self._when, self._do = many, when, do

    @property
    def many(self) -> bool:
        self._when -= 1
        if self._when == 0:
            asyncio.get_running_loop().call_soon(self._do)
        return self._many


async def ask(app: Router, crowd: Crowd, leaving: set[Callable[[], None]]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [(b"host", b"localhost")]}
    await app({**scope, "extensions": {EXTENSION: {"leaving": leaving, "crowd": crowd}}}, receive, send)
    return sent


def run(folder: Path, test: Callable[[Router, Upstream], Awaitable[None]]) -> None:
    async def started(backend: Upstream) -> None:
        app = Router(load(folder / "router.yaml"))
        await app.start()
        try:
            await test(app, backend)
        finally:
            await app.stop()

    with upstream(one=answers()) as backend:
        store = f"store: {{url: 'sqlite:///{folder}/router.db'}}"
        (folder / "router.yaml").write_text(config(backend.url, "one", extra=store))
        asyncio.run(asyncio.wait_for(started(backend), 20))


def test_many_are_those_that_came_at_the_same_moment() -> None:
    crowd = Crowd()
    seen: list[bool] = []
    for at in [1.0] * (MANY + 1) + [1.001]:
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
        first, second = await asyncio.gather(*[ask(app, Asked(many), set()) for _ in range(2)])
        assert first[0]["status"] == second[0]["status"] == 200

    run(tmp_path, both)
    assert seen == steps


@pytest.mark.parametrize(
    ("when", "tries", "told"),
    [(1, 0, LEFT % (("other",) * 2)), (2, 0, LEFT % (("other",) * 2)), (3, 1, LEFT % ("one", "auto"))],
)
def test_a_client_that_leaves_between_two_steps_is_counted_once(
    tmp_path: Path, when: int, tries: int, told: str
) -> None:
    async def leaves(app: Router, backend: Upstream) -> None:
        leaving: set[Callable[[], None]] = set()
        crowd = Asked(True, when, lambda: leaving.pop()())
        assert await ask(app, crowd, leaving) == [], "nobody is there to be told"
        assert len(backend.requests) == tries
        await asyncio.sleep(0.1)  # its record is written behind it
        app._observer.flush()
        figures = app.metrics.exposition().decode()
        assert [line for line in figures.splitlines() if line.startswith("llm_router_requests_total")] == [told]
        assert figures.count("llm_router_decisions_total{") == tries

    run(tmp_path, leaves)
    with closing(sqlite3.connect(tmp_path / "router.db")) as database:
        kept = database.execute("SELECT status, error, attempts, usage_source FROM outcomes").fetchall()
    assert kept == [(499, "client_left", 1, "reported")] * tries
