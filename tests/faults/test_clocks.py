"""The wall clock may jump; what lasts is measured on one that cannot."""

import asyncio
import sqlite3
import time
from collections.abc import MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from llm_inference_router.config.load import load
from llm_inference_router.effects import SystemClock
from llm_inference_router.server.app import Router
from llm_inference_router.store.report import report
from tests.serving.router import config
from tests.serving.upstream import answers, fails, in_turn, upstream

DAY_MS = 86_400_000


class Jumping(SystemClock):
    """Every look at it is `step_ms` further than the one before."""

    def __init__(self, step_ms: int) -> None:
        self.step_ms = step_ms
        self.offset_ms = 0

    def now_ms(self) -> int:
        self.offset_ms += self.step_ms
        return time.time_ns() // 1_000_000 + self.offset_ms


async def ask(app: Router, stream: bool) -> int:
    body = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    asked = iter([{"type": "http.request", "body": orjson.dumps(body), "more_body": False}])
    status = []

    async def receive() -> MutableMapping[str, Any]:
        for message in asked:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        status.append(message.get("status", 0))

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    return int(status[0])


@pytest.mark.parametrize("step_ms", [-DAY_MS, DAY_MS])
def test_a_clock_that_jumps_a_day_at_every_look_changes_no_duration(tmp_path: Path, step_ms: int) -> None:
    database = tmp_path / "r.db"
    with upstream(one=in_turn(fails(500), answers()), two=answers()) as backend:
        rest = f"store: {{url: 'sqlite:///{database}'}}\nserver: {{host: 127.0.0.1}}"
        (tmp_path / "router.yaml").write_text(config(backend.url, "one", "two", extra=rest))

        async def run() -> list[int]:
            app = Router(load(tmp_path / "router.yaml"), clock=Jumping(step_ms))
            await app.start()
            try:
                return [await ask(app, stream) for stream in (False, True, False, True)]
            finally:
                await app.stop()

        assert asyncio.run(run()) == [200] * 4
    with closing(sqlite3.connect(database)) as stored:
        durations = [
            *stored.execute("SELECT total_ms, coalesce(ttft_ms, 0), overhead_ms FROM outcomes"),
            *stored.execute("SELECT total_ms, coalesce(ttft_ms, 0), 0 FROM attempts"),
        ]
        assert stored.execute("SELECT count(*) FROM outcomes").fetchone() == (4,)
    assert len(durations) == 4 + 5
    assert all(0 <= one < 10_000 for row in durations for one in row)
    assert report(database, 0).all.requests == 4
