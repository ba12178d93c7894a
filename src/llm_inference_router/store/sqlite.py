"""The store on SQLite: group commit in front of one writer thread, and a spill file for whatever may not
wait.

Rules:
- An append waits for the commit of its batch. While one batch is being committed the next one gathers.
- A batch leaves at once when the last one left over `PACE_S` ago, otherwise at that distance: a lone record
  does not wait, and a busy server pays for few commits.
- An append is never later than `DEADLINE_S`, as far as the event loop itself is on time: what is not
  committed by then is written to the spill file and acknowledged. The writer takes it into the database
  later; by its id it gets in once.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from llm_inference_router.store import turns
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.jobs import Batch, Prune, Work
from llm_inference_router.store.lines import lines_of
from llm_inference_router.store.rows import records_where
from llm_inference_router.store.schema import floor_id, open_reader, open_writer, path_of
from llm_inference_router.store.spill import Spill
from llm_inference_router.store.turns import Thread
from llm_inference_router.store.writer import Writer
from llm_inference_router.types import Record, Turn

DEADLINE_S = 0.005
PACE_S = 0.002
_WAITING = 16  # batches that may wait for a slow commit in memory; more wait in the spill file alone

T = TypeVar("T")


class SqliteStore:
    """Appends from one event loop at a time; reads from any thread.

    Counters, each record in exactly one of the first three: `committed` in the database when acknowledged,
    `spilled` to the file instead, `dropped` written nowhere. `ingested` were spilled and are in the
    database since.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, spill: Spill) -> None:
        self.path = path
        self.committed = 0
        self.spilled = 0
        self.dropped = 0
        self._spill = spill
        self._gathering: Batch | None = None
        self._underway: Batch | None = None  # the last one that was sent to the writer
        self._next = 0.0  # when, by the loop's clock, the next one may be
        self._closed = False
        self._writer = Writer(path, connection, spill, self._settle)

    @classmethod
    def open(cls, url: str) -> "SqliteStore":
        """Opens or makes the database, brings its tables up to date and begins to take in what was spilled
        before.

        Raises ConfigError for a URL that names no SQLite file, StoreFault when the file cannot be used.
        """
        path = path_of(url)
        try:
            connection = open_writer(path)
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: {error}") from error
        try:
            store = cls(path, connection, Spill.open(path))
        except BaseException:  # whatever it is, the file does not stay open
            connection.close()
            raise
        store._writer.wake()
        return store

    # --- writing --------------------------------------------------------------------------------------------

    async def append(self, record: Record | None, ending: Ending | None = None) -> None:
        """Returns once the record is in the database or, after 5 ms or while the database fails, in the spill
        file; and as one with it what became of an idempotency key. None: a key's end alone.

        Raises StoreFault, and counts the record as dropped, when neither can be written. Cancelling the
        caller does not take the record back.
        """
        if self._closed:
            raise self._drop("the store is closed")
        if self._writer.failing is not None:
            self._spill_one(record, ending)
            return
        loop = asyncio.get_running_loop()
        batch = self._gathering
        if batch is None or batch.loop is not loop:
            batch = self._begin(loop)
        future = batch.add(record, ending)
        if loop.time() >= self._next and (self._underway is None or self._underway.finished):
            self._leave(batch)
        await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Batch:
        batch = self._gathering = Batch(loop)
        now = loop.time()
        batch.timer = loop.call_at(now + DEADLINE_S, self._overdue, batch)
        if now < self._next:
            if self._next > now + PACE_S:  # another loop's clock
                self._next = now
            loop.call_at(self._next, self._due, batch)
        return batch

    def _due(self, batch: Batch) -> None:
        """The pace allows the next batch; one that is underway sends it when it is settled."""
        if batch is self._gathering and (self._underway is None or self._underway.finished):
            self._leave(batch)

    def _leave(self, batch: Batch) -> None:
        self._gathering = None
        self._underway = batch
        self._next = batch.loop.time() + PACE_S
        self._writer.submit(batch)

    def _settle(self, batch: Batch) -> None:
        """The writer has finished with a batch."""
        if not batch.settled:
            if batch.error is not None:
                self._spill_batch(batch)
            else:
                self._acknowledge(batch)
        gathering = self._gathering
        if gathering is not None and gathering.loop is batch.loop and batch.loop.time() >= self._next:
            self._due(gathering)

    def _acknowledge(self, batch: Batch) -> None:
        batch.settled = True
        if batch.timer is not None:
            batch.timer.cancel()
        self.committed += len(batch.futures) - len(batch.refused) - batch.bare
        for number, future in enumerate(batch.futures):
            if batch.refused and number in batch.refused:
                _fail(future, self._drop(f"a record that cannot be kept: {batch.refused[number]}"))
            elif not future.done():
                future.set_result(None)

    def _overdue(self, batch: Batch) -> None:
        """The deadline of a batch, unless it was committed and a busy loop only kept its settlement waiting.

        The batch still goes its way to the database; only nobody waits for it any more.
        """
        if batch.finished:
            self._settle(batch)
        elif not batch.settled:
            self._spill_batch(batch)
            if batch is self._gathering:
                self._gathering = None
                if batch.span is not None and self._writer.waiting < _WAITING:
                    self._writer.submit(batch)

    def _spill_batch(self, batch: Batch) -> None:
        batch.settled = True
        if batch.timer is not None:
            batch.timer.cancel()
        lines, unwritable = lines_of(batch.entries())
        fault: StoreFault | None = None
        try:
            batch.span = self._write_spill(lines, len(lines) - batch.bare)
        except OSError as error:
            fault = self._drop(_words(self._spill, error), len(lines) - batch.bare)
        for number, future in enumerate(batch.futures):
            if number in unwritable:
                _fail(future, self._drop(unwritable[number]))
            elif fault is not None:
                _fail(future, fault)
            elif not future.done():
                future.set_result(None)

    def _spill_one(self, record: Record | None, ending: Ending | None) -> None:
        lines, unwritable = lines_of([(record, ending)])
        if unwritable:
            raise self._drop(unwritable[0])
        try:
            self._write_spill(lines, int(record is not None))
        except OSError as error:
            raise self._drop(_words(self._spill, error), int(record is not None)) from error

    def _write_spill(self, lines: list[bytes], records: int) -> tuple[int, int]:
        """Where in the spill file they are. Raises OSError."""
        span = self._spill.append(b"".join(lines))
        self.spilled += records
        if self._writer.failing is None:  # otherwise it looks by itself, every little while
            self._writer.wake()
        return span

    def _drop(self, reason: str, count: int = 1) -> StoreFault:
        self.dropped += count
        return StoreFault(reason)

    async def prune(self, before_ms: int) -> int:
        """Forgets every record whose request came before that time, in small steps between batches; how many
        they were.

        While the database cannot be written it waits. Raises StoreFault when the store is closed first.
        """
        if self._closed:
            raise StoreFault("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()

        def done(result: int | StoreFault) -> None:
            loop.call_soon_threadsafe(_resolve, future, result)

        self._writer.prune(Prune(before_ms, done))
        return await future

    async def perform(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Runs something short on the writer's connection, after all that was acknowledged before; what it returns.
        Raises StoreFault where the database cannot be written, or `run` fails."""
        if self._closed:
            raise StoreFault("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._writer.perform(Work(run, lambda result: loop.call_soon_threadsafe(_resolve, future, result)))
        result: T = await future
        return result

    async def close(self) -> None:
        """Commits what is underway and ends the writer. What is still spilled waits for the next start."""
        if self._closed:
            return
        self._closed = True
        if self._gathering is not None:
            self._writer.submit(self._gathering)
            self._gathering = None
        await asyncio.to_thread(self._writer.stop)
        self._spill.close()

    # --- reading --------------------------------------------------------------------------------------------

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """The record of one decision as plain JSON values (the fields of `types.Record`), or None.

        It also finds what is spilled, so an acknowledged record is never missing. Raises StoreFault.
        """
        found = self._committed_record(decision_id)
        if found is None and not self._closed and self._spill.size:
            # Once more in the database: it may have moved there from the spill while we looked.
            found = self._spilled_record(decision_id) or self._committed_record(decision_id)
        return found

    def thread(self, key: str, name: str, most_bytes: int) -> Thread:
        """The answers of this key up to the one the client calls `name`, the spilled ones too. Raises StoreFault."""
        with closing(open_reader(self.path)) as connection, _faults(self.path):

            def find(one: str) -> Turn | None:
                found = turns.named(connection, key, one)
                if found is None and not self._closed and self._spill.size:
                    found = self._spilled_turn(key, one) or turns.named(connection, key, one)
                return found

            return turns.thread(find, name, most_bytes)

    def answered(self, key: str, decision_id: str) -> bool:
        """Whether there is a record of this decision, asked for by this key. Raises StoreFault."""
        with closing(open_reader(self.path)) as connection, _faults(self.path):
            return turns.answered(connection, key, decision_id)

    def records(self, since_ms: int = 0) -> Iterator[dict[str, Any]]:
        """The committed records whose request came at or after that time, oldest first. Raises StoreFault."""
        with closing(open_reader(self.path)) as connection, _faults(self.path):
            yield from records_where(connection, "WHERE id >= ? ORDER BY id", floor_id(since_ms))

    @property
    def degraded(self) -> str | None:
        """Why records are being spilled instead of committed, or None."""
        if self._writer.failing is not None:
            return self._writer.failing
        underway = self._underway
        if underway is not None and underway.settled and not underway.finished:
            return f"{self.path.name}: a commit takes longer than {DEADLINE_S * 1000:.0f} ms"
        return None

    @property
    def backlog_bytes(self) -> int:
        """Bytes of spilled records that are not in the database yet."""
        return self._spill.size

    @property
    def ingested(self) -> int:
        return self._writer.ingested

    def _committed_record(self, decision_id: str) -> dict[str, Any] | None:
        with closing(open_reader(self.path)) as connection, _faults(self.path):
            return next(iter(records_where(connection, "WHERE id = ?", decision_id)), None)

    def _spilled_record(self, decision_id: str) -> dict[str, Any] | None:
        found = (record for record in self._spilled(decision_id) if record["decision"]["id"] == decision_id)
        return next(found, None)

    def _spilled_turn(self, key: str, name: str) -> Turn | None:
        found = (turns.in_record(record, key, name) for record in self._spilled(name))
        return next((turn for turn in found if turn is not None), None)

    def _spilled(self, word: str) -> Iterator[dict[str, Any]]:
        """The spilled records in which this word occurs."""
        offset, end = 0, -1
        needle = word.encode()
        while offset < self._spill.size and offset != end:
            end = offset
            lines, offset = self._spill.read(offset)
            for line in lines:
                with suppress(msgspec.DecodeError):  # the writer may cut the file under us
                    if needle in line and "decision" in (found := dict(msgspec.json.decode(line))):
                        found.pop("ending", None)
                        yield found


class _faults:  # noqa: N801 - reads as a word of the `with` statement
    """Turns sqlite3's errors into ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise StoreFault(f"{self._path}: {error}") from error


def _words(spill: Spill, error: OSError) -> str:
    return f"{spill.path.name}: {error.strerror or error}"


def _fail(future: asyncio.Future[None], fault: StoreFault) -> None:
    if not future.done():
        future.set_exception(fault)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return
    if isinstance(result, StoreFault):
        future.set_exception(result)
    else:
        future.set_result(result)
