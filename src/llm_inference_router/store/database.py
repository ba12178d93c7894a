"""The database as its one writer sees it: one connection, one file, and what is written there.

Only this connection writes, and only it makes checkpoints: two connections of a process that do so at the same moment
have corrupted files under SQLite older than 3.51.3. What fails raises sqlite3.Error.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from llm_inference_router.store.idempotency import Ending, end
from llm_inference_router.store.rows import Row, statements
from llm_inference_router.store.schema import STEPS, open_writer

_LOG_LIMIT = 64 * 1024 * 1024

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


class Database:
    """`frames`: about how many pages were written to its log since the last checkpoint."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.frames = 0
        self._connection: sqlite3.Connection | None = connection
        self._inode = path.stat().st_ino
        connection.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}").fetchone()

    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the database cannot be opened")
        return self._connection

    def check(self) -> None:
        """Raises sqlite3.OperationalError when our file is not the one at our path any more: what went into it would
        be lost."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError as error:
            raise sqlite3.OperationalError(f"the database file is gone ({error.strerror})") from error
        if not same:
            raise sqlite3.OperationalError("the database file was replaced")

    def write(self, rows: Sequence[Row | None], endings: Mapping[int, Ending]) -> dict[int, str]:
        """Commits all rows but those that no database would take, which it returns, and what became of keys."""
        connection = self.connection()
        try:
            if endings:
                connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements([row for row in rows if row is not None]):
                connection.execute(sql, values)
            if endings:
                end(connection, list(endings.values()))
                connection.execute("COMMIT")
        except _REFUSALS as error:
            self.roll_back()
            return self._write_apart(rows, endings, f"{type(error).__name__}: {error}")
        self.frames += len(rows) // 3 + 3
        return {}

    def _write_apart(self, rows: Sequence[Row | None], endings: Mapping[int, Ending], why: str) -> dict[int, str]:
        """One bad record must not cost the others theirs, nor its key its end; what is in already is ignored."""
        if len(rows) > 1:
            refused: dict[int, str] = {}
            for at, row in enumerate(rows):
                alone = self.write([row], {0: endings[at]} if at in endings else {})
                if alone:
                    refused[at] = alone[0]
            return refused
        if rows[0] is not None and endings:
            self.write([None], endings)
        return {0: f"the database refuses it: {why}"}

    def prune(self, before: str, most: int) -> int:
        """Forgets records with ids below `before`, at most so many; how many they were."""
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        last, count = connection.execute(
            "SELECT max(id), count(*) FROM (SELECT id FROM records WHERE id < ? ORDER BY id LIMIT ?)", (before, most)
        ).fetchone()
        if count:
            connection.execute("DELETE FROM records WHERE id <= ?", (last,))
        connection.execute("COMMIT")
        self.frames += count // 2 + 3
        return int(count)

    def checkpoint(self) -> None:
        self.frames = 0
        self.connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def roll_back(self) -> None:
        """What a statement that failed left open. Raises nothing."""
        if self._connection is None or not self._connection.in_transaction:
            return
        try:
            self._connection.rollback()
        except sqlite3.Error as error:
            _log.warning("%s: %s", self.path.name, error)
            self.close()  # it is opened again by `recover`

    def recover(self) -> None:
        """Tries whether it can be written, on a fresh connection if the file was replaced or is broken. Raises
        sqlite3.Error or StoreFault."""
        try:
            self.check()
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA user_version={len(STEPS)}")  # what it is: a page is written all the same
            connection.execute("COMMIT")
            self.frames += 2
        except sqlite3.DatabaseError as error:
            self.roll_back()
            if "locked" in str(error) or "full" in str(error):
                raise
            self._reopen()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reopen(self) -> None:
        self.close()  # first: two connections to two files of one name would share their log's name
        self._connection = open_writer(self.path, lock_wait_s=0)
        self._inode = self.path.stat().st_ino
