"""An answer on ASGI: the decision in its headers, then the body or the stream, or one error in its place."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypedDict

from llm_inference_router.dialects.base import Dialect, Writer
from llm_inference_router.dialects.spoken import REQUEST_IDS
from llm_inference_router.dialects.warning import joined
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.trace import Trace
from llm_inference_router.errors import RouterError
from llm_inference_router.money import to_usd
from llm_inference_router.server.crowd import Crowd

Headers: TypeAlias = list[tuple[bytes, bytes]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
EXTENSION = "llm_router"  # of the ASGI scope, where the server is ours


class Offer(TypedDict, total=False):
    """What our own server can do beyond ASGI. What returns False has done nothing, and `send` is to be used."""

    leaving: set[Callable[[], None]]  # called when the client has gone
    write: Callable[[bytes], bool]  # a part of a stream, without waiting
    answer: Callable[[Headers, bytes], bool]  # a whole answer of status 200, without waiting
    crowd: Crowd  # that the requests of this server make


_NO_CROWD = Crowd()
_JSON = (b"content-type", b"application/json")
_SSE = (b"content-type", b"text/event-stream; charset=utf-8")
_STREAM = [_SSE, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


def decision_headers(trace: Trace, now: float) -> Headers:
    decision = trace.decision
    model = trace.model.name if trace.model else decision.chosen
    headers = [
        (b"x-request-id", decision.request_id.encode()),
        (b"x-router-decision-id", decision.id.encode()),
        (b"x-router-route", decision.route.encode()),
        (b"x-router-model", model.encode()),
        (b"x-router-reason", trace.reason().encode()),
        (b"x-router-complexity", b"%.3f" % decision.signals.complexity.value),
        (b"x-router-attempts", b"%d" % trace.tries),
        (b"x-router-overhead-ms", b"%.3f" % trace.overhead_ms(now)),
    ]
    if trace.warnings:
        headers.append((b"x-router-warnings", _one_line(joined(trace.warnings))))
    if trace.model and trace.model.simulated:
        headers.append((b"x-router-simulated", b"true"))
    return headers


def whole_headers(trace: Trace, body: bytes, now: float) -> Headers:
    cost = (b"x-router-cost-usd", b"%.12f" % to_usd(trace.cost))
    return [_JSON, (b"content-length", b"%d" % len(body)), cost, *decision_headers(trace, now)]


def stream_headers(trace: Trace, now: float) -> Headers:
    return _STREAM + decision_headers(trace, now)


class Reply:
    """One answer to one request; the engine's sink. `whole`, or `begin`, `send`... and `end`, or `fail`."""

    def __init__(self, send: Send, runtime: Runtime, offer: Offer, dialect: Dialect) -> None:
        self._send = send
        self._dialect = dialect
        self._request_id = REQUEST_IDS.get(dialect.name)
        self._write = offer.get("write", _never)
        self._answer = offer.get("answer")
        self.crowded = offer.get("crowd", _NO_CROWD).many
        self._now = runtime.clock.monotonic
        self._begun = False

    async def whole(self, trace: Trace, body: bytes) -> None:
        headers = self.head(trace, body)
        if self._answer is not None and self._answer(headers, body):
            self._begun = True
            return
        await self._head(200, headers)
        await self.end(body)

    async def begin(self, trace: Trace) -> None:
        await self._head(200, self.head(trace, None))

    def head(self, trace: Trace, body: bytes | None) -> Headers:
        """Of a whole answer, or (None) of a stream."""
        now = self._now()
        headers = stream_headers(trace, now) if body is None else whole_headers(trace, body, now)
        if self._request_id is not None:
            headers.append((self._request_id, trace.decision.request_id.encode()))
        return headers

    async def send(self, frames: bytes) -> None:
        await self._send({"type": "http.response.body", "body": frames, "more_body": True})

    def write(self, frames: bytes) -> bool:
        return self._write(frames)

    async def end(self, frames: bytes) -> None:
        await self._send({"type": "http.response.body", "body": frames})

    async def fail(self, error: RouterError, request_id: str, trace: Trace | None, writer: Writer | None) -> None:
        """The error in the client's dialect: as the whole answer, or as the last event of a stream that has begun."""
        if self._begun:
            await self.end(writer.fail(error, request_id) if writer else b"")
            return
        status, headers, body = self._dialect.error(error, request_id)
        head = [(name.encode(), _one_line(value)) for name, value in headers if name != "x-request-id" or not trace]
        head.append((b"content-length", b"%d" % len(body)))
        if trace is not None:
            head += decision_headers(trace, self._now())
        await self._head(status, head)
        await self.end(body)

    async def _head(self, status: int, headers: Headers) -> None:
        self._begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


def _never(frames: bytes) -> bool:
    """A server that is not ours has no way to write at once."""
    return False


def _one_line(text: str) -> bytes:
    return "".join(c if c.isprintable() and ord(c) < 256 else " " for c in text).encode("latin-1")
