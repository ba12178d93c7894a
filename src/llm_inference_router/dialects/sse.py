"""Server-sent events, both ways.

The reader follows the WHATWG event stream: lines end in LF, CRLF or CR, one space after the colon is
dropped, lines that begin with a colon are comments, a byte order mark may come first, `data` lines of one
event are joined by LF. It goes beyond it in one point: an event whose closing blank line is missing when the
stream ends is still given, since several servers leave it out. Bytes may be split anywhere: the events are
the same for every split.
"""

from typing import Final, TypeAlias

Event: TypeAlias = tuple[bytes, bytes]
"""Name and data. A malformed event has the name MALFORMED or BROKEN and the reason as its data."""

DONE: Final = b"[DONE]"
DONE_FRAME: Final = b"data: [DONE]\n\n"
END: Final = b"\n\n"
"""What a parser is fed when the stream has ended: it closes the line and the event that are still open."""
# Names that no wire can carry, since each holds a line end.
MALFORMED: Final = b"malformed\n"  # this event only
BROKEN: Final = b"broken\n"  # the stream: nothing follows

LINE_LIMIT: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


def frame(data: bytes) -> bytes:
    """One event that carries `data`, which holds no line end."""
    return b"data: " + data + b"\n\n"


def named_frame(name: bytes, data: bytes) -> bytes:
    """The same of an event with a name."""
    return b"event: %b\ndata: %b\n\n" % (name, data)


class Parser:
    """An incremental reader. Memory is bounded by `limit` bytes for a line and for an event."""

    __slots__ = ("_after_cr", "_broken", "_data", "_first", "_fresh", "_held", "_held_size", "_limit", "_name", "_size")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._held: list[bytes] = []  # pieces of a line whose end has not come
        self._held_size = 0
        self._data: list[bytes] = []  # data lines of the event being read
        self._size = 0
        self._name = b""
        self._first = True
        self._after_cr = False
        self._broken = False
        self._fresh = False  # between two events, with nothing remembered of the one before

    def feed(self, data: bytes) -> list[Event]:
        # The common case: one whole event, its data on one line, with or without a name before it.
        if self._fresh and data.endswith(b"\n\n") and len(data) <= self._limit and b"\r" not in data:
            name = b""
            value = data[:-2]
            if value.startswith(b"event: "):
                name, _, value = value[7:].partition(b"\n")
            if value.startswith(b"data: ") and b"\n" not in value:
                value = value[6:]
                return [(name, value) if value.isascii() or _is_utf8(value) else (MALFORMED, b"invalid UTF-8")]
        if self._broken or not data:
            return []
        events = self._lines(data)
        self._fresh = not (self._held or self._data or self._name or self._first or self._after_cr or self._broken)
        return events

    def _lines(self, data: bytes) -> list[Event]:
        if self._after_cr:
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in data:
            self._held.append(data)
            self._held_size += len(data)
            return self._break("line") if self._held_size > self._limit else []
        if self._held:
            self._held.append(data)
            data = b"".join(self._held)
            self._held.clear()
            self._held_size = 0
        lines = data.split(b"\n")
        tail = lines.pop()
        events: list[Event] = []
        for line in lines:
            if len(line) > self._limit or self._size > self._limit:
                return events + self._break("line" if len(line) > self._limit else "event")
            self._line(line, events)
        if tail:
            self._held.append(tail)
            self._held_size = len(tail)
            if self._held_size > self._limit:
                return events + self._break("line")
        return events

    def _break(self, what: str) -> list[Event]:
        self._broken = True
        self._held.clear()
        self._data.clear()
        return [(BROKEN, f"a {what} of more than {self._limit} bytes".encode())]

    def _line(self, line: bytes, events: list[Event]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append((self._name, data) if _is_utf8(data) else (MALFORMED, b"invalid UTF-8"))
                self._data = []
                self._size = 0
            self._name = b""
        elif line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(value)
            self._size += len(value) + 1
        elif line.startswith(b"event:"):
            self._name = line[7:] if line[6:7] == b" " else line[6:]
        elif line == b"data":
            self._data.append(b"")
            self._size += 1
        elif line == b"event":
            self._name = b""
        # anything else is a comment or a field that nobody here reads (id, retry)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
