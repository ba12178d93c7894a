"""The one thread that writes the database: batches, the rest of the journal, checkpoints and pruning, in this order."""

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.database import Database
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.jobs import Batch, Prune, Work
from llm_inference_router.store.journal import Journal
from llm_inference_router.store.lines import UNREADABLE, decision_in, ending_in, read_line
from llm_inference_router.store.rows import MOST, Row, row_of, rows_of

RETRY_S = 0.05  # how often a database that failed is tried again, and how long quiet must last for a checkpoint
_QUIET_FRAMES = 500  # estimated pages in the log from which a quiet moment is used for a checkpoint
_FULL_FRAMES = 2000  # from which it is made in any case
_PRUNE_RECORDS = 100
_SLICE = 64 * 1024  # bytes of the journal taken in at a time
_STOP_S = 2.0

_log = logging.getLogger(__name__)
T = TypeVar("T")


_Job: TypeAlias = Batch | Prune | Work | int | None


class Writer:
    """`failing` and `busy_since` (monotonic seconds) are read by the event loop without a lock: while the first is set,
    nothing is submitted but places in the journal.

    `committed`: records that went from memory into the database. `late`: records of batches that it did not take; they
    wait in the journal. `ingested`: records that came from there.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self.failing: str | None = None
        self.busy_since: float | None = None
        self.committed = 0
        self.late = 0
        self.ingested = 0
        self.unreadable = 0
        self._database = database
        self._retry_at = 0.0
        self._journal = journal
        self._owed = journal.end  # the place up to which it is read, since no batch brings what is there
        self._inbox: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._prunes: deque[Prune] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        self._inbox.put(batch)

    def owe(self, place: int) -> None:
        """No batch brings the lines up to there: they are to be read from the journal."""
        self._inbox.put(place)

    def prune(self, prune: Prune) -> None:
        self._inbox.put(prune)

    def perform(self, work: Work) -> None:
        self._inbox.put(work)

    @property
    def waiting(self) -> int:
        return self._inbox.qsize()

    def stop(self) -> None:
        """Writes what was submitted, and what the journal has if that takes no more than two seconds; blocks
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
            self._database.close()

    def _step(self) -> None:
        quiet = False
        try:
            job = self._inbox.get(timeout=self._patience())
        except queue.Empty:
            job, quiet = None, True
        self.busy_since = time.monotonic()
        try:
            self._do(job)
            if self._database.frames >= _FULL_FRAMES:
                self._checkpoint()
            elif self._inbox.empty():
                self._upkeep(quiet)
        finally:
            self.busy_since = None

    def _do(self, job: _Job) -> None:
        if isinstance(job, Batch):
            self._commit(job)
        elif isinstance(job, Prune):
            self._prunes.append(job)
        elif isinstance(job, Work):
            self._perform(job)
        elif job is not None:
            self._owe(job)

    def _patience(self) -> float | None:
        """Seconds to wait for the next job before upkeep; None: there is nothing else to do."""
        if self.failing is not None:
            return RETRY_S
        if self._behind or self._prunes:
            return 0.0
        return RETRY_S if self._database.frames >= _QUIET_FRAMES else None

    def _upkeep(self, quiet: bool) -> None:
        """One small step of what can wait, so that the next batch does not wait for long."""
        if self.failing is not None:
            if time.monotonic() >= self._retry_at:
                self._recover()
        elif self._behind:
            self._ingest()
        elif self._prunes:
            self._prune_slice()
        elif quiet and self._database.frames >= _QUIET_FRAMES:
            self._checkpoint()

    def _finish(self) -> None:
        deadline = time.monotonic() + _STOP_S
        try:
            while self._behind and self.failing is None and time.monotonic() < deadline:
                self._ingest()
        except Exception as error:  # noqa: BLE001 - what is left waits for the next start; who waits now is told
            self._fail(error)
        for prune in self._prunes:
            _tell(prune.done, StoreFault("the store was closed"))

    def _perform(self, work: Work) -> None:
        result: object
        try:
            self._database.check()
            self._take_in()
            result = work.run(self._database.connection())
            if work.erases:
                self._journal.take(self._journal.taken, erase=True)
        except (sqlite3.Error, OSError) as error:
            result = StoreFault(self._fail(error))
        except Exception as error:  # noqa: BLE001 - this work's own mistake: who waits is told, the others go on
            self._database.roll_back()
            result = StoreFault(f"{type(error).__name__}: {error}")
            _log.warning("work of the store failed: %s", result)
        _tell(work.done, result)

    def _take_in(self) -> None:
        """What the journal has for us: it may be the end of the key that is asked for. Raises sqlite3.Error."""
        while self._behind:
            if not self._ingest():
                raise sqlite3.OperationalError("what the journal has cannot be taken in yet")

    # --- writing --------------------------------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        fault: StoreFault | None = None
        try:
            refused = self._write(batch)
            self.committed += batch.count - len(refused)
            self._committed(batch, len(refused))
            if refused:
                fault = StoreFault(next(iter(refused.values())))
        except Exception as error:  # noqa: BLE001 - whatever it was: the batch is in the journal, and the next comes
            fault = StoreFault(self._fail(error))
            if batch.end is not None:
                self.late += batch.count
                self._owe(batch.end)
        if batch.done is not None:
            _tell(batch.done, fault)

    def _committed(self, batch: Batch, refused: int) -> None:
        if batch.end is None:
            return
        if refused or batch.start != self._journal.taken:  # it, or something before it, is to be read
            self.late += refused
            self._owe(batch.end)
            return
        try:
            self._journal.take(batch.end)
        except OSError as error:  # `_recover` tries again
            self._fail(error)

    def _owe(self, place: int) -> None:
        self._owed = max(self._owed, place)

    @property
    def _behind(self) -> bool:
        return self._journal.taken < self._owed

    def _write(self, batch: Batch) -> dict[int, str]:
        """What would not be taken, by position. Raises sqlite3.Error.

        In parts: making rows holds the interpreter, and the event loop waits for it.
        """
        self._database.check()
        refused: dict[int, str] = {}
        for start in range(0, len(batch.records), MOST):
            part = slice(start, start + MOST)
            rows, unwritable = rows_of(batch.records[part], batch.json[part])
            endings = {at: batch.endings[start + at] for at in range(len(rows)) if start + at in batch.endings}
            unwritable |= self._database.write(rows, endings)
            refused |= {start + at: why for at, why in unwritable.items()}
        return refused

    def _fail(self, error: Exception) -> str:
        self._database.roll_back()
        known = isinstance(error, (sqlite3.Error, OSError))
        reason = self._named(error if known else f"{type(error).__name__}: {error}")
        if self.failing is None:
            _log.warning("records wait in %s: %s", self._journal.path.name, reason)
        self.failing = reason
        return reason

    def _named(self, trouble: object) -> str:
        return f"{self._database.path.name}: {trouble}"

    def _recover(self) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        try:
            self._database.recover()
            self._journal.take(self._journal.taken)
        except (sqlite3.Error, StoreFault, OSError) as error:
            self.failing = self._named(error)
            return
        if not self._behind or self._ingest():
            _log.warning(self._named("it can be written again"))
            self.failing = None

    def _ingest(self) -> bool:
        """Takes one slice of the journal into the database; False when that failed."""
        place = self._journal.taken
        try:
            self._database.check()
            lines, behind = self._journal.read(place, min(_SLICE, self._owed - place))
            kept, entries = self._readable(lines)
            for start in range(0, len(entries), MOST):
                part = entries[start : start + MOST]
                endings = {at: ending for at, (_, ending) in enumerate(part) if ending is not None}
                for at in self._database.write([row for row, _ in part], endings):
                    self._set_aside(kept[start + at])
            if not lines:
                _log.warning("%s: somebody has cut it; what it had is lost", self._journal.path.name)
            self._journal.take(behind if lines else self._owed)
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
                entries.append((None if record is None else row_of(record, decision_in(record)), ending))
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
        path = self._database.path.with_name(self._database.path.name + ".unreadable")
        _log.warning("a line of the journal is no record of this version; it is kept in %s", path.name)
        try:
            with path.open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            _log.warning("%s: %s", path.name, error.strerror)

    def _checkpoint(self) -> None:
        try:
            self._database.checkpoint()
        except sqlite3.Error as error:
            self._fail(error)

    def _prune_slice(self) -> None:
        prune = self._prunes[0]
        try:
            found = self._database.prune(prune.before, _PRUNE_RECORDS)
        except sqlite3.Error as error:
            self._fail(error)  # it goes on once the database can be written again
            return
        prune.count += found
        if found < _PRUNE_RECORDS:
            self._prunes.popleft()
            _tell(prune.done, prune.count)


def _tell(done: Callable[[T], object], result: T) -> None:
    try:
        done(result)
    except RuntimeError:  # its event loop has ended, and with it everyone who waited
        _log.debug("something of the store was done after its event loop had ended")
