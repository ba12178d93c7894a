"""The one thread that writes the database: batches, what was spilled, checkpoints and pruning, in that order.

It owns the only connection that writes, and only it makes checkpoints: two connections of a process that
do so at the same moment have corrupted files under SQLite older than 3.51.3.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Ending, end
from llm_inference_router.store.jobs import Batch, Prune, Work
from llm_inference_router.store.lines import UNREADABLE, ending_in, read_line
from llm_inference_router.store.rows import MOST, Row, row_of, rows_of, statements
from llm_inference_router.store.schema import open_writer
from llm_inference_router.store.spill import Spill

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
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)
_log = logging.getLogger(__name__)
T = TypeVar("T")


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
                try:
                    self._step()
                except Exception as error:  # noqa: BLE001 - without this thread nothing would be written ever again
                    self._fail(error)
            self._finish()
        finally:
            self._close()

    def _step(self) -> None:
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
        try:
            while self._spill.size and self.failing is None and time.monotonic() < deadline:
                self._ingest()
        except Exception as error:  # noqa: BLE001 - what is spilled waits for the next start; who waits now is told
            self._fail(error)
        for prune in self._prunes:
            _tell(prune.done, StoreFault("the store was closed"))

    def _perform(self, work: Work) -> None:
        result: object
        try:
            self._check_file()
            self._take_in()
            result = work.run(self._open())
        except sqlite3.Error as error:
            result = StoreFault(self._fail(error))
        except Exception as error:  # noqa: BLE001 - this work's own mistake: who waits is told, the others go on
            self._roll_back()
            result = StoreFault(f"{type(error).__name__}: {error}")
            _log.warning("work of the store failed: %s", result)
        _tell(work.done, result)

    def _take_in(self) -> None:
        """What was spilled until now: it may be the end of the key that is asked for. Raises sqlite3.Error."""
        left = self._spill.size - self._offset
        while left > 0 and self._spill.size:
            before = self._offset
            if not self._ingest():
                raise sqlite3.OperationalError("what was spilled cannot be taken in yet")
            left = left - (self._offset - before) if self._offset > before else 0

    # --- writing --------------------------------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        try:
            rows, unwritable = rows_of(batch.records)
            batch.refused = unwritable | self._write(rows, batch.endings)
            if not batch.refused:  # else the spill is read back, so that what was refused is set aside
                self._skip(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was: the batch is spilled, and those who wait go on
            batch.error = self._fail(error)
        batch.finished = True
        _tell(lambda _: batch.loop.call_soon_threadsafe(self._settle, batch), None)

    def _skip(self, batch: Batch) -> None:
        """What was spilled while its commit was slow need not be read back, if it is the next to be."""
        span = batch.span
        if span is not None and span[0] == self._offset:
            self._pass(span[1])

    def _pass(self, end: int) -> None:
        """The spill is in the database up to there. Should the file refuse to be cut, it is read once more: what is in
        already is ignored then."""
        self._offset = end
        if self._spill.clear(end):
            self._offset = 0

    def _write(self, rows: Sequence[Row | None], endings: Mapping[int, Ending]) -> dict[int, str]:
        """Commits all rows but those that no database would take, which it returns, and what became of keys. Raises
        sqlite3.Error."""
        if time.monotonic() - self._checked > _CHECK_FILE_S:
            self._check_file()
        connection = self._open()
        try:
            if endings:
                connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements([row for row in rows if row is not None]):
                connection.execute(sql, values)
            for ending in endings.values():
                end(connection, ending)
            if endings:
                connection.execute("COMMIT")
        except _REFUSALS as error:
            self._roll_back()
            return self._write_apart(rows, endings, f"{type(error).__name__}: {error}")
        self._frames += len(rows) // 3 + 3
        return {}

    def _write_apart(self, rows: Sequence[Row | None], endings: Mapping[int, Ending], why: str) -> dict[int, str]:
        """One bad record must not cost the others theirs, nor its key its end; what is in already is ignored."""
        if len(rows) > 1:
            refused: dict[int, str] = {}
            for at, row in enumerate(rows):
                alone = self._write([row], {0: endings[at]} if at in endings else {})
                if alone:
                    refused[at] = alone[0]
            return refused
        if rows[0] is not None and endings:
            self._write([None], endings)
        return {0: f"the database refuses it: {why}"}

    def _fail(self, error: Exception) -> str:
        self._roll_back()
        known = isinstance(error, (sqlite3.Error, OSError))
        reason = f"{self._path.name}: {error}" if known else f"{self._path.name}: {type(error).__name__}: {error}"
        if self.failing is None:
            _log.warning("records are spilled to %s: %s", self._spill.path.name, reason)
        self.failing = reason
        return reason

    def _roll_back(self) -> None:
        if self._connection is None or not self._connection.in_transaction:
            return
        try:
            self._connection.rollback()
        except sqlite3.Error as error:
            _log.warning("%s: %s", self._path.name, error)
            self._close()  # it is opened again by `_recover`

    def _check_file(self) -> None:
        """Raises sqlite3.OperationalError when our file is not the one at our path any more; until that is mended, at
        every call: what went into it would be lost."""
        try:
            same = self._path.stat().st_ino == self._inode
        except OSError as error:
            raise sqlite3.OperationalError(f"the database file is gone ({error.strerror})") from error
        if not same:
            raise sqlite3.OperationalError("the database file was replaced")
        self._checked = time.monotonic()

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
        try:
            lines, behind = self._spill.read(self._offset, _SLICE)
            kept, entries = self._readable(lines)
            for start in range(0, len(entries), MOST):
                part = entries[start : start + MOST]
                endings = {at: ending for at, (_, ending) in enumerate(part) if ending is not None}
                for at in self._write([row for row, _ in part], endings):
                    self._set_aside(kept[start + at])
            self._pass(behind)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        self.ingested += sum(row is not None for row, _ in entries)
        return True

    def _readable(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[tuple[Row | None, Ending | None]]]:
        kept: list[bytes] = []
        entries: list[tuple[Row | None, Ending | None]] = []
        for line in lines:
            try:
                record, ending = read_line(line)
                entries.append((None if record is None else row_of(record), ending))
                kept.append(line)
            except (*UNREADABLE, OverflowError):
                self._set_aside(line)
                if (ended := ending_in(line)) is not None:
                    entries.append((None, ended))
                    kept.append(line)
        return kept, entries

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
            _tell(prune.done, prune.count)


def _tell(done: Callable[[T], object], result: T) -> None:
    try:
        done(result)
    except RuntimeError:  # its event loop has ended, and with it everyone who waited
        _log.debug("something of the store was done after its event loop had ended")
