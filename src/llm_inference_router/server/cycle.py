"""One request on a connection and its response, as ASGI sees them (version 3.0, HTTP spec 2.3)."""

import asyncio
import http
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from llm_inference_router.server.reply import Headers

if TYPE_CHECKING:
    from llm_inference_router.server.protocol import Protocol

App: TypeAlias = Callable[..., Awaitable[None]]

_HIGH_WATER = 65536  # bytes of a body that wait to be read, from which on the connection is not read
_BODILESS = (204, 304)
_WRONG: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"21"),
    (b"connection", b"close"),
]
_log = logging.getLogger("uvicorn.error")


class Cycle:
    """`more`: of the body more is to come. `disconnected`: the client has gone before its response was complete."""

    __slots__ = (
        "_chunked",
        "_expects",
        "_head",
        "_left",
        "_news",
        "_parts",
        "_protocol",
        "_scope",
        "_size",
        "_told",
        "complete",
        "disconnected",
        "keep_alive",
        "more",
        "started",
    )

    def __init__(self, protocol: "Protocol", scope: dict[str, Any], *, keep_alive: bool, expects: bool) -> None:
        """`expects`: the client sends its body when it has been told to go on."""
        self._protocol = protocol
        self._scope = scope
        self._expects = expects
        self._parts: list[bytes] = []
        self._size = 0
        self._told = False  # that the body has ended
        self._news: asyncio.Event | None = None  # somebody has waited in `receive`
        self._chunked = False
        self._left: int | None = 0  # bytes of the response's content-length; None: it ends with the connection
        self._head = scope["method"] == "HEAD"
        self.more = True
        self.disconnected = False
        self.keep_alive = keep_alive
        self.started = False
        self.complete = False

    # --- the connection's side ------------------------------------------------------------------------------

    async def run(self, app: App) -> None:
        try:
            await app(self._scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 - the end of the task: nobody else would answer or tell
            _log.error("Exception in ASGI application\n", exc_info=error)
            await self._fail()
        else:
            if not self.complete and not self.disconnected:
                _log.error("ASGI callable returned without completing response.")
                await self._fail()

    def add(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > _HIGH_WATER:
            self._protocol.pause_reading()
        self.wake()

    def whole(self) -> None:
        self.more = False
        self.wake()

    def disconnect(self) -> None:
        if not self.complete:
            self.disconnected = True
        self.wake()

    def wake(self) -> None:
        if self._news is not None:
            self._news.set()

    # --- the application's side -----------------------------------------------------------------------------

    async def receive(self) -> MutableMapping[str, Any]:
        if self._expects and not (self.complete or self._protocol.closing):
            self._expects = False
            self._protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not (self.disconnected or self.complete) and (self._told or (self.more and not self._parts)):
            await self._heard()
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        parts, self._parts = self._parts, []
        self._size, self._told = 0, not self.more
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return {"type": "http.request", "body": body, "more_body": self.more}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Raises RuntimeError for what is no response."""
        if self._protocol.write_paused and not self.disconnected:
            await self._protocol.drained()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.started and kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif self.started and not self.complete and kind == "http.response.body":
            self._body(message.get("body", b""), last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"the ASGI message {kind!r} is out of place")

    def write_part(self, part: bytes) -> bool:
        """As `reply.Offer.write` has it."""
        if not part or not self._chunked or not self._free():
            return False
        self._protocol.write(b"%x\r\n%b\r\n" % (len(part), part))
        return True

    def write_answer(self, headers: Headers, body: bytes) -> bool:
        """As `reply.Offer.answer` has it."""
        if self.started or self._head or not self.keep_alive or not self._free():
            return False
        lines = _lines([*self._protocol.default_headers, *headers])
        if lines is None:
            return False  # `send` will refuse it
        self.started, self._expects = True, False
        self._protocol.write(b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (lines, body))
        self._end()
        return True

    def _free(self) -> bool:
        return not (self._protocol.write_paused or self.disconnected or self.complete)

    def _start(self, status: int, given: Iterable[Sequence[bytes]]) -> None:
        self.started, self._expects = True, False
        headers: Headers = [*self._protocol.default_headers, *((name, value) for name, value in given)]
        named = dict(headers)
        if b"content-length" in named:
            self._left = int(named[b"content-length"])
        elif self._scope["http_version"] == "1.0":  # which knows no chunks
            self._left = None
        elif not self._head and status not in _BODILESS:
            self._chunked = True
            headers.append((b"transfer-encoding", b"chunked"))
        if b"close" in named.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        lines = _lines(headers)
        if lines is None:
            raise RuntimeError("a header of the response has a line break")
        self._protocol.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, _phrase(status), lines))

    def _body(self, body: bytes, *, last: bool) -> None:
        if self._head:
            self._left = 0
        elif self._chunked:
            parts = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._protocol.write(parts + b"0\r\n\r\n" if last else parts)
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0:
                    raise RuntimeError("the response is longer than its content-length")
            self._protocol.write(body)
        if last:
            if self._left:
                raise RuntimeError("the response is shorter than its content-length")
            self._end()

    def _end(self) -> None:
        self.complete = True
        self.wake()
        if not self.keep_alive:
            self._protocol.close()
        self._protocol.answered()

    async def _fail(self) -> None:
        """Where nothing was sent there is an answer to send; else the connection tells that it is not whole."""
        if self.complete:
            return  # it went wrong behind its answer, and the connection is another request's
        if self.started or self.disconnected:
            self._protocol.close()
            return
        await self.send({"type": "http.response.start", "status": 500, "headers": _WRONG})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    async def _heard(self) -> None:
        self._protocol.resume_reading()
        if self._news is None:
            self._news = asyncio.Event()
        self._news.clear()
        await self._news.wait()


def _lines(headers: Headers) -> bytes | None:
    """A line for each header; None where one has a line break of its own."""
    lines = b"\r\n".join([*map(b": ".join, headers), b""])
    return lines if len(lines.translate(None, b"\r\n\0")) == len(lines) - 2 * len(headers) else None


def _phrase(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
