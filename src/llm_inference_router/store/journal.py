"""The file beside the database: every record is in it before its answer's last bytes leave, until the database has it.

Rules:
- One JSON line a record, appended with write(2) to a file opened with O_APPEND: the kernel has it, so kill -9
  does not lose it.
- Each process owns one file (`router.db.journal`, or `.journal.2` when another process has that) and holds a lock
  on it while it lives; a file whose lock is free belongs to a dead process, and whoever opens the database
  next takes it over.
- A line counts once its newline is there. A torn last line was never acknowledged and is cut off.
- Lines are taken into the database in order. The file is cut to nothing once all are, and made anew with the rest where
  more keep coming; a line that is put in twice is ignored there, by its id.
- Places in it are counted from the process's first line on, so they keep their meaning when the file is cut.
"""

import errno
import fcntl
import os
import threading
from pathlib import Path

from llm_inference_router.store.base import StoreFault

_CHUNK = 1 << 20
_PROCESSES = 100
_TAKEN = 4 * 1024 * 1024  # bytes of lines that the database has, from which the file is made anew without them
_REST = 1024 * 1024  # bytes of others that may be copied for it: appending waits meanwhile


class Journal:
    """One process's journal. `append` is for the event loop's thread, `take` for the writer's; any may read."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._base = 0  # the place of the file's first byte
        self._end = os.fstat(descriptor).st_size
        self._taken = 0

    @classmethod
    def open(cls, database: Path) -> "Journal":
        """Takes the first free journal of this database, and what dead processes left in the others.

        Raises StoreFault when no file can be made beside the database.
        """
        own: Journal | None = None
        for number in range(1, _PROCESSES):
            path = database.with_name(f"{database.name}.journal" + (f".{number}" if number > 1 else ""))
            if own is not None and not path.exists():
                continue
            try:
                descriptor = _take(path)
            except OSError as error:
                raise StoreFault(f"{path}: it cannot be opened and locked: {error.strerror}") from error
            if descriptor is None:
                continue
            _anew(path).unlink(missing_ok=True)  # of a process that was killed over it; all of that is in the file
            if own is None:
                own = cls(path, descriptor)
                own._cut_torn_line()
            else:
                orphan = cls(path, descriptor)
                orphan._cut_torn_line()
                orphan._move_to(own)
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

    def append(self, lines: bytes) -> tuple[int, int]:
        """Adds whole lines, all or nothing; the places where they begin and end. Raises OSError when they cannot be
        written."""
        with self._lock:
            written = 0
            try:
                written = os.write(self._descriptor, lines)
            finally:
                if written < len(lines):
                    os.ftruncate(self._descriptor, self._end - self._base)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            start = self._end
            self._end = start + written
            return start, self._end

    def read(self, place: int, limit: int = _CHUNK) -> tuple[list[bytes], int]:
        """The lines from there on, about `limit` bytes of them, and the place behind the last. Raises OSError."""
        with self._lock:
            place = max(place, self._base)
            data = self._bytes(place, limit)
            while (stop := data.rfind(b"\n")) < 0 and (more := self._bytes(place + len(data), _CHUNK)):
                data += more  # a line beyond the limit
        return data[:stop].split(b"\n") if stop >= 0 else [], place + stop + 1

    def take(self, place: int, *, erase: bool = False) -> None:
        """All lines up to there are in the database. `erase`: leave nothing of them in the file. A file that somebody
        deleted, where nobody would find its lines, is made anew. Raises OSError when the file cannot be cut; the lines
        are taken all the same."""
        with self._lock:
            self._taken = max(self._taken, place)
            rest = self._end - self._taken
            gone = self._taken - self._base
            if self._deleted() or (gone and rest and (erase or (gone >= _TAKEN and rest <= _REST))):
                self._make_anew()
            elif gone and not rest:
                os.ftruncate(self._descriptor, 0)
                self._base = self._end

    def close(self) -> None:
        """Lets go of the file, and removes it if nothing waits in it."""
        with self._lock:
            if self._taken == self._end and not self._deleted():
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1  # another file may get its number

    def _deleted(self) -> bool:
        """Then the file at our path, if there is one, is another process's."""
        return os.fstat(self._descriptor).st_nlink == 0

    def _bytes(self, place: int, limit: int) -> bytes:
        return os.pread(self._descriptor, min(limit, self._end - place), place - self._base)

    def _make_anew(self) -> None:
        """The new file has its name, its lock and all its lines before anybody can find it."""
        path = _anew(self.path)
        path.unlink(missing_ok=True)
        descriptor = _take(path)
        if descriptor is None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))
        try:
            place = self._taken
            while place < self._end:
                part = self._bytes(place, _CHUNK)
                if os.write(descriptor, part) < len(part):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
                place += len(part)
            if self._deleted():
                os.link(path, self.path)
                path.unlink()
            else:
                path.rename(self.path)
        except BaseException:  # whatever it is, the old file stays the one
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._base = self._taken

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
        place = 0
        while place < self._end:
            lines, place = self.read(place)
            other.append(b"".join(line + b"\n" for line in lines))
        self.take(place)
        self.close()


def _anew(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _take(path: Path) -> int | None:
    """A descriptor with the file's lock, or None when another process holds it. Raises OSError."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
