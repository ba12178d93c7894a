"""HTTP below the application: what uvicorn leaves open. Its parser does the reading; the limits are ours.

- exactly one Host header on HTTP/1.1 (RFC 9112 section 3.2), no more than 32 KiB of headers
- a bounded number of connections
- silent, half-headed and half-bodied connections, and clients that do not read, are closed after 10, 10, 30 and 30
  seconds, and those that ask nothing more after 75, by one sweep a second, so a request costs no timer; a body that
  comes in drips when it is slower than 1 KiB a second after its first 30 s. While an answer runs, nobody waits for the
  next request on its connection
- protocol errors answered in the API's own shape
- what ASGI lacks, as an extension of its scope (`reply.Offer`): writing without waiting, hearing that the client left
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from llm_inference_router.errors import InvalidRequest, RouterError, TooLarge
from llm_inference_router.server.refusal import busy, refusal
from llm_inference_router.server.reply import EXTENSION, Headers

_HEADER_BYTES = 32 * 1024
_HEAD_WITHIN_S = 10.0
_BODY_WITHIN_S = 30.0
_BODY_BYTES_PER_S = 1024
_READ_WITHIN_S = 30.0
_SWEEP_S = 1.0
_NEXT = "next"  # request, once the last one is answered


class _Refused(Exception):
    """Stops the parser in the middle of a head."""


class GuardedProtocol(HttpToolsProtocol):
    """What is called for each request names its base: `super()` takes longer than some of what it finds."""

    max_connections = 10_000
    waits_for = ""
    waits_since = 0.0
    header_bytes = 0
    body_bytes = 0
    body_since = 0.0
    hosts = 0
    unsent = 0
    unsent_since = 0.0
    refusal: RouterError | None = None
    leaving: set[Callable[[], None]]
    offer: dict[str, dict[object, object]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        joining = _Joining(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, joining))
        self.leaving = set()
        self.offer = {EXTENSION: {"leaving": self.leaving, "write": self.write_part, "answer": self.write_answer}}
        self._wait("head")
        self.unsent_since = self.waits_since
        if len(self.connections) > self.max_connections:
            self._refuse(busy("too many connections (server.max_connections)"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for left in tuple(self.leaving):
            left()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        HttpToolsProtocol.data_received(self, data)

    def on_message_begin(self) -> None:
        HttpToolsProtocol.on_message_begin(self)
        self.header_bytes = self.hosts = 0
        self._wait("head")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.header_bytes += len(name) + len(value) + 4
        if self.header_bytes > _HEADER_BYTES:
            self._abort(TooLarge(f"the headers are larger than {_HEADER_BYTES} bytes", code="headers_too_large"))
        HttpToolsProtocol.on_header(self, name, value)
        if self.headers[-1][0] == b"host":
            self.hosts += 1

    def on_headers_complete(self) -> None:
        if self.hosts > 1 or (self.hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._abort(InvalidRequest("a request has exactly one Host header", code="invalid_host"))
        self._wait("body")
        self.body_bytes, self.body_since = 0, self.waits_since
        HttpToolsProtocol.on_headers_complete(self)
        self.scope["extensions"] = self.offer

    def on_body(self, body: bytes) -> None:
        self.waits_since = self.loop.time()  # a slow upload is not a silent one
        self.body_bytes += len(body)
        HttpToolsProtocol.on_body(self, body)

    def on_message_complete(self) -> None:
        HttpToolsProtocol.on_message_complete(self)
        self.waits_for = ""
        if self.cycle.response_complete:  # it was answered before all of it had come, such as with a 401
            self._wait(_NEXT)

    def on_response_complete(self) -> None:
        """As its base has it, but for the timer of an idle connection, which any byte would stop for ever."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self.waits_for:  # for the rest of the next request, from now on
            self.body_since = self.waits_since = self.loop.time()
        elif self.cycle.response_complete:
            self._wait(_NEXT)

    def send_400_response(self, msg: str) -> None:
        """Called by the parser on broken HTTP, ours included: callbacks that raise break the parse."""
        self._refuse(self.refusal or InvalidRequest("this is not valid HTTP/1.1", code="invalid_http"))

    def write_part(self, part: bytes) -> bool:
        """Sends a part of a stream at once. False, and nothing is sent, where ASGI's `send` would do otherwise."""
        cycle = self.cycle
        if not part or not self._free(cycle) or not cycle.chunked_encoding:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
        return True

    def write_answer(self, headers: Headers, body: bytes) -> bool:
        """Sends a whole answer of status 200 at once. False, and nothing is sent, where `send` would do otherwise."""
        cycle = self.cycle
        if not self._free(cycle) or cycle.response_started or not cycle.keep_alive:
            return False
        lines = list(map(b": ".join, (*cycle.default_headers, *headers)))
        head = b"\r\n".join(lines)
        if len(head.translate(None, b"\r\n\0")) != len(head) - 2 * (len(lines) - 1):  # a line break of their own
            return False  # `send` will refuse it
        cycle.response_started = cycle.response_complete = True
        self.transport.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (head, body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def _free(self, cycle: RequestResponseCycle) -> bool:
        """Nothing is in the way of its answer. While requests wait in line, `cycle` is the last of them, not the first
        (uvicorn's `pipeline`)."""
        return not (self.pipeline or self.flow.write_paused or cycle.disconnected or cycle.response_complete)

    def overdue(self, now: float) -> bool:
        if self.pipeline or (self.waits_for == "head" and self.cycle is not None and not self.cycle.response_complete):
            return False
        if self.waits_for == _NEXT:
            return now - self.waits_since > self.timeout_keep_alive
        if self.waits_for == "body":
            slowest = _BODY_WITHIN_S + self.body_bytes / _BODY_BYTES_PER_S
            return now - self.waits_since > _BODY_WITHIN_S or now - self.body_since > slowest
        return self.waits_for == "head" and now - self.waits_since > _HEAD_WITHIN_S

    def stalled(self, now: float) -> bool:
        """The client has read nothing of what waits for it for too long. Asked once a second."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self.unsent:
            self.unsent_since = now
        self.unsent = unsent
        return unsent > 0 and now - self.unsent_since > _READ_WITHIN_S

    def _wait(self, what: str) -> None:
        self.waits_for = what
        self.waits_since = self.loop.time()

    def _abort(self, refusal: RouterError) -> None:
        self.refusal = refusal
        raise _Refused

    def _refuse(self, error: RouterError) -> None:
        path = getattr(self, "url", b"").partition(b"?")[0].decode("latin-1")  # unknown before a request's first line
        status, headers, body = refusal(error, path)
        head = [f"HTTP/1.1 {status} {error.code}", "connection: close", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers]
        self.transport.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        self.transport.close()


class _Joining:
    """A transport that sends what is written in one round of the event loop when the round is over.

    The parts of an answer leave in one system call, and the answers of a round in one go: a peer that is woken for
    each of them, between our work on the next ones, costs more than the sending.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))


async def sweep(connections: set[Any], closed: Any) -> None:
    """Closes connections that keep us waiting; runs until it is cancelled. `closed` counts them by cause."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_S)
        now = loop.time()
        for connection in [c for c in connections if c.overdue(now)]:
            if connection.waits_for != _NEXT:
                closed.labels("slow_" + connection.waits_for).inc()
            connection.transport.close()
        for connection in [c for c in connections if c.stalled(now)]:
            closed.labels("stalled").inc()
            connection.transport.abort()  # a close would wait for what the client does not read
