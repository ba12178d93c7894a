"""Idempotency keys in memory: counted to the byte, within a bound, and by a clock that nobody sets."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config.load import load
from llm_inference_router.effects import SystemClock
from llm_inference_router.errors import IdempotencyConflict
from llm_inference_router.server import remembered
from llm_inference_router.server.app import Router as App
from llm_inference_router.server.idempotency import HEADER, Idempotency
from llm_inference_router.server.remembered import KEPT_S, Known, Remembered, State
from llm_inference_router.server.reply import EXTENSION
from llm_inference_router.store.idempotency import Answer, Claim
from llm_inference_router.store.sqlite import SqliteStore
from tests.serving.router import config
from tests.serving.upstream import Upstream, answers, upstream

DAY_MS = 86_400_000
KEY = {HEADER: b"order-4711"}
OTHER = {HEADER: b"order-4712"}


def known(key: str, since: float = 0.0, state: State = "answered", size: int = 0) -> Known:
    answer = Answer(200, (), b"x" * size) if state == "answered" else None
    return Known(Claim("one", key, b"", "a", 0), since, state, "", answer)


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.floats(0, 3 * KEPT_S),
        st.sampled_from(["running", "answered", "interrupted", "free"]),
        st.integers(0, 60),
    )
)


@given(STEPS)
def test_the_bytes_are_those_of_the_answers_that_are_held(steps: list[tuple[str, float, State, int]]) -> None:
    memory = Remembered()
    for key, now, state, size in sorted(steps, key=lambda step: step[1]):
        before = memory.get(("one", key), now)
        if before is not None and before.state == "running":
            assert before.since <= now
        memory.put(known(key, now, state, size))
        held = [one for name in "abcdef" if (one := memory.get(("one", name), now)) is not None]
        assert memory.bytes == sum(len(one.answer.body) for one in held if one.answer)
        assert len(memory) == len(held)


def test_beyond_the_bound_the_oldest_answer_goes_and_never_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_BYTES", 100)
    memory = Remembered()
    memory.put(known("runs", state="running"))
    for number in range(20):
        memory.put(known(str(number), size=30))
    assert memory.bytes == 90
    assert memory.get(("one", "runs"), 0.0) is not None
    assert memory.get(("one", "16"), 0.0) is None
    assert memory.get(("one", "17"), 0.0) is not None


def test_what_is_a_day_old_is_forgotten_unless_it_still_runs() -> None:
    memory = Remembered()
    memory.put(known("done", size=30))
    memory.put(known("runs", state="running"))
    assert memory.get(("one", "done"), KEPT_S + 1) is None
    assert memory.bytes == 0
    assert memory.get(("one", "runs"), 1000 * KEPT_S) is not None


class Jumping(SystemClock):
    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


async def blocked(store: SqliteStore) -> Callable[[], None]:
    """Keeps the writer's thread busy until what it returns is called."""
    loop = asyncio.get_running_loop()
    busy, go = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        await go.wait()

    def works(_: object) -> None:
        loop.call_soon_threadsafe(busy.set)
        asyncio.run_coroutine_threadsafe(waits(), loop).result()

    task = loop.create_task(store.perform(works))
    await busy.wait()
    task.add_done_callback(lambda _: None)
    return go.set


def with_store(folder: Path, work: Callable[[SqliteStore, Jumping], Awaitable[None]]) -> None:
    async def run() -> None:
        store = SqliteStore.open(f"sqlite:///{folder}/router.db")
        try:
            await asyncio.wait_for(_awaited(work(store, Jumping())), 20)
        finally:
            await store.close()

    asyncio.run(run())


async def _awaited(work: Awaitable[None]) -> None:
    await work


def test_a_running_key_outlasts_a_clock_that_jumps_by_days(tmp_path: Path) -> None:
    async def work(store: SqliteStore, clock: Jumping) -> None:
        keys = Idempotency(store, clock)
        await keys.claim("one", KEY, b"d")
        clock.ahead_ms = 3 * DAY_MS
        with pytest.raises(IdempotencyConflict) as raised:
            await keys.claim("one", KEY, b"d")
        assert raised.value.code == "idempotency_in_progress"

    with_store(tmp_path, work)


def test_a_claim_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work(store: SqliteStore, clock: Jumping) -> None:
        keys = Idempotency(store, clock)
        release = await blocked(store)
        task = asyncio.ensure_future(keys.claim("one", KEY, b"d"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release()
        await until_free(keys)

    async def after_a_restart(store: SqliteStore, clock: Jumping) -> None:
        keys = Idempotency(store, clock)
        release = await blocked(store)
        task = asyncio.ensure_future(keys.claim("one", OTHER, b"d"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        release()
        while keys._tasks:  # noqa: ASYNC110 - it ends in the background
            await asyncio.sleep(0.01)
        assert isinstance(await Idempotency(store, clock).claim("one", OTHER, b"d"), Claim)

    with_store(tmp_path, after_a_restart)
    with_store(tmp_path, work)


async def until_free(keys: Idempotency) -> Claim:
    while True:
        try:
            claim = await keys.claim("one", KEY, b"d")
        except IdempotencyConflict:
            await asyncio.sleep(0.01)
        else:
            assert isinstance(claim, Claim)
            return claim


async def ask(app: App, leaving: set[Callable[[], None]]) -> list[dict[str, Any]]:
    """One request with a key, on a server that says through `leaving` when the client has gone."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps(body), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = [(b"host", b"localhost"), (HEADER, KEY[HEADER])]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    await app({**scope, "extensions": {EXTENSION: {"leaving": leaving}}}, receive, send)
    return sent


def test_a_client_that_leaves_while_its_key_is_claimed_is_noticed_and_costs_nothing(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend:
        (tmp_path / "router.yaml").write_text(
            config(backend.url, "one", extra=f"store: {{url: 'sqlite:///{tmp_path}/router.db'}}")
        )
        asyncio.run(asyncio.wait_for(_leave_during_the_claim(tmp_path, backend), 20))


async def _leave_during_the_claim(folder: Path, backend: Upstream) -> None:
    app = App(load(folder / "router.yaml"))
    await app.start()
    try:
        release = await blocked(app._store)
        leaving: set[Callable[[], None]] = set()
        task = asyncio.ensure_future(ask(app, leaving))
        for _ in range(5):
            await asyncio.sleep(0)
        [leave] = leaving
        leave()
        assert await task == [], "nobody is there to be told"
        assert not leaving
        release()
        while (answer := await ask(app, leaving))[0]["status"] == 409:  # noqa: ASYNC110 - it ends in the background
            await asyncio.sleep(0.01)
        assert answer[0]["status"] == 200
        assert len(backend.requests) == 1
    finally:
        await app.stop()
