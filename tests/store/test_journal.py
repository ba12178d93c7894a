"""The journal against a model: a list of lines, some taken. And what it promises the store that appends to it."""

import asyncio
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llm_inference_router.store import idempotency, journal, turns
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Claim, Ending
from llm_inference_router.store.journal import Journal
from llm_inference_router.store.sqlite import SqliteStore
from tests.store.build import line_of, record, taken_in
from tests.store.test_durability import locked, open_store, stored
from tests.store.test_sqlite import answer


class Journalled(RuleBasedStateMachine):
    """`lines`: all that were appended, with the place behind each; `taken`: how many of them the database has."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(journal, "_TAKEN", 400)
        self.patch.setattr(journal, "_REST", 200)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "router.db"
        self.journal = Journal.open(self.path)
        self.lines: list[tuple[bytes, int]] = []
        self.taken = 0

    @rule(lines=st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"x")), min_size=1, max_size=5))
    def append(self, lines: list[bytes]) -> None:
        start, end = self.journal.append(b"".join(line + b"\n" for line in lines))
        assert start == (self.lines[-1][1] if self.lines else start)
        place = start
        for line in lines:
            place += len(line) + 1
            self.lines.append((line, place))
        assert place == end

    @rule(share=st.floats(0, 1), erase=st.booleans())
    def take(self, share: float, erase: bool) -> None:
        self.taken = max(self.taken, round(share * len(self.lines)))
        if self.taken:
            self.journal.take(self.lines[self.taken - 1][1], erase=erase)
        if erase and self.taken:
            assert self.file() == self.left()

    @rule()
    def delete(self) -> None:
        """It is back, with all that is left, as soon as something is taken."""
        self.path.with_name(self.path.name + ".journal").unlink()
        self.journal.take(0)
        assert self.file() == self.left()

    @rule(torn=st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"x")))
    def crash(self, torn: bytes) -> None:
        """Nothing is lost that was not taken; what is taken may be there once more."""
        os.close(self.journal._descriptor)
        own = self.path.with_name(self.path.name + ".journal")
        with own.open("ab") as file:
            file.write(torn)
        own.with_name(own.name + ".new").write_bytes(b"half of a ")
        self.journal = Journal.open(self.path)
        found = self.read()
        left = self.left()
        assert not left or found[-len(left) :] == left
        assert found == [line for line, _ in self.lines][len(self.lines) - len(found) :]
        places = [sum(len(line) + 1 for line in found[: at + 1]) for at in range(len(found))]
        self.lines = list(zip(found, places, strict=True))
        self.taken = 0

    @invariant()
    def what_is_left_is_read(self) -> None:
        assert self.read() == self.left()
        assert (self.journal.taken == self.journal.end) is (not self.left())

    @invariant()
    def the_file_has_a_bound(self) -> None:
        bytes_left = sum(len(line) + 1 for line in self.left())
        if bytes_left <= journal._REST:
            assert sum(len(line) + 1 for line in self.file()) <= bytes_left + journal._TAKEN + 1

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()
        self.patch.undo()

    def left(self) -> list[bytes]:
        return [line for line, _ in self.lines[self.taken :]]

    def read(self) -> list[bytes]:
        found: list[bytes] = []
        place, lines = self.journal.taken, [b""]
        while lines:
            lines, place = self.journal.read(place, 50)
            found += lines
        return found

    def file(self) -> list[bytes]:
        return self.path.with_name(self.path.name + ".journal").read_bytes().split(b"\n")[:-1]


TestJournal = Journalled.TestCase
TestJournal.settings = settings(deadline=None)


def test_a_file_of_another_process_is_not_written_over(tmp_path: Path) -> None:
    one, two = Journal.open(tmp_path / "router.db"), Journal.open(tmp_path / "router.db")
    one.append(b"one\n")
    two.append(b"two\n")
    one.path.unlink()
    os.link(two.path, one.path)  # as when a third has taken the free name
    for taken in (0, 4):
        assert one.read(0) == ([b"one"], 4)
        with pytest.raises(FileExistsError):
            one.take(taken)
    one.close()
    assert (tmp_path / "router.db.journal").read_bytes() == b"two\n"
    two.close()


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
    monkeypatch.setattr("llm_inference_router.store.sqlite.DEADLINE_S", 20)  # a busy machine may be late
    kept, refused = [record() for _ in range(3)], record(cost=2**63)

    async def work(store: SqliteStore) -> None:
        await store.append(kept[0])
        monkeypatch.setattr(store._journal, "append", fails)
        for one in kept[1:]:
            await store.append(one)
            assert one.decision.id in stored(store.path)
        with pytest.raises(StoreFault, match=r"No space left on device; .*refuses"):
            await store.append(refused)
        assert (store.dropped, store.committed) == (1, 3)

    run(tmp_path, work)
    assert sorted(stored(tmp_path / "router.db")) == sorted(one.decision.id for one in kept)


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
        for number, one in enumerate(kept):
            await store.append(one)  # there is always one that no batch has brought yet
            if number % 50 == 0:
                store._hand_over()
                await store.append(answer("resp", ""))
                sizes.append(store._journal.path.stat().st_size)
                await asyncio.sleep(0.002)

    run(tmp_path, work)
    written = sum(len(line_of(one)) for one in kept)
    assert written > 10 * 100_000
    assert max(sizes) < written / 2
    assert {one.decision.id for one in kept} <= set(stored(tmp_path / "router.db"))


def test_what_was_forgotten_is_not_left_in_the_journal(tmp_path: Path) -> None:
    secret, other = answer("resp_1", ""), answer("resp_2", "")

    def everything(store: SqliteStore) -> bytes:
        with closing(sqlite3.connect(store.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    async def work(store: SqliteStore) -> None:
        await store.append(secret)
        store._next = time.monotonic() + 60
        await store.append(record())  # gathers for a minute, so the journal is not cut by itself
        assert b"resp_1" in everything(store)
        forget = partial(turns.forget, key=secret.decision.key, name="resp_1")
        done = asyncio.ensure_future(store.perform(forget, erases=True))
        await asyncio.sleep(0)
        await store.append(record())
        await done
        await store.append(other)
        assert b"resp_1" not in everything(store)
        assert b"resp_2" in everything(store)

    run(tmp_path, work)
