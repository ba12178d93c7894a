"""What became of an idempotency key is as durable as the record that it came with; no mistake ends the writer."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.store import idempotency, lines
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Answer, Claim, End, Ending, Found
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Record
from tests.store.build import line_of, record, taken_in
from tests.store.test_durability import locked, open_store, stored

ANSWER = Answer(200, ((b"content-type", b"text/plain"),), b"\x00\xffhello")


def claim(key: str = "k", owner: str = "a", at: int = 1000, replaces: str = "") -> Claim:
    return Claim("one", key, b"d" * 32, owner, at, replaces)


async def claimed(store: SqliteStore, wish: Claim) -> Found | None:
    return await store.perform(partial(idempotency.claim, wish=wish, expired_before=0))


def run(folder: Path, *works: Any) -> None:
    """Each work has a store that was opened anew."""

    async def all_of_them() -> None:
        for work in works:
            store = open_store(folder)
            try:
                await asyncio.wait_for(work(store), 20)
            finally:
                await store.close()

    asyncio.run(all_of_them())


@pytest.mark.parametrize("lock", [False, True], ids=["", "locked"])
@pytest.mark.parametrize("kept", [True, False], ids=["with its answer", "without"])
def test_a_key_and_its_record_are_durable_together(tmp_path: Path, lock: bool, kept: bool) -> None:
    one = record()

    async def answer(store: SqliteStore) -> None:
        wish = claim()
        assert await claimed(store, wish) is None
        ending = Ending(wish, "answered", one.decision.id, ANSWER if kept else None)
        if lock:
            with locked(store.path):
                await store.append(one, ending)
                found = store.decision(one.decision.id)
                assert found is not None
                assert "ending" not in found
        else:
            await store.append(one, ending)

    async def ask_again(store: SqliteStore) -> None:
        found = await claimed(store, claim(owner="b"))
        assert found is not None
        assert (found.state, found.decision_id, found.answer) == (
            "answered",
            one.decision.id,
            ANSWER if kept else None,
        )
        assert stored(store.path) == [one.decision.id]

    run(tmp_path, answer, ask_again)


@pytest.mark.parametrize("lock", [False, True], ids=["", "locked"])
def test_a_key_that_is_given_back_without_a_record_is_free_after_a_restart(tmp_path: Path, lock: bool) -> None:
    async def give_back(store: SqliteStore) -> None:
        wish = claim()
        await claimed(store, wish)
        if lock:
            with locked(store.path):
                await store.append(None, Ending(wish, "free"))
        else:
            await store.append(None, Ending(wish, "free"))
        await taken_in(store)
        assert (store.committed, store.late, store.dropped) == (0, 0, 0), "only records are counted"

    async def ask_again(store: SqliteStore) -> None:
        assert await claimed(store, claim(owner="b")) is None

    run(tmp_path, give_back, ask_again)


def test_the_late_end_of_a_claim_changes_nothing_for_the_next(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        first, second = claim(owner="a"), claim(owner="b", replaces="a")
        await claimed(store, first)
        assert await claimed(store, claim(owner="c")) is not None
        assert await claimed(store, second) is None
        await store.append(None, Ending(first, "free"))
        await store.append(None, Ending(first, "answered", "x"))
        found = await claimed(store, claim(owner="c"))
        assert found is not None
        assert (found.owner, found.state) == ("b", "running")

    run(tmp_path, work)


@pytest.mark.parametrize("lock", [False, True], ids=["", "locked"])
def test_a_record_that_the_database_refuses_does_not_cost_its_key_its_end(tmp_path: Path, lock: bool) -> None:
    good, bad = record(), record(status=2**70)

    async def work(store: SqliteStore) -> None:
        wish = claim()
        await claimed(store, wish)
        with locked(store.path) if lock else nullcontext():
            told = await asyncio.gather(
                store.append(bad, Ending(wish, "answered", "x")), store.append(good), return_exceptions=True
            )
        assert told[1] is None
        found = await claimed(store, claim(owner="b"))
        assert found is not None
        assert found.state == "answered"

    run(tmp_path, work)


def spoil(path: Path, answer: bytes) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE idempotency SET answer = ?", (answer,))


def test_an_answer_that_cannot_be_read_counts_as_not_kept(tmp_path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        wish = claim()
        await claimed(store, wish)
        await store.append(record(), Ending(wish, "answered", "x", ANSWER))
        spoil(store.path, b"\xc1\xff")
        found = await claimed(store, claim(owner="b"))
        assert found is not None
        assert (found.state, found.answer) == ("answered", None)

    run(tmp_path, work)


def test_work_that_fails_is_told_and_the_writer_goes_on(tmp_path: Path) -> None:
    def mistaken(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        raise KeyError("a mistake")

    async def work(store: SqliteStore) -> None:
        with pytest.raises(StoreFault, match="KeyError"):
            await store.perform(mistaken)
        await store.append(record())
        await taken_in(store)
        assert store.committed == 1

    run(tmp_path, work)


@contextmanager
def broken(store: SqliteStore, name: str) -> Iterator[None]:
    """The journal fails as a bad disk does."""
    journal = store._journal
    whole = getattr(journal, name)

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(5, "Input/output error")

    setattr(journal, name, fails)
    yield
    setattr(journal, name, whole)


async def degraded(store: SqliteStore, word: str) -> None:
    while word not in str(store.degraded):  # noqa: ASYNC110 - `run` has a limit
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["read", "take"])
def test_a_journal_that_cannot_be_read_or_cut_is_said_and_retried(tmp_path: Path, name: str) -> None:
    kept = [record() for _ in range(3)]

    async def work(store: SqliteStore) -> None:
        with broken(store, name):
            with locked(store.path):
                await store.append(kept[0])
                await degraded(store, "locked")
            await store.append(kept[1])
            await degraded(store, "Input/output")
        await taken_in(store)
        await store.append(kept[2])
        await taken_in(store)
        assert sorted(stored(store.path)) == sorted(one.decision.id for one in kept)

    run(tmp_path, work)


def test_a_line_that_makes_no_row_is_set_aside(tmp_path: Path) -> None:
    one, bad = record(), record()
    line = line_of(bad).replace(b'"little/0"', b'"\\ud800"')
    (tmp_path / "router.db.journal").write_bytes(line + b"[]\n{}\n" + line_of(one))

    async def work(store: SqliteStore) -> None:
        await taken_in(store)
        assert stored(store.path) == [one.decision.id]
        await store.append(record())
        assert store.degraded is None

    run(tmp_path, work)
    assert (tmp_path / "router.db.unreadable").read_bytes() == line + b"[]\n{}\n"


def test_every_claim_sees_what_the_journal_had_before(tmp_path: Path) -> None:
    """Also the first after a start, and with much of it."""
    one = record()
    ending = Ending(claim(), "answered", one.decision.id)
    many: list[tuple[Record | None, Ending | None]] = [(record(), None) for _ in range(300)]
    (tmp_path / "router.db.journal").write_bytes(b"".join(line_of(*entry) for entry in [*many, (one, ending)]))

    async def work(store: SqliteStore) -> None:
        found = await claimed(store, claim(owner="b"))
        assert found is not None
        assert found.state == "answered"

    run(tmp_path, work)


@given(
    key=st.text(min_size=1, max_size=20).filter(str.isprintable),
    state=st.sampled_from(["answered", "interrupted", "free"]),
    body=st.binary(max_size=200),
    bare=st.booleans(),
)
def test_a_line_is_read_as_it_was_written(key: str, state: End, body: bytes, bare: bool) -> None:
    ending = Ending(claim(key), state, "x", Answer(200, ((b"a", body),), body))
    one = None if bare else record(content=True)
    line = line_of(one, ending)
    assert line.count(b"\n") == 1
    assert lines.read_line(line) == (one, ending)
