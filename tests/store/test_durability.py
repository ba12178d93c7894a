"""What was acknowledged survives kill -9, a locked database and a full disk: all there afterwards, once."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.sqlite import SqliteStore
from tests.store.build import record, taken_in

ROOT = Path(__file__).parents[2]
ROUNDS = 6


def open_store(folder: Path) -> SqliteStore:
    return SqliteStore.open(f"sqlite:///{folder}/router.db")


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM decisions")]
        outcomes = [row[0] for row in connection.execute("SELECT decision_id FROM outcomes")]
        assert sorted(ids) == sorted(outcomes)
    return ids


async def reopen(folder: Path) -> None:
    store = open_store(folder)
    try:
        await asyncio.wait_for(taken_in(store), 20)
    finally:
        await store.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def delete_database(folder: Path) -> None:
    for name in ("router.db", "router.db-wal", "router.db-shm"):
        (folder / name).unlink()


def run_and_kill(url: str, seconds: float) -> list[str]:
    """The ids that a process acknowledged before it was killed at some moment of its work."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.appender", url],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        head = process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return (head + process.stdout.read()).decode().splitlines()


@pytest.mark.parametrize("lock", [False, True], ids=["", "locked"])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, lock: bool) -> None:
    chance = random.Random(7)
    asyncio.run(reopen(tmp_path))
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        pause = chance.uniform(0, 0.3)
        if lock:
            with locked(tmp_path / "router.db"):
                acknowledged += run_and_kill(f"sqlite:///{tmp_path}/router.db", pause)
        else:
            acknowledged += run_and_kill(f"sqlite:///{tmp_path}/router.db", pause)
    asyncio.run(reopen(tmp_path))
    found = stored(tmp_path / "router.db")
    assert len(acknowledged) >= ROUNDS
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
    # At most what was underway when it was killed is there without having been acknowledged.
    assert len(found) <= len(acknowledged) + ROUNDS * 8
    assert not list(tmp_path.glob("*.journal*"))


def test_while_the_database_is_locked_records_wait_and_are_taken_in_once(
    tmp_path: Path,
) -> None:
    kept, after = [record(attempts=2) for _ in range(60)], record()

    async def work() -> None:
        store = open_store(tmp_path)
        try:
            with locked(store.path):
                await asyncio.gather(*map(store.append, kept[:20]))
                for one in kept[20:40]:
                    await store.append(one)
                while "locked" not in str(store.degraded):  # noqa: ASYNC110 - the store has no event for it
                    await asyncio.sleep(0.01)
                for one in kept[40:]:
                    await store.append(one)
                while store.late < 60:  # noqa: ASYNC110 - those that gathered before it was known
                    await asyncio.sleep(0.01)
                assert store.decision(kept[3].decision.id) is not None
                assert stored(store.path) == []
                await asyncio.sleep(1)
                assert stored(store.path) == []
            await asyncio.wait_for(taken_in(store), 20)
            assert store.degraded is None
            assert sorted(stored(store.path)) == sorted(one.decision.id for one in kept)
            await store.append(after)
            await taken_in(store)
            assert (store.dropped, store.late, store.ingested, store.committed) == (0, 60, 60, 1)
        finally:
            await store.close()

    asyncio.run(work())
    asyncio.run(reopen(tmp_path))
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in [*kept, after])


def test_what_is_left_at_the_end_is_taken_in_at_the_next_start(tmp_path: Path) -> None:
    kept = [record() for _ in range(10)]

    async def work() -> None:
        store = open_store(tmp_path)
        with locked(store.path):
            await asyncio.gather(*map(store.append, kept))
            await store.close()

    asyncio.run(work())
    assert (tmp_path / "router.db.journal").exists()
    asyncio.run(reopen(tmp_path))
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)


def test_a_full_database_goes_on_when_there_is_room(tmp_path: Path) -> None:
    kept = [record(content=True) for _ in range(400)]

    async def work() -> None:
        store = open_store(tmp_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
            for one in kept[:50]:
                await store.append(one)
            answers = await asyncio.gather(*map(store.append, kept[50:]), return_exceptions=True)
            lost = sum(isinstance(answer, StoreFault) for answer in answers)
            assert 0 < lost == store.dropped, "the journal reaches the limit too"
            assert store.degraded is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await asyncio.wait_for(taken_in(store), 20)
            acknowledged = [one for one, answer in zip(kept[50:], answers, strict=True) if answer is None]
            found = stored(store.path)
            assert {one.decision.id for one in kept[:50] + acknowledged} <= set(found)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await store.close()

    asyncio.run(work())


def test_a_database_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    before, after = record(), [record() for _ in range(5)]

    async def work() -> None:
        store = open_store(tmp_path)
        try:
            await store.append(before)
            await taken_in(store)
            delete_database(tmp_path)
            await asyncio.gather(*map(store.append, after))
            await asyncio.wait_for(taken_in(store), 20)
        finally:
            await store.close()

    asyncio.run(work())
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in after)


def test_no_batch_goes_into_a_file_that_is_gone_however_many_wait(tmp_path: Path) -> None:
    """The first of them finds out; what is behind it in the queue must not be taken for written."""
    kept = [record() for _ in range(3)]

    async def work() -> None:
        store = open_store(tmp_path)
        try:
            await store.append(record())
            await taken_in(store)
            busy = asyncio.ensure_future(store.perform(lambda _: time.sleep(0.5)))
            await asyncio.sleep(0.05)
            delete_database(tmp_path)
            for one in kept:
                await store.append(one)
                store._hand_over()  # each is a batch of its own
            await busy
            await asyncio.wait_for(taken_in(store), 20)
        finally:
            await store.close()

    asyncio.run(asyncio.wait_for(work(), 20))
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)


def test_a_torn_last_line_is_ignored_and_a_damaged_one_is_set_aside(tmp_path: Path) -> None:
    good, torn = record(), record()

    async def leave() -> bytes:
        store = open_store(tmp_path)
        with locked(store.path):
            await store.append(good)
            await store.append(torn)
            await store.close()
        return (tmp_path / "router.db.journal").read_bytes()

    first, second = asyncio.run(leave()).splitlines()
    (tmp_path / "router.db.journal").write_bytes(b'{"decision":1}\n' + first + b"\n" + second[:-9])
    asyncio.run(reopen(tmp_path))
    assert stored(tmp_path / "router.db") == [good.decision.id]
    assert (tmp_path / "router.db.unreadable").read_bytes() == b'{"decision":1}\n'


def test_a_record_that_the_database_refuses_is_set_aside(tmp_path: Path) -> None:
    good, too_dear = [record(), record()], record(cost=2**63)

    async def leave() -> None:
        store = open_store(tmp_path)
        with locked(store.path):
            await asyncio.gather(*map(store.append, [good[0], too_dear, good[1]]))
            await store.close()

    asyncio.run(leave())
    asyncio.run(reopen(tmp_path))
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in good)
    assert too_dear.decision.id.encode() in (tmp_path / "router.db.unreadable").read_bytes()


def test_what_another_dead_process_left_is_taken_in_too(tmp_path: Path) -> None:
    kept = [record(), record()]

    async def work() -> None:
        one, two = open_store(tmp_path), open_store(tmp_path)
        with locked(one.path):
            await one.append(kept[0])
            await two.append(kept[1])
            await one.close()
            await two.close()

    asyncio.run(work())
    assert len(list(tmp_path.glob("*.journal*"))) == 2
    asyncio.run(reopen(tmp_path))
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)
    assert not list(tmp_path.glob("*.journal*"))
