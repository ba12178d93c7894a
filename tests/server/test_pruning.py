"""Old records are forgotten however often the router is started or its configuration read again."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llm_inference_router.config.load import load
from llm_inference_router.engine import watch
from llm_inference_router.server.app import Router as App
from llm_inference_router.server.reload import Loaded, Source
from tests.serving.router import config, serving
from tests.serving.upstream import answers, upstream

RETAIN = "store: {retain: 1d}"


def age(database: Path) -> None:
    """Every record is from long ago: an id begins with its time."""
    with closing(sqlite3.connect(database)) as stored, stored:
        stored.execute("UPDATE records SET id = '0000' || substr(id, 5), at = 1000, ended_at = 1000")


def kept(database: Path) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as stored:
        return int(stored.execute("SELECT count(*) FROM decisions").fetchone()[0])


async def eventually_empty(database: Path, seconds: float = 20.0) -> bool:
    for _ in range(int(seconds / 0.05)):
        if kept(database) == 0:
            return True
        await asyncio.sleep(0.05)
    return False


def old_records(folder: Path, text: str) -> Path:
    with serving(folder, text) as router:
        assert router.chat().status == 200
        assert router.stop() == 0
    age(router.database)
    assert kept(router.database) == 1
    return router.database


def test_they_go_soon_after_the_start(tmp_path: Path) -> None:
    with upstream(one=answers()) as backend:
        text = config(backend.url, "one", extra=RETAIN)
        database = old_records(tmp_path, text)
        with serving(tmp_path, text):
            assert asyncio.run(eventually_empty(database))


def test_they_go_though_the_configuration_is_read_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time is a second away, and every quarter of a second there is a reload."""
    monkeypatch.setattr(watch, "_SOON_S", 1.0)
    with upstream(one=answers()) as backend:
        extra = f"store: {{retain: 1d, url: 'sqlite:///{tmp_path}/router.db'}}\nserver: {{host: 127.0.0.1}}"
        database = old_records(tmp_path, config(backend.url, "one", extra=extra))
        loaded = load(tmp_path / "router.yaml")

        async def run() -> bool:
            app = App(loaded, source=Source(tmp_path / "router.yaml", lambda: Loaded(loaded, {})))
            await app.start()
            try:
                reloading = asyncio.create_task(reload_for_ever(app))
                gone = await eventually_empty(database)
                reloading.cancel()
                return gone
            finally:
                await app.stop()

        assert asyncio.run(run())


async def reload_for_ever(app: App) -> None:
    while True:
        assert (await app.reloads.reload("request")).problems == ()
        await asyncio.sleep(0.25)
