"""Simulated models behind the same interface as sockets: the answer is imagined at once and then takes its
time.

One wake of a stream sends all tokens that are due, so that a hundred streams cost a few thousand wakes a
second, and a reader that is slow finds the rest waiting, as with a real upstream. Nothing runs in the
background: a stream that is closed or cancelled simply is not read on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import orjson

from llm_inference_router.backends import simulated_answer, simulated_vectors, simulated_wire
from llm_inference_router.backends.base import Call
from llm_inference_router.backends.simulated_answer import Imagined
from llm_inference_router.backends.simulated_draws import Draws
from llm_inference_router.transport.base import Response, Take, TransportFault, unheard
from llm_inference_router.types import Endpoint, Fault, Model

_JSON: Mapping[str, str] = {"content-type": "application/json"}
_EVENTS: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8"}
_VECTORS_S = 0.02  # however many are asked for
_HEAD_SHARE = 0.4  # of the time to first token: a stream's head leaves before its first token


class SimulatedTransport:
    """`speed` divides every waiting time; `error_rate` is the share of calls that fail with a status 500 or
    429.

    `tick_s` is the least time between two wakes of one stream, in seconds.
    """

    def __init__(self, *, seed: int = 0, speed: float = 1.0, error_rate: float = 0.0, tick_s: float = 0.025) -> None:
        if speed <= 0 or not 0 <= error_rate <= 1 or tick_s < 0:
            raise ValueError("speed is above 0, error_rate is within 0..1, tick_s is not negative")
        self._seed = seed
        self._speed = speed
        self._error_rate = error_rate
        self._tick_s = tick_s
        self._faults = Draws(seed)
        self._sent = 0

    async def send(self, call: Call, model: Model, endpoint: Endpoint, sent: Callable[[], None] = unheard) -> Response:
        """The head arrives after part of the time to first token; of a whole answer, when it is complete."""
        sent()
        self._sent += 1
        try:
            body = orjson.loads(call.body)
            if call.path == "/embeddings":
                await asyncio.sleep(_VECTORS_S / self._speed)
                return Whole(200, _JSON, simulated_vectors.whole(body, model.upstream_model))
            answer = simulated_answer.imagine(
                body,
                model=model.upstream_model,
                tier=model.tier,
                seed=self._seed,
                context=model.context,
                max_output=model.max_output,
            )
        except simulated_answer.ContextExceededError as error:
            refused = simulated_wire.error(
                str(error), type="invalid_request_error", code="context_length_exceeded", param="messages"
            )
            return Whole(400, _JSON, refused)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # The body comes from outside and is read without a validator: what breaks is a mistake in it.
            unread = simulated_wire.error(
                "the simulated model cannot read this request", type="invalid_request_error", code=None
            )
            return Whole(400, _JSON, unread)
        if self._error_rate and self._faults.uniform() < self._error_rate:
            return self._failed()
        name = f"chatcmpl-simulated-{self._seed:x}-{self._sent:08x}"
        created = int(time.time())
        if not call.stream:
            decoding = max(len(said.pieces) for said in answer.choices) / answer.decode
            await asyncio.sleep((answer.ttft_ms / 1000.0 + decoding) / self._speed)
            return Whole(200, _JSON, simulated_wire.whole(answer, id=name, created=created))
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        frames = simulated_wire.Frames(answer, id=name, created=created, include_usage=include_usage)
        started = time.monotonic()
        await asyncio.sleep(answer.ttft_ms / 1000.0 * _HEAD_SHARE / self._speed)
        return Stream(frames, answer, started, self._speed, self._tick_s)

    async def close(self) -> None:
        """There is nothing to close."""

    def _failed(self) -> "Whole":
        if self._faults.below(2):
            return Whole(500, _JSON, simulated_wire.error("simulated failure", type="server_error", code=None))
        limited = simulated_wire.error("simulated rate limit", type="requests", code="rate_limit_exceeded")
        return Whole(429, {**_JSON, "retry-after": "1"}, limited)


class Whole:
    """An answer that is complete when its head arrives."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self, limit: int) -> bytes:
        if len(self._body) > limit:
            raise TransportFault(Fault("malformed", f"the answer is longer than {limit} bytes", self.status))
        return self._body

    async def pump(self, take: Take) -> bool:
        body, self._body = self._body, b""
        return bool(body) and not take(body)

    def close(self, finished: bool = False) -> None:
        """There is no connection to free."""

    discard = close


class Stream:
    """An answer that arrives token by token."""

    def __init__(
        self, frames: simulated_wire.Frames, answer: Imagined, started: float, speed: float, tick_s: float
    ) -> None:
        self.status = 200
        self.headers = _EVENTS
        self._frames = frames
        self._first_at = started + answer.ttft_ms / 1000.0 / speed
        self._rate = answer.decode * speed
        self._tick_s = tick_s
        self._sent = -1  # tokens; before the first: -1
        self._ended = False
        self._closed = False
        self._waiting: asyncio.Future[None] | None = None

    async def read(self, limit: int) -> bytes:
        parts = bytearray()
        while chunk := await self._more():
            parts += chunk
            if len(parts) > limit:
                raise TransportFault(Fault("malformed", f"the answer is longer than {limit} bytes", self.status))
        return bytes(parts)

    async def pump(self, take: Take) -> bool:
        """Raises TransportFault(cancelled) when it is closed before its end."""
        while chunk := await self._more():
            if not take(chunk):
                return True
        return False

    async def _more(self) -> bytes:
        """The tokens that are due, once one is; b"" at the end."""
        sent, steps = self._sent, self._frames.steps
        if sent < 0:
            await self._until(self._first_at)
            self._sent = min(1, steps)
            return self._frames.first() + self._frames.step(0, self._sent)
        while sent < steps:
            now = time.monotonic()
            await self._until(max(now + self._tick_s, self._first_at + sent / self._rate))
            self._sent = min(steps, 1 + int((time.monotonic() - self._first_at) * self._rate))
            if self._sent > sent:
                return self._frames.step(sent, self._sent)
        if self._ended:
            return b""
        self._ended = True
        return self._frames.last()

    def close(self, finished: bool = False) -> None:
        """Ends the stream at once, also under a reader that waits."""
        self._closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    discard = close

    async def _until(self, moment: float) -> None:
        """A sleep that `close` can end; no task is made for it."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(max(0.0, moment - time.monotonic()), _wake, self._waiting)
        try:
            if not self._closed:
                await self._waiting
        finally:
            timer.cancel()
            self._waiting = None
        if self._closed:
            raise TransportFault(Fault("cancelled", "the stream was closed"))


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
