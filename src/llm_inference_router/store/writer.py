"""The one thread that writes the database: batches, the rest of the journal, checkpoints and pruning, in this order."""

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
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
_QUIET_S = 5.0  # between two lines on the log that say that records wait

_log = logging.getLogger(__name__)
T = TypeVar("T")


_Job: TypeAlias = Batch | Prune | Work | None


class Writer:
    """Goes through the journal in its order: what comes as a batch, it writes from memory, and what does not, from the
    file.

    Read by the event loop without a lock: `failing`, why the database takes nothing; `uncut`, why the journal keeps
    what the database has; `busy_since`, when the step began that runs, in monotonic seconds. `committed` counts records
    that went from memory into the database, `late` those of batches that it did not take, `ingested` those that came
    from the journal.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self.failing: str | None = None
        self.uncut: str | None = None
        self.busy_since: float | None = None
        self.committed = 0
        self.late = 0
        self.ingested = 0
        self.unreadable = 0
        self._database = database
        self._retry_at = self._quiet_until = 0.0
        self._told = False  # that it fails
        self._journal = journal
        # The place up to which no batch brings what is there: as the event loop says, and as we found.
        self._promised = self._owed = journal.end
        self._submitted = self._finished = 0  # bytes of batches; each is written by one thread
        self._inbox: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._prunes: deque[Prune] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        self._submitted += batch.bytes
        self._inbox.put(batch)

    def owe(self, place: int) -> None:
        """No batch will bring the lines up to there, beyond those that were submitted: they are to be read."""
        self._promised = place
        if self.failing is None:  # else it looks by itself, every little while
            self._inbox.put(None)

    @property
    def waiting(self) -> int:
        """Bytes of batches that were submitted and are not written."""
        return self._submitted - self._finished

    def prune(self, prune: Prune) -> None:
        self._inbox.put(prune)

    def perform(self, work: Work) -> None:
        self._inbox.put(work)

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
            self._ingest_some()
        elif self._prunes:
            self._prune_slice()
        elif quiet and self._database.frames >= _QUIET_FRAMES:
            self._checkpoint()

    def _finish(self) -> None:
        deadline = time.monotonic() + _STOP_S
        while self._behind and self.failing is None and time.monotonic() < deadline:
            self._ingest_some()
        for prune in self._prunes:
            _tell(prune.done, StoreFault("the store was closed"))

    def _ingest_some(self) -> None:
        try:
            self._ingest(self._behind_from)
        except Exception as error:  # noqa: BLE001 - whatever it was: what is in the journal waits, and is tried again
            self._fail(error)

    def _perform(self, work: Work) -> None:
        result: object
        try:
            self._database.check()
            self._ingest_to(self._behind_from)
            result = work.run(self._database.connection())
            if work.erases and not self._take(self._journal.taken, erase=True):
                result = StoreFault(str(self.uncut))
        except (sqlite3.Error, OSError) as error:
            result = StoreFault(self._fail(error))
        except Exception as error:  # noqa: BLE001 - this work's own mistake: who waits is told, the others go on
            self._database.roll_back()
            result = StoreFault(f"{type(error).__name__}: {error}")
            _log.warning("work of the store failed: %s", result)
        _tell(work.done, result)

    # --- writing --------------------------------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        fault: StoreFault | None = None
        try:
            refused = self._written(batch)
            if refused:
                fault = StoreFault(next(iter(refused.values())))
        except Exception as error:  # noqa: BLE001 - whatever it was: the batch is in the journal, and the next comes
            fault = StoreFault(self._fail(error))
            self.late += 0 if batch.end is None else batch.count
        if fault is not None and batch.end is not None:
            self._owed = batch.end
        self._finished += batch.bytes
        _tell(partial(batch.done, batch), fault)

    def _written(self, batch: Batch) -> dict[int, str]:
        """What would not be taken, by position. Raises sqlite3.Error or OSError."""
        if batch.start is not None:
            if self.failing is not None:
                raise sqlite3.OperationalError(self.failing)
            self._ingest_to(batch.start)
        refused = self._write(batch)
        named = sum(batch.records[at] is not None for at in refused)
        self.committed += batch.count - named
        if batch.end is not None:
            if refused:  # it is read back, so that what was refused is set aside
                self.late += named
            else:
                self._take(batch.end)
        return refused

    def _take(self, place: int, *, erase: bool = False) -> bool:
        """Whether the journal could be cut; if not, that is tried again with the next."""
        try:
            self._journal.take(place, erase=erase)
        except OSError as error:
            if self.uncut is None:
                _log.warning("%s cannot be cut: %s", self._journal.path.name, error.strerror)
            self.uncut = f"{self._journal.path.name}: it cannot be cut: {error.strerror}"
            return False
        self.uncut = None
        return True

    @property
    def _behind(self) -> bool:
        return self._journal.taken < self._behind_from

    @property
    def _behind_from(self) -> int:
        return max(self._owed, self._promised)

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
        trouble = str(error) if known else f"{type(error).__name__}: {error}"
        reason = trouble if trouble == self.failing else f"{self._database.path.name}: {trouble}"
        now = time.monotonic()
        if self.failing is None and now >= self._quiet_until:  # it may fail and come back in turns
            _log.warning("records wait in %s: %s", self._journal.path.name, reason)
            self._quiet_until, self._told = now + _QUIET_S, True
        self.failing = reason
        return reason

    def _recover(self) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        self._take(self._journal.taken)  # somebody may have deleted it meanwhile
        try:
            self._database.recover()
            if self._behind:
                self._ingest(self._behind_from)
        except (sqlite3.Error, StoreFault, OSError) as error:
            self._fail(error)
            return
        if self._told:
            _log.warning("%s: it can be written again", self._database.path.name)
        self.failing, self._told = None, False

    def _ingest_to(self, place: int) -> None:
        while self._journal.taken < place:
            self._ingest(place)

    def _ingest(self, end: int) -> None:
        """Takes one slice of the journal up to there into the database. Raises sqlite3.Error or OSError."""
        self._database.check()
        lines, behind = self._journal.read(self._journal.taken, _SLICE, end)
        aside, kept, entries = _readable(lines)
        for start in range(0, len(entries), MOST):
            part = entries[start : start + MOST]
            endings = {at: ending for at, (_, ending) in enumerate(part) if ending is not None}
            refused = self._database.write([row for row, _ in part], endings)
            aside += [kept[start + at] for at in refused]
        for line in aside:
            self._set_aside(line)
        self._take(behind)
        self.ingested += sum(row is not None for row, _ in entries)

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


def _readable(lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes], list[tuple[Row | None, Ending | None]]]:
    """The lines that are no record of ours, the others, and what those say."""
    aside: list[bytes] = []
    kept: list[bytes] = []
    entries: list[tuple[Row | None, Ending | None]] = []
    for line in lines:
        try:
            record, ending = read_line(line)
            entries.append((None if record is None else row_of(record, decision_in(record)), ending))
            kept.append(line)
        except (*UNREADABLE, OverflowError):
            aside.append(line)
            if (ended := ending_in(line)) is not None:
                entries.append((None, ended))
                kept.append(line)
    return aside, kept, entries


def _tell(done: Callable[[T], object], result: T) -> None:
    try:
        done(result)
    except RuntimeError:  # its event loop has ended, and with it everyone who waited
        _log.debug("something of the store was done after its event loop had ended")
