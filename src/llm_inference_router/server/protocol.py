"""HTTP below the application: what uvicorn leaves open. Its parser does the reading; the limits are ours.

- exactly one Host header on HTTP/1.1 (RFC 9112 section 3.2), no more than 32 KiB of headers
- a bounded number of connections
- silent, half-headed and half-bodied connections, and clients that do not read, are closed after 10, 10, 30 and 30
  seconds by one sweep a second, so a request costs no timer
- protocol errors answered in the API's own shape
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llm_inference_router.dialects.fault import render
from llm_inference_router.errors import Busy, InvalidRequest, RouterError, TooLarge

_HEADER_BYTES = 32 * 1024
_HEAD_WITHIN_S = 10.0
_BODY_WITHIN_S = 30.0
_READ_WITHIN_S = 30.0
_SWEEP_S = 1.0
_STATUS_LINE = b"HTTP/1.1 "
_HEAD_END = b"\r\n\r\n"


class _Refused(Exception):
    """Stops the parser in the middle of a head."""


class GuardedProtocol(HttpToolsProtocol):
    max_connections = 10_000
    waits_for = ""
    waits_since = 0.0
    header_bytes = 0
    hosts = 0
    unsent = 0
    unsent_since = 0.0
    refusal: RouterError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        joining = _Joining(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, joining))
        self._wait("head")
        if len(self.connections) > self.max_connections:
            self._refuse(Busy("too many connections", retry_after_s=1))

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.header_bytes = self.hosts = 0
        self._wait("head")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.header_bytes += len(name) + len(value) + 4
        if self.header_bytes > _HEADER_BYTES:
            self._abort(TooLarge(f"the headers are larger than {_HEADER_BYTES} bytes", code="headers_too_large"))
        super().on_header(name, value)
        if self.headers[-1][0] == b"host":
            self.hosts += 1

    def on_headers_complete(self) -> None:
        if self.hosts > 1 or (self.hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._abort(InvalidRequest("a request has exactly one Host header", code="invalid_host"))
        self._wait("body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.waits_since = self.loop.time()  # a slow upload is not a silent one
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.waits_for = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by the parser on broken HTTP, ours included: callbacks that raise break the parse."""
        self._refuse(self.refusal or InvalidRequest("this is not valid HTTP/1.1", code="invalid_http"))

    def overdue(self, now: float) -> bool:
        limit = {"head": _HEAD_WITHIN_S, "body": _BODY_WITHIN_S}.get(self.waits_for)
        return limit is not None and now - self.waits_since > limit

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
        status, headers, body = render(error, "")
        head = [f"HTTP/1.1 {status} {error.code}", "connection: close", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers if value]
        self.transport.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        self.transport.close()


class _Joining:
    """A transport that sends the head of an answer together with its first bytes: one system call instead of two.

    What is held leaves at the end of the loop's current round at the latest, so nothing can be held for long.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        if self._head:
            data = self._head + data
            self._head = b""
        elif data.startswith(_STATUS_LINE) and data.endswith(_HEAD_END):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


async def sweep(connections: set[Any], closed: Any) -> None:
    """Closes connections that keep us waiting; runs until it is cancelled. `closed` counts them by cause."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_S)
        now = loop.time()
        for connection in [c for c in connections if c.overdue(now)]:
            closed.labels("slow_" + connection.waits_for).inc()
            connection.transport.close()
        for connection in [c for c in connections if c.stalled(now)]:
            closed.labels("stalled").inc()
            connection.transport.abort()  # a close would wait for what the client does not read
