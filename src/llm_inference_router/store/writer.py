"""The one thread that writes the database: batches, what was spilled, checkpoints and pruning, in that order.

It owns the only connection that writes, and only it makes checkpoints: two connections of a process that
do so at the same moment have corrupted files under SQLite older than 3.51.3.
"""

import logging
import queue
import sqlite3
import threading
import time
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.rows import MOST, Row, row_of, statements
from llm_inference_router.store.schema import floor_id, open_writer
from llm_inference_router.store.spill import Spill
from llm_inference_router.types import Record

RETRY_S = 0.05  # how often a database that failed is tried again, and how long quiet must last for a checkpoint
_CHECK_FILE_S = 1.0
_QUIET_FRAMES = 500  # estimated pages in the log from which a quiet moment is used for a checkpoint
_FULL_FRAMES = 2000  # from which it is made in any case
_LOG_LIMIT = 64 * 1024 * 1024
_PRUNE_RECORDS = 100
_SLICE = 64 * 1024  # bytes of the spill taken in at a time
_STOP_S = 2.0

# What the values of one record can cause; everything else of sqlite3.Error is the database's own trouble.
_REFUSALS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Record).decode


class Batch:
    """Records that are committed together. The event loop fills it; then the writer sets `error` or
    `refused`, and last `finished`."""

    __slots__ = (
        "error",
        "finished",
        "futures",
        "loop",
        "records",
        "refused",
        "rows",
        "settled",
        "span",
        "timer",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.records: list[Record] = []
        self.rows: list[Row] = []
        self.futures: list[Future[None]] = []
        self.timer: TimerHandle | None = None
        self.error: str | None = None  # nothing of it may count as committed
        self.refused: dict[int, str] = {}  # records that no database would take, by position
        self.finished = False
        self.settled = False  # its futures are done: by the commit, or earlier by the spill
        self.span: tuple[int, int] | None = None  # where in the spill file it is as well


class Prune:
    """One wish to forget: everything whose request came before `before_ms`. `done` gets the number of
    records."""

    __slots__ = ("before", "count", "done")

    def __init__(self, before_ms: int, done: Callable[[int | StoreFault], None]) -> None:
        self.before = floor_id(before_ms)
        self.count = 0
        self.done = done


class Work:
    """Something short to do with the connection, between batches, in the order in which it was submitted."""

    __slots__ = ("done", "run")

    def __init__(self, run: Callable[[sqlite3.Connection], object], done: Callable[[object], object]) -> None:
        """`done` gets what `run` returned, or the StoreFault that kept it from being done; in the writer's thread."""
        self.run = run
        self.done = done


_Job: TypeAlias = Batch | Prune | Work | None


class Writer:
    """`failing` is read by the event loop without a lock: while it is set, records go to the spill at
    once."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, spill: Spill, settle: Callable[[Batch], None]
    ) -> None:
        self.failing: str | None = None
        self.ingested = 0
        self.unreadable = 0
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._inode = path.stat().st_ino
        self._retry_at = 0.0
        self._checked = time.monotonic()
        self._spill = spill
        self._offset = 0
        self._settle = settle
        self._inbox: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._prunes: deque[Prune] = deque()
        self._frames = 0
        self._stopping = False
        connection.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}").fetchone()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        self._inbox.put(batch)

    def prune(self, prune: Prune) -> None:
        self._inbox.put(prune)

    def perform(self, work: Work) -> None:
        self._inbox.put(work)

    @property
    def waiting(self) -> int:
        return self._inbox.qsize()

    def wake(self) -> None:
        """Lines were spilled."""
        self._inbox.put(None)

    def stop(self) -> None:
        """Writes what was submitted, and what was spilled if that takes no more than two seconds; blocks
        until then."""
        self._stopping = True
        self._inbox.put(None)
        self._thread.join()

    # --- the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not (self._stopping and self._inbox.empty()):
                quiet = False
                try:
                    job = self._inbox.get(timeout=self._patience())
                except queue.Empty:
                    job, quiet = None, True
                if isinstance(job, Batch):
                    self._commit(job)
                elif isinstance(job, Prune):
                    self._prunes.append(job)
                elif isinstance(job, Work):
                    self._perform(job)
                if self._frames >= _FULL_FRAMES:
                    self._checkpoint()
                elif self._inbox.empty():
                    self._upkeep(quiet)
            self._finish()
        finally:
            self._close()

    def _patience(self) -> float | None:
        """Seconds to wait for the next job before upkeep; None: there is nothing else to do."""
        if self.failing is not None:
            return RETRY_S
        if self._spill.size or self._prunes:
            return 0.0
        return RETRY_S if self._frames >= _QUIET_FRAMES else None

    def _upkeep(self, quiet: bool) -> None:
        """One small step of what can wait, so that the next batch does not wait for long."""
        if self.failing is not None:
            if time.monotonic() >= self._retry_at:
                self._recover()
        elif self._spill.size:
            self._ingest()
        elif self._prunes:
            self._prune_slice()
        elif quiet and self._frames >= _QUIET_FRAMES:
            self._checkpoint()

    def _finish(self) -> None:
        deadline = time.monotonic() + _STOP_S
        while self._spill.size and self.failing is None and time.monotonic() < deadline:
            self._ingest()
        for prune in self._prunes:
            prune.done(StoreFault("the store was closed"))

    def _perform(self, work: Work) -> None:
        result: object
        try:
            self._check_file()
            result = work.run(self._open())
        except sqlite3.Error as error:
            result = StoreFault(self._fail(error))
        try:
            work.done(result)
        except RuntimeError:  # the event loop that waited has ended
            _log.debug("work of the store was done after its event loop had ended")

    # --- writing --------------------------------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        try:
            batch.refused = self._write(batch.rows)
            if not batch.refused:  # else the spill is read back, so that what was refused is set aside
                self._skip(batch)
        except sqlite3.Error as error:
            batch.error = self._fail(error)
        batch.finished = True
        try:
            batch.loop.call_soon_threadsafe(self._settle, batch)
        except RuntimeError:  # that event loop has ended, and with it everyone who waited
            _log.debug("a batch was committed after its event loop had ended")

    def _skip(self, batch: Batch) -> None:
        """What was spilled while its commit was slow need not be read back, if it is the next to be."""
        span = batch.span
        if span is not None and span[0] == self._offset:
            self._offset = span[1]
            if self._spill.clear(span[1]):
                self._offset = 0

    def _write(self, rows: Sequence[Row]) -> dict[int, str]:
        """Commits all rows but those that no database would take, which it returns. Raises
        sqlite3.Error."""
        if time.monotonic() - self._checked > _CHECK_FILE_S:
            self._check_file()
        connection = self._open()
        try:
            for sql, values in statements(rows):
                connection.execute(sql, values)
        except _REFUSALS as error:
            if len(rows) == 1:
                return {0: f"{type(error).__name__}: {error}"}
            # One bad record must not cost the others theirs; what is already in is ignored the second time.
            return {at: why for at, row in enumerate(rows) for why in self._write([row]).values()}
        self._frames += len(rows) // 3 + 3
        return {}

    def _fail(self, error: sqlite3.Error) -> str:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.rollback()
        reason = f"{self._path.name}: {error}"
        if self.failing is None:
            _log.warning("records are spilled to %s: %s", self._spill.path.name, reason)
        self.failing = reason
        return reason

    def _check_file(self) -> None:
        """Raises sqlite3.OperationalError when our file is not the one at our path any more."""
        self._checked = time.monotonic()
        try:
            same = self._path.stat().st_ino == self._inode
        except OSError as error:
            raise sqlite3.OperationalError(f"the database file is gone ({error.strerror})") from error
        if not same:
            raise sqlite3.OperationalError("the database file was replaced")

    def _recover(self) -> None:
        """Tries the database again, from a fresh connection if the file was replaced or is broken."""
        self._retry_at = time.monotonic() + RETRY_S
        try:
            try:
                self._check_file()
                self._open().execute("BEGIN IMMEDIATE")
                self._open().execute("ROLLBACK")
            except sqlite3.DatabaseError as error:
                if "locked" in str(error) or "full" in str(error):
                    raise
                self._reopen()
        except (sqlite3.Error, StoreFault, OSError) as error:
            self.failing = f"{self._path.name}: {error}"
            return
        if not self._spill.size or self._ingest():
            _log.warning("%s can be written again", self._path.name)
            self.failing = None

    def _reopen(self) -> None:
        self._close()  # first: two connections to two files of one name would share their log's name
        connection = open_writer(self._path, lock_wait_s=0)
        self._connection = connection
        self._inode = self._path.stat().st_ino

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the database cannot be opened")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ingest(self) -> bool:
        """Takes one slice of the spill into the database; False when that failed."""
        lines, end = self._spill.read(self._offset, _SLICE)
        rows: list[Row] = []
        kept: list[bytes] = []
        for line in lines:
            try:
                rows.append(row_of(_decode(line)))
                kept.append(line)
            except (msgspec.DecodeError, UnicodeError):
                self._set_aside(line)
        try:
            for start in range(0, len(rows), MOST):
                for at in self._write(rows[start : start + MOST]):
                    self._set_aside(kept[start + at])
        except sqlite3.Error as error:
            self._fail(error)
            return False
        self.ingested += len(rows)
        self._offset = end
        if self._spill.clear(end):
            self._offset = 0
        return True

    def _set_aside(self, line: bytes) -> None:
        """Keeps a line that is no record of ours (another version's, or damaged) for a person to look at."""
        self.unreadable += 1
        path = self._path.with_name(self._path.name + ".unreadable")
        _log.warning("a spilled line is no record of this version; it is kept in %s", path.name)
        try:
            with path.open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            _log.warning("%s: %s", path.name, error.strerror)

    def _checkpoint(self) -> None:
        try:
            self._open().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            self._fail(error)
        self._frames = 0

    def _prune_slice(self) -> None:
        prune = self._prunes[0]
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute(
                "SELECT max(id), count(*) FROM (SELECT id FROM records WHERE id < ? ORDER BY id LIMIT ?)",
                (prune.before, _PRUNE_RECORDS),
            ).fetchone()
            if found[1]:
                connection.execute("DELETE FROM records WHERE id <= ?", (found[0],))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(error)  # it goes on once the database can be written again
            return
        self._frames += found[1] // 2 + 3
        prune.count += found[1]
        if found[1] < _PRUNE_RECORDS:
            self._prunes.popleft()
            prune.done(prune.count)
