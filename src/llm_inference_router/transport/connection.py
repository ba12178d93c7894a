"""One HTTP/1.1 connection to an upstream, on httptools: a parser's callbacks and the bytes that wait to be read.

    idle --ask--> busy --closed when the answer is complete, keep-alive--> idle
                  busy --closed when all that matters was read--> draining --end arrives soon--> idle
                  any  --anything else--> closed

A body is read in steps (`more`), or it is pumped: given on in the very callback in which it arrives, which costs a
stream of many small packets no wake of its reader's task for each.

At most `BUFFER` bytes wait unread: beyond, the socket is not read, so that a slow client slows its upstream down.
"""

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import cast

import httptools

from llm_inference_router.transport.base import Take, TransportFault
from llm_inference_router.types import Fault
from llm_inference_router.vocabulary import FaultKind

BUFFER = 64 * 1024
_HEAD_BYTES = 64 * 1024
_DRAIN_S = 1.0

RESET = Fault("reset", "the upstream closed the connection")
_TRUNCATED = Fault("truncated", "the upstream's answer broke off")
_MALFORMED = Fault("malformed", "the upstream's answer is not valid HTTP")
_HUGE_HEAD = Fault("malformed", f"the head of the upstream's answer is larger than {_HEAD_BYTES} bytes")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Connection(asyncio.Protocol):
    """`released` is called when it is idle again, `lost` when it is gone."""

    def __init__(self, released: Callable[["Connection"], None], lost: Callable[["Connection"], None]) -> None:
        self._released = released
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)  # reads one answer after the other
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._take: Take | None = None
        self.idle_since = 0.0
        self._reset()
        self.busy = False

    def _reset(self) -> None:
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._head_bytes = 0
        self._fault: Fault | None = None
        self._headed = False
        self._complete = False
        self._framed = False
        self._keep = False
        self._draining: asyncio.TimerHandle | None = None
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []  # the head's, names in small letters

    # --- asked by the transport -----------------------------------------------------------------------------------

    def ask(self, request: bytes) -> None:
        """Sends one request, when the event loop's round is over. The connection must be idle.

        Several requests then leave in one go: an upstream that is woken for each of them costs more than the sending.
        """
        self._reset()
        self.busy = True
        if self._transport is None or self._transport.is_closing():
            self._fault = RESET
            return
        self._loop.call_soon(self._send, request)

    async def head(self) -> None:
        """Waits for status and headers. Raises TransportFault."""
        while not self._headed:
            if self._fault is not None:
                raise TransportFault(self._fault)
            await self._wait()

    async def more(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises TransportFault."""
        while not self._chunks:
            if self._ended():
                return b""
            await self._wait()
        return self._taken()

    async def pump(self, take: Take) -> bool:
        """As `Response.pump` says."""
        while True:
            if self._chunks:
                if not take(self._taken()):
                    return True
            elif self._ended():
                return False
            else:
                self._take = take
                try:
                    if await self._wait():
                        return True
                finally:
                    self._take = None

    def close(self, finished: bool = False) -> None:
        """Ends the exchange. An unfinished answer costs the connection, which is what tells the upstream to stop;
        `finished`: nothing that matters is missing, so its end is waited for a moment.
        """
        if not self.busy:
            return
        if self._complete:
            self._settle()
        elif finished and self.alive:
            self._draining = self._loop.call_later(_DRAIN_S, self.discard)
            if self._paused:
                self._resume()
        else:
            self.discard()

    def discard(self) -> None:
        """Closes it, whatever it is doing."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # --- asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        if not self.busy:  # bytes that nobody asked for
            self.discard()
            return
        if not self._headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(self._fault or _MALFORMED)
        if not self._headed and self._head_bytes > _HEAD_BYTES:
            self._fail(_HUGE_HEAD)
        if self._draining is not None:
            self._chunks.clear()
            if self._complete:
                self._settle()
            return
        if self._take is not None and self._chunks:
            self._deliver(self._take)
        else:
            self._wake()
        if self._waiting > BUFFER and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self.busy:
            self._lost(self)
            return
        if not self._complete and self._fault is None:
            # A body without length or chunks ends with its connection, whole or cut: its reader must be able to tell.
            if self._headed and not self._framed and error is None:
                self._complete = True
            else:
                self._fault = _TRUNCATED if self._headed else RESET
        self.busy = False
        if self._draining is not None:
            self._draining.cancel()
        self._lost(self)
        self._wake()

    # --- httptools ------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            return  # a trailer, or the head of something that nobody asked for
        self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._headed:
            self._keep = False  # a second answer to one request: this connection is not in step any more
            return
        fields = self.fields
        size = sum(map(len, chain.from_iterable(fields))) + 4 * len(fields)
        if size > _HEAD_BYTES:  # all of it may have come at once
            self._fault = _HUGE_HEAD
            raise ValueError  # stops the parser
        self.status = self._parser.get_status_code()
        if self.status < 200:  # an interim answer (RFC 9110 section 15.2): the real one follows
            self.fields = []
            return
        self._headed = True
        self._framed = not _FRAMING.isdisjoint([name for name, _ in fields])
        self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if self._complete:
            return
        self._chunks.append(body)
        self._waiting += len(body)

    def on_message_complete(self) -> None:
        if self._headed:
            self._complete = True

    # --- inside ---------------------------------------------------------------------------------------------------

    def _send(self, request: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)

    def _settle(self) -> None:
        """The answer is complete and read: the connection is free."""
        if not self.busy:
            return
        self.busy = False
        if self._draining is not None:
            self._draining.cancel()
        if self._keep and self.alive:
            if self._paused:  # by what waits unread
                self._resume()
            self._released(self)
        else:
            self.discard()

    def _fail(self, fault: Fault) -> None:
        self._fault = fault
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    def _taken(self) -> bytes:
        """The bytes that wait."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._waiting = 0
        if self._paused:
            self._resume()
        return data

    def _ended(self) -> bool:
        """Whether the body, all of which is read, was the whole of it. Raises TransportFault when it broke."""
        if self._complete:
            return True
        if self._fault is not None:
            raise TransportFault(self._fault)
        return False

    def _deliver(self, take: Take) -> None:
        """Gives what has arrived to the one that pumps, and wakes it only when there is a reason to."""
        waiter = self._waiter
        if waiter is None or waiter.done():  # stopped or cancelled, and only not resumed yet
            return
        try:
            wanted = take(self._taken())
        except Exception as error:  # noqa: BLE001 - it belongs to the task that pumps, not to the event loop
            waiter.set_exception(error)
            return
        if not wanted:
            waiter.set_result(True)
        elif self._complete or self._fault is not None:
            waiter.set_result(False)

    async def _wait(self) -> bool:
        """Waits for bytes, the end or a fault. True: the one that takes what is pumped has had enough."""
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)


def fault(kind: FaultKind, message: str) -> TransportFault:
    return TransportFault(Fault(kind, message))
