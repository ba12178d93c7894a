"""The store on SQLite: the journal in front of one writer thread.

Rules:
- An append is over once its line is in the journal; nothing waits for the database.
- The records go into the database in batches, from memory: at once when the last batch left over `PACE_S` ago,
  otherwise at that distance. So a lone record is there a moment later, and a busy server pays for few commits.
- What another request may ask the database for, the end of an idempotency key or an answer to go on from, leaves as
  soon as the writer is free and waits for its commit, but not for longer than `DEADLINE_S`.
- What the database does not take waits in the journal, and the writer takes it from there later; by its id it gets in
  once. Every line is in exactly one batch, or is owed: the two are never mixed in one span of the journal. A batch of
  which a record was refused is read back.
- Where the journal cannot be written an append waits for its commit, for at most `UNJOURNALLED_S`.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from llm_inference_router.store import turns
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.database import Database
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.jobs import Batch, Prune, Work
from llm_inference_router.store.journal import Journal
from llm_inference_router.store.lines import UNWRITABLE, decision_in, line_of
from llm_inference_router.store.rows import records_where
from llm_inference_router.store.schema import floor_id, open_reader, open_writer, path_of
from llm_inference_router.store.turns import Thread
from llm_inference_router.store.writer import Writer
from llm_inference_router.types import Record, Turn

DEADLINE_S = 0.005
UNJOURNALLED_S = 1.0
PACE_S = 0.05
_MOST_BYTES = 512 * 1024  # of the lines of a batch
_WAITING_BYTES = 8 * 1024 * 1024  # of batches that may wait for slow commits in memory; more wait in the journal alone
_SLOW_S = 1.0  # a step of the writer that takes longer is trouble
_TOLD_S = 5.0  # for which a record that the journal did not take is trouble
_LATE = StoreFault("the database is late")
_log = logging.getLogger(__name__)

T = TypeVar("T")


class SqliteStore:
    """Appends from one event loop at a time; reads from any thread."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self.path = database.path
        self.dropped = 0
        self._late = 0
        self._journal = journal
        self._gathering: Batch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # in which it gathers
        self._unjournalled = ("", 0.0)  # why the journal took no record, and until when that is told
        self._next = 0.0  # when, by the loop's clock, the next batch may leave
        self._closed = False
        self._writer = Writer(database, journal)

    @classmethod
    def open(cls, url: str) -> "SqliteStore":
        """Opens or makes the database, brings its tables up to date and begins to take in what journals have.

        Raises ConfigError for a URL that names no SQLite file, StoreFault when the file cannot be used.
        """
        path = path_of(url)
        try:
            connection = open_writer(path)
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: {error}") from error
        try:
            return cls(Database(path, connection), Journal.open(path))
        except BaseException:  # whatever it is, the file does not stay open
            connection.close()
            raise

    # --- writing --------------------------------------------------------------------------------------------

    async def append(self, record: Record | None, ending: Ending | None = None) -> None:
        """Returns once the record is in the journal, and as one with it what became of an idempotency key. None: a
        key's end alone.

        Raises StoreFault, and counts the record as dropped, when it can be written neither there nor, within a second,
        to the database.
        Cancelling the caller does not take the record back.
        """
        if self._closed:
            raise self._drop("the store is closed", record)
        try:
            decision = decision_in(record)
            line = line_of(record, ending, decision)
        except UNWRITABLE as error:
            raise self._drop(f"a record that cannot be written as JSON: {error}", record) from error
        loop = asyncio.get_running_loop()
        try:
            start, end = self._journal.append(line)
        except OSError as error:
            await self._append_unjournalled(record, decision, ending, error)
            return
        batch = self._gather(start, loop)
        batch.add(record, decision, ending, end)
        if ending is not None or _may_be_asked_for(record):
            if not self._writer.waiting:
                self._leave(batch)
            if self._writer.failing is None:
                await _committed(batch, loop, DEADLINE_S)
        elif end - (batch.start or 0) >= _MOST_BYTES:
            self._leave(batch)

    def _gather(self, start: int, loop: asyncio.AbstractEventLoop) -> Batch:
        batch = self._gathering
        if batch is not None and loop is self._loop:
            return batch
        if batch is not None:
            self._leave(batch)  # its loop may have ended
        batch, self._loop = Batch(start, self._settled), loop
        self._gathering = batch
        wait = self._next - time.monotonic()
        if wait <= 0:
            loop.call_soon(self._leave, batch)  # with what else comes in this round
        else:
            loop.call_later(wait, self._leave, batch)
        return batch

    def _leave(self, batch: Batch) -> None:
        if batch is not self._gathering:
            return
        self._gathering = None
        self._next = time.monotonic() + PACE_S
        if self._writer.failing is None and self._writer.waiting < _WAITING_BYTES:
            self._writer.submit(batch)
            return
        self._late += batch.count
        self._writer.owe(batch.end or 0)
        _settle(batch, _LATE)

    def _settled(self, batch: Batch, fault: StoreFault | None) -> None:
        """In the writer's thread: it has finished with a batch."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._go_on, batch, fault)

    def _go_on(self, batch: Batch, fault: StoreFault | None) -> None:
        _settle(batch, fault)
        gathering = self._gathering
        if gathering is not None and gathering.waiters and not self._writer.waiting:
            self._leave(gathering)

    async def _append_unjournalled(
        self, record: Record | None, decision: bytes, ending: Ending | None, error: OSError
    ) -> None:
        reason = f"{self._journal.path.name}: {error.strerror or error}"
        now = time.monotonic()
        if now > self._unjournalled[1]:
            _log.warning("records go to the database alone: %s", reason)
        self._unjournalled = reason, now + _TOLD_S
        if self._writer.failing is None and self._writer.waiting < _WAITING_BYTES:
            batch = Batch(None, self._settled)
            batch.add(record, decision, ending, None)
            loop = asyncio.get_running_loop()
            if loop is not self._loop:
                self._hand_over()
                self._loop = loop
            self._writer.submit(batch)
            fault = await _committed(batch, loop, UNJOURNALLED_S)
            if fault is None:
                return
            reason += f"; {fault}"
        raise self._drop(reason, record) from error

    def _drop(self, reason: str, record: Record | None) -> StoreFault:
        self.dropped += record is not None
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

        self._hand_over()
        self._writer.prune(Prune(before_ms, done))
        return await future

    async def perform(self, run: Callable[[sqlite3.Connection], T], *, erases: bool = False) -> T:
        """Runs something short on the writer's connection, after all that was appended before; what it returns.
        `erases`: what it deletes is not left in the journal either. Raises StoreFault where the database cannot be
        written, or `run` fails."""
        if self._closed:
            raise StoreFault("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._hand_over()
        self._writer.perform(
            Work(run, lambda result: loop.call_soon_threadsafe(_resolve, future, result), erases=erases)
        )
        result: T = await future
        return result

    async def close(self) -> None:
        """Commits what was appended and ends the writer. What the database does not take waits for the next start."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        await asyncio.to_thread(self._writer.stop)
        self._journal.close()

    def _hand_over(self) -> None:
        if self._gathering is not None:
            self._leave(self._gathering)

    # --- reading --------------------------------------------------------------------------------------------

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """The record of one decision as plain JSON values (the fields of `types.Record`), or None.

        It also looks into the journal, so an appended record is never missing. Raises StoreFault.
        """
        found = self._committed_record(decision_id)
        if found is None:
            # Once more in the database: it may have come there from the journal while we looked.
            found = self._journalled_record(decision_id) or self._committed_record(decision_id)
        return found

    def thread(self, key: str, name: str, most_bytes: int) -> Thread:
        """The answers of this key up to the one the client calls `name`. Raises StoreFault."""
        with closing(open_reader(self.path)) as connection, _faults(self.path):

            def find(one: str) -> Turn | None:
                found = turns.named(connection, key, one)
                return found or self._journalled_turn(key, one) or turns.named(connection, key, one)

            return turns.thread(find, name, most_bytes)

    def answered(self, key: str, decision_id: str) -> bool:
        """Whether there is a record of this decision, asked for by this key. Raises StoreFault."""
        found = self.decision(decision_id)
        return found is not None and found["decision"].get("key", "") == key

    def records(self, since_ms: int = 0) -> Iterator[dict[str, Any]]:
        """The committed records whose request came at or after that time, oldest first. Raises StoreFault."""
        with closing(open_reader(self.path)) as connection, _faults(self.path):
            yield from records_where(connection, "WHERE id >= ? ORDER BY id", floor_id(since_ms))

    @property
    def committed(self) -> int:
        """Records that went straight into the database."""
        return self._writer.committed

    @property
    def late(self) -> int:
        """Records that it would not take at once: they waited, or wait, in the journal alone."""
        return self._late + self._writer.late

    @property
    def ingested(self) -> int:
        """Records that came into the database from the journal."""
        return self._writer.ingested

    @property
    def degraded(self) -> str | None:
        """Why records wait, or are not safe where they should be, or None."""
        writer = self._writer
        trouble = writer.failing or writer.uncut
        if trouble is not None:
            return trouble
        now = time.monotonic()
        reason, until = self._unjournalled
        if now < until:
            return reason
        since = writer.busy_since
        if since is not None and now - since > _SLOW_S:
            return f"{self.path.name}: the database is slow; records wait in {self._journal.path.name}"
        if self.backlog_bytes > _WAITING_BYTES:
            return f"{self._journal.path.name}: {self.backlog_bytes // 2**20} MiB of records wait for the database"
        return None

    @property
    def backlog_bytes(self) -> int:
        """Bytes of the journal that are not in the database yet."""
        return self._journal.end - self._journal.taken

    def _committed_record(self, decision_id: str) -> dict[str, Any] | None:
        with closing(open_reader(self.path)) as connection, _faults(self.path):
            return next(iter(records_where(connection, "WHERE id = ?", decision_id)), None)

    def _journalled_record(self, decision_id: str) -> dict[str, Any] | None:
        found = (record for record in self._journalled(decision_id) if record["decision"]["id"] == decision_id)
        return next(found, None)

    def _journalled_turn(self, key: str, name: str) -> Turn | None:
        found = (turns.in_record(record, key, name) for record in self._journalled(name))
        return next((turn for turn in found if turn is not None), None)

    def _journalled(self, word: str) -> Iterator[dict[str, Any]]:
        """The records in which this word occurs and which only the journal has. Raises StoreFault."""
        needle = word.encode()
        place = self._journal.taken
        while not self._closed and place < self._journal.end:
            with _faults(self.path):
                lines, place = self._journal.read(place)
            for line in lines:
                with suppress(msgspec.DecodeError):  # a line that is none of ours is set aside when it is taken in
                    if needle in line and "decision" in (found := dict(msgspec.json.decode(line))):
                        found.pop("ending", None)
                        yield found


class _faults:  # noqa: N801 - reads as a word of the `with` statement
    """Turns errors of sqlite3 and of files into ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (sqlite3.Error, OSError)):
            raise StoreFault(f"{self._path}: {error}") from error


def _may_be_asked_for(record: Record | None) -> bool:
    return record is not None and record.content is not None and record.content.turn is not None


async def _committed(batch: Batch, loop: asyncio.AbstractEventLoop, within_s: float) -> StoreFault | None:
    """None once it is in the database; otherwise why not, or not yet."""
    future: asyncio.Future[StoreFault | None] = loop.create_future()
    batch.waiters.append(future)
    late = loop.call_later(within_s, _tell, future, _LATE)
    try:
        return await future
    finally:
        late.cancel()


def _settle(batch: Batch, fault: StoreFault | None) -> None:
    for waiter in batch.waiters:
        _tell(waiter, fault)


def _tell(waiter: "asyncio.Future[StoreFault | None]", fault: StoreFault | None) -> None:
    if not waiter.done():
        waiter.set_result(fault)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return
    if isinstance(result, StoreFault):
        future.set_exception(result)
    else:
        future.set_result(result)
