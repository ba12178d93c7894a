"""Requests of clients as bytes on connections: one for each request, or one that is kept; left early, or read whole."""

import re
import socket
import time
from contextlib import closing

import orjson

from tests.support.spoken import wished

_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")
_LAST = re.compile(rb"(?im)^connection: *close")


def request(
    model: str, stream: bool, key: str = "", text: str = "Hello", speaks: str = "chat", keep: bool = False
) -> bytes:
    path, wish = wished(speaks, text, 100)
    body = orjson.dumps({"model": model, "stream": stream, **wish})
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    head += "" if keep else "Connection: close\r\n"
    head += f"Idempotency-Key: {key}\r\n" if key else ""
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def exchange(port: int, data: bytes) -> bytes:
    """All bytes until the router closes."""
    parts = bytearray()
    with closing(_connected(port)) as connection:
        connection.sendall(data)
        while part := connection.recv(65536):
            parts += part
    return bytes(parts)


def leave(port: int, data: bytes, after_bytes: int, after: float) -> bytes:
    """Asks and goes: after `after_bytes` of the answer, or, where none are waited for, after so many seconds."""
    parts = bytearray()
    with closing(_connected(port)) as connection:
        connection.sendall(data)
        if not after_bytes:
            time.sleep(after)
        while len(parts) < after_bytes and (part := connection.recv(4096)):
            parts += part
    return bytes(parts)


def complete(raw: bytes | bytearray) -> bool:
    """Whether these are the bytes of one answer, no less and no more."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    if not blank:
        return False
    length = _LENGTH.search(head)
    return len(body) == int(length[1]) if length else raw.endswith(b"\r\n0\r\n\r\n")


class Line:
    """A connection that is kept from one request to the next, until the router says that it was the last. `asked`: how
    many requests it took."""

    def __init__(self, port: int) -> None:
        self._connection = _connected(port)
        self.asked = 0
        self.over = False

    def exchange(self, data: bytes) -> bytes:
        """The bytes of one answer, or those that came before the end of the connection."""
        self.asked += 1
        self.over = True  # unless the answer comes whole
        parts = bytearray()
        self._connection.sendall(data)
        while not complete(parts) and (part := self._connection.recv(65536)):
            parts += part
        self.over = not complete(parts) or _LAST.search(parts.partition(b"\r\n\r\n")[0]) is not None
        return bytes(parts)

    def close(self) -> None:
        self._connection.close()


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)
