"""The file beside the database: where records wait while the database cannot be written.

Rules:
- One JSON line a record, appended with write(2) to a file opened with O_APPEND: the kernel has it, so kill -9
  does not lose it.
- Each process owns one file (`router.db.spill`, or `.spill.2` when another process has that) and holds a lock
  on it while it lives; a file whose lock is free belongs to a dead process, and whoever opens the database
  next takes it over.
- A line counts once its newline is there. A torn last line was never acknowledged and is cut off.
- Lines are read in order and the file is cut to nothing once all are in the database; a line that is put in
  twice is ignored there, by its id.
"""

import errno
import fcntl
import os
import threading
from pathlib import Path

from llm_inference_router.store.base import StoreFault

_CHUNK = 1 << 20
_PROCESSES = 100


class Spill:
    """One process's spill file. `append` is for the event loop's thread, `read` and `clear` for the
    writer's."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._size = os.fstat(descriptor).st_size

    @classmethod
    def open(cls, database: Path) -> "Spill":
        """Takes the first free spill file of this database, and what dead processes left in the others.

        Raises StoreFault when no file can be made beside the database.
        """
        own: Spill | None = None
        for number in range(1, _PROCESSES):
            path = database.with_name(f"{database.name}.spill" + (f".{number}" if number > 1 else ""))
            if own is not None and not path.exists():
                continue
            descriptor = _take(path)
            if descriptor is None:
                continue
            if own is None:
                own = cls(path, descriptor)
                own._cut_torn_line()
            else:
                orphan = cls(path, descriptor)
                orphan._cut_torn_line()
                orphan._move_to(own)
        if own is None:
            raise StoreFault(f"{database}: {_PROCESSES - 1} processes already have a spill file here")
        return own

    @property
    def size(self) -> int:
        """Bytes that wait in it."""
        return self._size

    def append(self, lines: bytes) -> tuple[int, int]:
        """Adds whole lines, all or nothing; where they begin and end. Raises OSError when they cannot be
        written."""
        with self._lock:
            if os.fstat(self._descriptor).st_nlink == 0:  # deleted under us: nobody would find what we write
                self._reopen()
            written = 0
            try:
                written = os.write(self._descriptor, lines)
            finally:
                if written < len(lines):
                    os.ftruncate(self._descriptor, self._size)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            start = self._size
            self._size += written
            return start, self._size

    def read(self, offset: int, limit: int = _CHUNK) -> tuple[list[bytes], int]:
        """The lines from `offset` on, about `limit` bytes of them, and the offset behind the last."""
        data = os.pread(self._descriptor, min(limit, self._size - offset), offset)
        end = data.rfind(b"\n")
        while end < 0 and offset + len(data) < self._size:  # one line is longer than the limit
            data += os.pread(self._descriptor, min(_CHUNK, self._size - offset - len(data)), offset + len(data))
            end = data.rfind(b"\n")
        return data[:end].split(b"\n") if end >= 0 else [], offset + end + 1

    def clear(self, offset: int) -> bool:
        """Cuts the file to nothing if `offset` is its end; False when more lines have come."""
        with self._lock:
            if offset < self._size:
                return False
            os.ftruncate(self._descriptor, 0)
            self._size = 0
            return True

    def close(self) -> None:
        """Lets go of the file, and removes it if nothing waits in it."""
        with self._lock:
            if self._size == 0:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)

    def _reopen(self) -> None:
        try:
            descriptor = _take(self.path)
        except StoreFault as fault:
            raise OSError(errno.EIO, str(fault), str(self.path)) from fault
        if descriptor is None:
            raise OSError(errno.EBUSY, "taken by another process", str(self.path))
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size

    def _cut_torn_line(self) -> None:
        position = self._size
        while position > 0:
            start = max(0, position - _CHUNK)
            newline = os.pread(self._descriptor, position - start, start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < self._size:
            os.ftruncate(self._descriptor, position)
            self._size = position

    def _move_to(self, other: "Spill") -> None:
        offset = 0
        while offset < self._size:
            lines, offset = self.read(offset)
            other.append(b"".join(line + b"\n" for line in lines))
        self.clear(offset)
        self.close()


def _take(path: Path) -> int | None:
    """A descriptor with the file's lock, or None when another process holds it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreFault(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink > 0:  # else its last owner removed it between our two calls
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise StoreFault(f"{path}: it cannot be locked: {error.strerror}") from error
        os.close(descriptor)
