"""HTTP/1.1 on one connection, below the application: httptools parses, the limits are ours.

- exactly one Host header on HTTP/1.1 (RFC 9112 section 3.2), no more than 32 KiB of headers, and as much again of
  trailers, which are thrown away (RFC 9110 section 6.5.1)
- a bounded number of connections
- silent, half-headed and half-bodied connections, and clients that do not read, are closed after 10, 10, 30 and 30
  seconds, and those that ask nothing more after 75, by one sweep a second, so a request costs no timer; a body that
  comes in drips when it is slower than 1 KiB a second after its first 30 s. While an answer runs, nobody waits for the
  next request on its connection
- protocol errors answered in the API's own shape
- requests that come before the last one is answered are answered in their order, and what is wrong behind them is
  said in its turn
- what ASGI lacks, as an extension of its scope (`reply.Offer`): writing without waiting, hearing that the client left
- what is written in one round of the event loop leaves when the round is over: the parts of an answer in one system
  call, and the answers of a round in one go. A peer that is woken for each of them, between our work on the next ones,
  costs more than the sending

uvicorn has a protocol of its own. This one does less for a request, and what it does differently (limits, sweep, shapes
of errors, order, writing) was most of it when it was still a subclass. uvicorn's server runs it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Any, cast
from urllib.parse import unquote

import httptools
import uvicorn

from llm_inference_router.errors import InvalidRequest, RouterError, TooLarge
from llm_inference_router.server.crowd import Crowd
from llm_inference_router.server.cycle import Cycle
from llm_inference_router.server.refusal import busy, refusal
from llm_inference_router.server.reply import EXTENSION, Headers, Offer

_HEADER_BYTES = 32 * 1024
_HEAD_WITHIN_S = 10.0
_BODY_WITHIN_S = 30.0
_BODY_BYTES_PER_S = 1024
_READ_WITHIN_S = 30.0
_SWEEP_S = 1.0
_MOST_QUEUED = 100
_NEXT = "next"  # request, once the last one is answered
_ASGI = {"version": "3.0", "spec_version": "2.3"}


class _Refused(Exception):
    """Stops the parser in the middle of a head."""


class Protocol(asyncio.Protocol):
    """Made by uvicorn's server, which looks at `connections`, `tasks` and `shutdown`.

    `cycle` is the newest request, `queue` has those that wait for the one before them. `waits_for`: what of the client,
    and since when by the loop's clock.
    """

    max_connections = 10_000
    crowd = Crowd()  # of all connections of a server

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: uvicorn.server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.cycle: Cycle | None = None
        self.queue: deque[Cycle] = deque()
        self.waits_for = "head"
        self.waits_since = self.unsent_since = self.loop.time()
        self.body_bytes = self.unsent = 0
        self.body_since = 0.0
        self.write_paused = False
        self._app = config.loaded_app
        self._idle_s = config.timeout_keep_alive
        self._state = server_state
        self._shared = app_state
        self._parser = _parser(self)
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = 0  # that came after the first of a head, or of trailers
        self._moved = False  # something has begun in what is being read, or is a body
        self._wishes = b""  # the first line of a request that asks for another protocol
        self._wrong: RouterError | None = None  # with the head that is being parsed
        self._last: RouterError | None = None  # what is said once all before it is answered
        self._leaving: set[Callable[[], None]] = set()
        self._answering: Cycle | None = None
        offer = Offer(leaving=self._leaving, write=self._write_part, answer=self._write_answer, crowd=self.crowd)
        self._offer = {EXTENSION: offer}
        self._held: list[bytes] = []
        self._read_paused = False
        self._drained: asyncio.Event | None = None

    # --- the transport's side -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server, self._client = _address(transport, "sockname"), _address(transport, "peername")
        self._state.connections.add(cast(Any, self))  # uvicorn's type has its own protocols alone
        if len(self._state.connections) > self.max_connections:
            self._refuse(busy("too many connections (server.max_connections)"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(cast(Any, self))
        for cycle in (self._answering, *self.queue):
            if cycle is not None:
                cycle.disconnect()
        self.resume_writing()
        for left in tuple(self._leaving):
            left()

    def data_received(self, data: bytes) -> None:
        while data and self._last is None and not self.transport.is_closing():
            data = self._parse(data)

    def _parse(self, data: bytes) -> bytes:
        """What is to be parsed once more."""
        self._moved = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nobody has to follow the wish for another protocol (RFC 9110 section 7.8). The parser stops at it, taking
            # the body for that protocol's: so it is asked once more, without the wish.
            self._parser = _parser(self)
            return self._wishless() + data[upgrade.args[0] :]
        except httptools.HttpParserError:
            # Ours included: callbacks that raise break the parse.
            self._refuse(self._wrong or InvalidRequest("this is not valid HTTP/1.1", code="invalid_http"))
            return b""
        if not self._moved:
            self._head_bytes += len(data)
            if self._head_bytes > _HEADER_BYTES:
                self._refuse(_too_large())
        return b""

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._drained is not None:
            self._drained.set()

    def shutdown(self) -> None:
        """What runs, and what waits behind it, is answered; then the connection is closed."""
        if self.cycle is None or self.cycle.complete:
            self.close()
        else:
            self.cycle.keep_alive = False

    # --- the parser's side ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._head_bytes, self._moved = 0, True
        self._wait("head")

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._head_bytes, self._moved = 0, True
        headers = self._headers
        names = [name for name, _ in headers]
        if sum(map(len, chain.from_iterable(headers))) + 4 * len(headers) > _HEADER_BYTES:
            self._abort(_too_large())
        method, version = self._parser.get_method(), self._parser.get_http_version()
        hosts = names.count(b"host")
        if method == b"CONNECT" or version not in ("1.1", "1.0"):
            self._abort(InvalidRequest("only HTTP/1.1 is spoken here, and there are no tunnels", code="invalid_http"))
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            self._abort(InvalidRequest("a request has exactly one Host header", code="invalid_host"))
        if b"upgrade" in names and self._parser.should_upgrade():
            self._wishes = b"%b %b HTTP/%b" % (method, self._url, version.encode())
            return
        self._headers = []  # for the trailers
        self._wait("body")
        self.body_bytes, self.body_since = 0, self.waits_since
        path, raw_path, query = _split(self._url)
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "method": method.decode(),
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            "state": self._shared.copy(),
            "extensions": self._offer,
        }
        expects = b"expect" in names and version == "1.1" and dict(headers)[b"expect"].lower() == b"100-continue"
        cycle = Cycle(self, scope, keep_alive=version != "1.0" and self._parser.should_keep_alive(), expects=expects)
        before, self.cycle = self.cycle, cycle
        if before is None or before.complete:
            self._start(cycle)
            return
        if len(self.queue) >= _MOST_QUEUED:
            self.cycle = before
            self._abort(busy("too many requests wait on one connection"))
        self.pause_reading()
        self.queue.append(cycle)

    def on_body(self, body: bytes) -> None:
        self.waits_since = self.loop.time()  # a slow upload is not a silent one
        self.body_bytes += len(body)
        self._head_bytes, self._moved = 0, True
        assert self.cycle is not None
        if not self.cycle.complete:
            self.cycle.add(body)

    def on_message_complete(self) -> None:
        self._moved = True
        if self._wishes:
            return
        assert self.cycle is not None
        self.cycle.whole()
        self.crowd.came(self.loop.time())
        self.waits_for = ""
        if self.cycle.complete:  # it was answered before all of it had come, such as with a 401
            self._wait(_NEXT)

    # --- the cycle's side -----------------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        return self.transport.is_closing()

    @property
    def default_headers(self) -> Headers:
        return self._state.default_headers

    def write(self, data: bytes) -> None:
        if not self._held:
            self.loop.call_soon(self._flush)
        self._held.append(data)

    async def drained(self) -> None:
        """Until the client has read what waits for it, or has gone."""
        if self._drained is None:
            self._drained = asyncio.Event()
        self._drained.clear()
        if self.write_paused:
            await self._drained.wait()

    def pause_reading(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._read_paused and not self.queue and self._last is None:
            self._read_paused = False
            self.transport.resume_reading()

    def answered(self) -> None:
        """The response that runs is complete."""
        self._state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.queue:
            self._start(self.queue.popleft())
        elif self._last is not None:
            self._say(self._last)
            return
        self.resume_reading()
        assert self.cycle is not None
        if self.waits_for:  # for the rest of the next request, from now on
            self.body_since = self.waits_since = self.loop.time()
        elif self.cycle.complete:
            self._wait(_NEXT)

    def close(self) -> None:
        self._flush()
        self.transport.close()

    def _wishless(self) -> bytes:
        """The head that has come, without the wish for another protocol."""
        lines = [b": ".join(header) for header in self._headers if header[0] != b"upgrade"]
        first, self._wishes = self._wishes, b""
        return b"\r\n".join([first, *lines, b"", b""])

    def _start(self, cycle: Cycle) -> None:
        self._answering = cycle
        task = self.loop.create_task(cycle.run(self._app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _write_part(self, part: bytes) -> bool:
        return self._answering is not None and self._answering.write_part(part)

    def _write_answer(self, headers: Headers, body: bytes) -> bool:
        return self._answering is not None and self._answering.write_answer(headers, body)

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held and not self.transport.is_closing():
            self.transport.write(held[0] if len(held) == 1 else b"".join(held))

    # --- what is waited for ---------------------------------------------------------------------------------

    def overdue(self, now: float) -> bool:
        if self.queue or (self.waits_for == "head" and self.cycle is not None and not self.cycle.complete):
            return False
        if self.waits_for == _NEXT:
            return now - self.waits_since > self._idle_s
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
        self._wrong = refusal
        raise _Refused

    def _refuse(self, error: RouterError) -> None:
        """What came last is wrong; what came before it is answered first."""
        if self.queue and self.cycle is self.queue[-1] and self.cycle.more:
            self.queue.pop()  # it is wrong itself, and has not begun
        running = self._answering
        if running is None or running.complete:
            self._say(error)
        elif not running.more:
            self._last = error
            self.pause_reading()
        elif running.started:
            self.close()  # its own body is wrong: an answer that has begun cannot become another
        else:
            self._say(error)

    def _say(self, error: RouterError) -> None:
        path = self._url.partition(b"?")[0].decode("latin-1")
        status, headers, body = refusal(error, path)
        head = [f"HTTP/1.1 {status} {error.code}", "connection: close", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers]
        self.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        self.close()


def _parser(protocol: Protocol) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(protocol)
    # A request behind one that closes the connection must not cost that one its answer.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _too_large() -> TooLarge:
    return TooLarge(f"the headers are larger than {_HEADER_BYTES} bytes", code="headers_too_large")


def _split(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it came, query. Raises httptools' error for what is no URL."""
    if url[:1] == b"/" and b"?" not in url and b"%" not in url and b"#" not in url:  # nearly all
        return url.decode("ascii"), url, b""
    parsed = httptools.parse_url(url)
    return unquote(parsed.path.decode("ascii")), parsed.path, parsed.query or b""


def _address(transport: asyncio.BaseTransport, which: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(which)
    return found[:2] if isinstance(found, tuple) else None


async def sweep(connections: set[Any], closed: Any) -> None:
    """Closes connections that keep us waiting; runs until it is cancelled. `closed` counts them by cause."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_S)
        now = loop.time()
        for connection in [c for c in connections if not c.closing and c.overdue(now)]:
            if connection.waits_for != _NEXT:
                closed.labels("slow_" + connection.waits_for).inc()
            connection.close()
        for connection in [c for c in connections if c.stalled(now)]:
            closed.labels("stalled").inc()
            connection.transport.abort()  # a close would wait for what the client does not read
