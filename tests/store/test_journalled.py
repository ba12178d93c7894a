"""What the journal promises the store that appends to it: nobody waits for the database, and nothing is lost."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llm_inference_router.store import idempotency, journal, turns
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Claim, Ending
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Record
from tests.store.build import half, line_of, record, taken_in
from tests.store.test_durability import locked, open_store, stored
from tests.store.test_sqlite import answer


def run(folder: Path, work: Any) -> None:
    async def whole() -> None:
        store = open_store(folder)
        try:
            await asyncio.wait_for(work(store), 30)
        finally:
            await store.close()

    asyncio.run(whole())


@asynccontextmanager
async def occupied(store: SqliteStore) -> AsyncIterator[None]:
    """The writer has other work until the end."""
    begun, free = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        begun.set()
        free.wait(20)

    done = asyncio.ensure_future(store.perform(work))
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        free.set()
        await done


def test_an_append_does_not_wait_for_the_database_and_all_gets_in_once(tmp_path: Path) -> None:
    kept = [record() for _ in range(5000)]

    async def work(store: SqliteStore) -> None:
        async with occupied(store):
            for one in kept:
                await store.append(one)
            assert stored(store.path) == []
            assert store.decision(kept[0].decision.id) is not None
            assert store.decision(kept[-1].decision.id) is not None
            assert store.late > 0, "more than may wait in memory"
        await taken_in(store)
        assert (store.dropped, store.committed + store.late) == (0, 5000)

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)


def test_what_another_request_may_ask_for_is_in_the_database_when_its_append_is_over(tmp_path: Path) -> None:
    keyed, spoken = record(), answer("resp_1", "")
    wish = Claim("one", "k", b"d" * 32, "a", 1000)

    async def work(store: SqliteStore) -> None:
        store._next = time.monotonic() + 60  # what is not asked for would not leave for a minute
        await store.perform(partial(idempotency.claim, wish=wish, expired_before=0))
        await store.append(keyed, Ending(wish, "answered", keyed.decision.id))
        await store.append(spoken)

    async def patient(store: SqliteStore) -> None:
        await work(store)
        assert sorted(stored(store.path)) == sorted([keyed.decision.id, spoken.decision.id])

    with pytest.MonkeyPatch.context() as patch:  # a busy machine may be late
        patch.setattr("llm_inference_router.store.sqlite.DEADLINE_S", 20)
        run(tmp_path, patient)


def test_such_an_append_waits_for_a_late_database_no_longer_than_its_deadline(tmp_path: Path) -> None:
    spoken = answer("resp_1", "")

    async def work(store: SqliteStore) -> None:
        async with occupied(store):
            await store.append(spoken)
            assert stored(store.path) == []
            assert [turn.id for turn in store.thread(spoken.decision.key, "resp_1", 10**6).turns] == ["resp_1"]

    run(tmp_path, work)
    assert stored(tmp_path / "router.db") == [spoken.decision.id]


def fails(*_: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_without_a_journal_an_append_waits_for_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_inference_router.store.sqlite.UNJOURNALLED_S", 20)  # a busy machine may be late
    kept, refused = [record() for _ in range(3)], record(cost=2**63)

    async def work(store: SqliteStore) -> None:
        await store.append(kept[0])
        with monkeypatch.context() as patch:
            patch.setattr(store._journal, "append", fails)
            for one in kept[1:]:
                await store.append(one)
                assert one.decision.id in stored(store.path)
            assert "No space" in str(store.degraded)
            with pytest.raises(StoreFault, match=r"No space left on device; .*refuses"):
                await store.append(refused)
        await store.append(record())
        await taken_in(store)
        assert (store.dropped, store.committed) == (1, 4)

    run(tmp_path, work)
    assert {one.decision.id for one in kept} < set(stored(tmp_path / "router.db"))


@pytest.mark.parametrize("known", [False, True], ids=["not known to fail", "known to fail"])
def test_without_both_a_record_is_dropped_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    async def work(store: SqliteStore) -> None:
        with locked(store.path):
            if known:
                await store.append(record())
                while store.degraded is None:  # noqa: ASYNC110 - the store has no event for it
                    await asyncio.sleep(0.01)
            monkeypatch.setattr(store._journal, "append", fails)
            with pytest.raises(StoreFault, match="No space left on device"):
                await store.append(record())
            assert store.dropped == 1

    run(tmp_path, work)


def test_under_steady_load_the_journal_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_TAKEN", 100_000)
    kept = [record() for _ in range(2000)]
    sizes = []

    async def work(store: SqliteStore) -> None:
        for number, one in enumerate(kept, 1):
            await store.append(one)
            if number % 50 == 0:
                batch = store._gathering
                store._hand_over()
                await store.append(record())  # there is always one that no batch has brought yet
                while batch is not None and store._journal.taken < (batch.end or 0):  # noqa: ASYNC110 - as in build.py
                    await asyncio.sleep(0.001)
                assert store.backlog_bytes
                sizes.append(store._journal.path.stat().st_size)

    run(tmp_path, work)
    written = sum(len(line_of(one)) for one in kept)
    assert written > 10 * 100_000
    assert max(sizes) < 300_000
    assert {one.decision.id for one in kept} <= set(stored(tmp_path / "router.db"))


def test_what_was_forgotten_is_not_left_in_the_journal(tmp_path: Path) -> None:
    secret, other = answer("resp_1", ""), answer("resp_2", "")

    def everything(store: SqliteStore) -> bytes:
        with closing(sqlite3.connect(store.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    async def work(store: SqliteStore) -> None:
        await store.append(secret)
        await taken_in(store)
        store._next = time.monotonic() + 60
        async with occupied(store):
            await store.append(secret)  # again, as a record that is still to come
            forget = partial(turns.forget, key=secret.decision.key, name="resp_1")
            done = asyncio.ensure_future(store.perform(forget, erases=True))
            await asyncio.sleep(0)
            await store.append(record())  # gathers for a minute, so the journal is not cut by itself
        await done
        assert store.backlog_bytes
        await store.append(other)
        assert b"resp_1" not in everything(store)
        assert b"resp_2" in everything(store)

    run(tmp_path, work)


def test_records_of_a_moment_in_which_the_database_comes_back_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process locks it for a few milliseconds again and again, while many append and checkpoints come often."""
    monkeypatch.setattr("llm_inference_router.store.writer._FULL_FRAMES", 60)
    kept: list[str] = []
    end = time.monotonic() + 3

    def lock() -> None:
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None, timeout=1)) as other:
            while time.monotonic() < end:
                with suppress(sqlite3.OperationalError):
                    other.execute("BEGIN IMMEDIATE")
                    time.sleep(0.005)
                    other.execute("ROLLBACK")
                time.sleep(0.02)

    async def work(store: SqliteStore) -> None:
        locking = threading.Thread(target=lock)
        locking.start()

        async def client() -> None:
            while time.monotonic() < end:
                one = record()
                await store.append(one)
                kept.append(one.decision.id)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(client() for _ in range(8)))
        await asyncio.to_thread(locking.join)
        await taken_in(store)
        assert store.late > 0, "it was locked"
        assert store.dropped == 0

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(kept)


