"""The file beside the database: every record is in it before its answer's last bytes leave, until the database has it.

Rules:
- One JSON line a record, written with one write(2): the kernel has it, so kill -9 does not lose it.
- Each process owns one file (`router.db.journal`, or `.journal.2` when another process has that) and holds a lock
  on it while it lives; a file whose lock is free belongs to a dead process, and whoever opens the database
  next takes it over.
- A line counts once its newline is there. A torn last line was never acknowledged and is cut off.
- Lines are taken into the database in order. The file is cut to nothing once all are, and made anew with the rest where
  more keep coming; a line that is put in twice is ignored there, by its id.
- Places in it are counted from the process's first line on, so they keep their meaning when the file is cut.
- What somebody else does to the file costs no more than it must: deleted or renamed, it is made again with what waits;
  cut, what is gone is passed over.
"""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from llm_inference_router.store.base import StoreFault

_CHUNK = 1 << 20
_PROCESSES = 100
_TAKEN = 4 * 1024 * 1024  # bytes of lines that the database has, from which the file is made anew without them
_REST = 1024 * 1024  # bytes of others that are worth copying for it
_log = logging.getLogger(__name__)


class Journal:
    """One process's journal. `append` is for the event loop's thread, `take` for the writer's; any may read."""

    def __init__(self, database: Path, path: Path, descriptor: int) -> None:
        self.path = path
        self._database = database
        self._descriptor = descriptor
        self._lock = threading.Lock()  # of `_descriptor` and `_base`: the writer changes them, and `_end` with them
        self._base = 0  # the place of the file's first byte
        self._end = os.fstat(descriptor).st_size
        self._taken = 0
        self._erase = False  # what is taken has to go from the file

    @classmethod
    def open(cls, database: Path) -> "Journal":
        """Takes the first free journal of this database, and what dead processes left in the others.

        Raises StoreFault when no file can be made beside the database.
        """
        own: Journal | None = None
        for path in _paths(database):
            if own is not None and not path.exists():
                continue
            try:
                descriptor = _take(path)
            except OSError as error:
                raise StoreFault(f"{path}: it cannot be opened and locked: {error.strerror}") from error
            if descriptor is None:
                continue
            _anew(path).unlink(missing_ok=True)  # of a process that was killed over it; all of that is in the file
            found = cls(database, path, descriptor)
            found._cut_torn_line()
            if own is None:
                own = found
            else:
                found._move_to(own)
        if own is None:
            raise StoreFault(f"{database}: {_PROCESSES - 1} processes already have a journal here")
        return own

    @property
    def taken(self) -> int:
        """The place up to which the database has all lines."""
        return self._taken

    @property
    def end(self) -> int:
        """The place behind the last line."""
        return self._end

    def append(self, line: bytes) -> tuple[int, int]:
        """Adds a whole line, or nothing; the places where it begins and ends. Raises OSError when it cannot be
        written: what came of it in the file is written over by the next."""
        with self._lock:
            start = self._end
            if os.pwrite(self._descriptor, line, start - self._base) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self._end = start + len(line)
            return start, self._end

    def read(self, place: int, limit: int = _CHUNK, end: int | None = None) -> tuple[list[bytes], int]:
        """The lines from there on, about `limit` bytes of them and none behind `end`, and the place behind the last.
        Raises OSError."""
        with self._lock:
            place = max(place, self._base)
            base, end = self._base, self._end if end is None else min(end, self._end)
            descriptor = os.dup(self._descriptor)
        try:
            parts: list[bytes] = []
            size = 0
            while place + size < end:
                part = _bytes(descriptor, place + size - base, min(_CHUNK if parts else limit, end - place - size))
                newline = part.rfind(b"\n") + 1
                parts.append(part[:newline] if newline else part)
                size += len(parts[-1])
                if newline:
                    break
        finally:
            os.close(descriptor)
        return [line for line in b"".join(parts).split(b"\n") if line], place + size

    def take(self, place: int, *, erase: bool = False) -> None:
        """All lines up to there are in the database. `erase`: nothing of them is to be left in the file. Raises OSError
        when the file cannot be cut, which the next call tries again; the lines are taken all the same."""
        self._taken = max(self._taken, place)
        self._erase = self._erase or erase
        if not self._ours():
            self._move()
        with self._lock:
            gone, rest = self._taken - self._base, self._end - self._taken
            if gone and not rest:
                os.ftruncate(self._descriptor, 0)
                self._base = self._end
        if gone and rest and (self._erase or (gone >= _TAKEN and rest <= _REST)):
            self._make_anew()
        self._erase = False

    def close(self) -> None:
        """Lets go of the file, and removes it if nothing waits in it."""
        with self._lock:
            if self._taken == self._end and self._ours():
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1  # another file may get its number

    def _ours(self) -> bool:
        """Whether the file at our path is the one that we write to."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _make_anew(self) -> None:
        """The new file has its lock and all its lines before it has its name."""
        path = _anew(self.path)
        path.unlink(missing_ok=True)
        descriptor = _take(path)
        if descriptor is None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        self._go_on_in(descriptor, path, self.path)

    def _move(self) -> None:
        """Our file was deleted or renamed: what waits goes on in another. Its name may be another process's by now."""
        for path in _paths(self._database):
            descriptor = _take(path)
            if descriptor is not None and os.fstat(descriptor).st_size:
                os.close(descriptor)  # what a dead process left is for the next start
            elif descriptor is not None:
                _log.warning("%s was deleted or renamed; records go on in %s", self.path.name, path.name)
                self._go_on_in(descriptor, path, path)
                return
        raise OSError(errno.EBUSY, "all names are taken by other processes", str(self.path))

    def _go_on_in(self, descriptor: int, path: Path, name: Path) -> None:
        """Copies what is not taken into that file, and gives it its name. Raises OSError; it is closed and removed
        then, and the old file stays the one."""
        unfinished: Path | None = path
        try:
            copied = self._copy(self._taken, self._end, descriptor, path)
            with self._lock:
                self._copy(copied, self._end, descriptor, path)  # what came meanwhile
                if path != name:
                    path.rename(name)
                descriptor, self._descriptor = self._descriptor, descriptor
                self.path, self._base = name, self._taken
            unfinished = None
        finally:
            os.close(descriptor)
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)

    def _copy(self, place: int, end: int, descriptor: int, path: Path) -> int:
        while place < end:
            part = _bytes(self._descriptor, place - self._base, min(_CHUNK, end - place))
            if os.pwrite(descriptor, part, place - self._taken) < len(part):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            place += len(part)
        return place

    def _cut_torn_line(self) -> None:
        place = self._end
        while place > 0:
            start = max(0, place - _CHUNK)
            newline = os.pread(self._descriptor, place - start, start).rfind(b"\n")
            if newline >= 0:
                place = start + newline + 1
                break
            place = start
        if place < self._end:
            os.ftruncate(self._descriptor, place)
            self._end = place

    def _move_to(self, other: "Journal") -> None:
        """Where there is no room for it, it stays for the next start."""
        try:
            place = 0
            while place < self._end:
                lines, place = self.read(place)
                for line in lines:
                    other.append(line + b"\n")
            self.take(place)
        except OSError as error:
            _log.warning("%s cannot be taken over now: %s", self.path.name, error.strerror)
        self.close()


def _paths(database: Path) -> Iterator[Path]:
    for number in range(1, _PROCESSES):
        yield database.with_name(f"{database.name}.journal" + (f".{number}" if number > 1 else ""))


def _anew(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _bytes(descriptor: int, offset: int, size: int) -> bytes:
    """So many bytes, come what may. Where somebody has cut the file it has holes, or ends early: no line has a zero, so
    what is gone reads as ends of lines."""
    return os.pread(descriptor, size, offset).ljust(size, b"\n").replace(b"\0", b"\n")


def _take(path: Path) -> int | None:
    """A descriptor with the file's lock, or None when another process holds it. Raises OSError."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink > 0:  # else its last owner removed it between our two calls
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