def test_what_comes_behind_records_that_wait_is_written_after_them(tmp_path: Path) -> None:
    """No batch is taken for the whole of what lies before its end."""
    owed, after = [record() for _ in range(100)], record()

    async def work(store: SqliteStore) -> None:
        with locked(store.path):
            for one in owed:
                await store.append(one)
            while store.late < len(owed):  # noqa: ASYNC110 - as in build.py
                await asyncio.sleep(0.005)
        while store.degraded is not None:
            await store.append(after)  # in the very moment in which it comes back, and before
            await asyncio.sleep(0)
        await taken_in(store)

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in [*owed, after])


def test_those_who_wait_for_a_busy_database_go_into_it_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_inference_router.store.sqlite.DEADLINE_S", 20)
    monkeypatch.setattr("llm_inference_router.store.sqlite.PACE_S", 60)
    spoken = [answer(f"resp_{number}", "") for number in range(200)]

    async def work(store: SqliteStore) -> None:
        batches: list[int] = []
        submit = store._writer.submit
        store._writer.submit = lambda batch: (batches.append(batch.count), submit(batch))[1]  # type: ignore[method-assign,func-returns-value]
        async with occupied(store):
            await store.append(record())
            store._hand_over()
            appends = asyncio.gather(*map(store.append, spoken))
            await asyncio.sleep(0)
        await appends  # as soon as the writer is free: the next batch by the pace would leave in a minute
        assert sum(batches) == 201
        assert len(batches) <= 5

    run(tmp_path, work)
    assert len(stored(tmp_path / "router.db")) == 201


def test_a_short_write_costs_that_record_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [record() for _ in range(2)]

    async def work(store: SqliteStore) -> None:
        with locked(store.path):
            await store.append(kept[0])
            with monkeypatch.context() as patch:
                patch.setattr(os, "pwrite", half(0.5))
                with pytest.raises(StoreFault):
                    await store.append(record())
            await store.append(kept[1])
            assert store.decision(kept[1].decision.id) is not None
        await taken_in(store)

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)


def test_what_a_dead_process_left_stays_where_there_is_no_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = line_of(record())
    (tmp_path / "router.db.journal.2").write_bytes(line)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half(0.5))
        open_store(tmp_path)._journal.close()
    assert (tmp_path / "router.db.journal.2").read_bytes() == line


def test_a_full_database_is_not_taken_for_one_that_can_be_written(tmp_path: Path) -> None:
    kept: list[Record] = []

    async def work(store: SqliteStore) -> None:
        store._writer._database.connection().execute("PRAGMA max_page_count=1").fetchone()
        while store.degraded is None:
            kept.append(record(content=True))
            await store.append(kept[-1])
            await asyncio.sleep(0.01)
        for _ in range(30):
            kept.append(record(content=True))
            await store.append(kept[-1])
            await asyncio.sleep(0.01)
            assert store.degraded is not None
        store._writer._database.connection().execute("PRAGMA max_page_count=1000000").fetchone()
        await taken_in(store)

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)
