"""Requests for an answer, in any dialect, as a raw ASGI function: this is the hot path."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from msgspec import structs

from llm_inference_router.dialects.base import Dialect
from llm_inference_router.dialects.spoken import FORWARDED
from llm_inference_router.effects import new_id
from llm_inference_router.engine.deadline import ClientStalled
from llm_inference_router.engine.judge import judge
from llm_inference_router.engine.pipeline import CLIENT_LEFT, CLIENT_LEFT_STATUS, Pipeline
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.errors import Draining, Internal, RouterError
from llm_inference_router.server.auth import Grant, Keys
from llm_inference_router.server.body import LONGEST_VALUE, Arriving, Receive, caller, forwarded, read_body, wishes
from llm_inference_router.server.earlier import joined
from llm_inference_router.server.idempotency import HEADER, Held, Idempotency, KeyedReply, digest, replay
from llm_inference_router.server.refusal import busy
from llm_inference_router.server.reply import EXTENSION, Offer, Reply, Send
from llm_inference_router.store.idempotency import Answer

Leaving: TypeAlias = set[Callable[[], None]]


class Running:
    """How many requests run, and how much there is of bodies that are still coming."""

    __slots__ = ("arriving", "count")

    def __init__(self) -> None:
        self.count = 0
        self.arriving = Arriving()


class Inference:
    """One path of one configuration, in one dialect. `running`: all requests, those of configurations before it too,
    since together they keep to the limit. `mine`: those of this configuration.
    """

    def __init__(
        self, dialect: Dialect, runtime: Runtime, keys: Keys, idempotency: Idempotency, running: Running, mine: Running
    ) -> None:
        self._dialect = dialect
        self._runtime = runtime
        self._idempotency = idempotency
        self._keys = keys
        self._running = running
        self._mine = mine

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        offer: Offer = scope.get("extensions", {}).get(EXTENSION, {})
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if HEADER in headers:
            exchange: _Exchange = _Once(self._dialect, self._runtime, scope, send, headers, self._idempotency)
        else:
            reply = Reply(send, self._runtime, offer, self._dialect)
            exchange = _Exchange(self._dialect, self._runtime, reply, headers)
        self._mine.count += 1
        begun = 0
        try:
            self._has_room()  # what cannot be taken is not read first
            body, grant = await exchange.read(self._keys, receive, self._running.arriving)
            self._has_room()
            begun = 1
            self._running.count += 1
            await exchange.run(body, grant, receive, offer.get("leaving"))
        except RouterError as error:
            await exchange.fail(error)
        except ClientStalled:
            return  # returning before the answer is complete closes the connection
        except asyncio.CancelledError:
            # The drain is over: uvicorn cancels what still runs. What can still be said is said.
            await exchange.fail(Draining("the router is shutting down"))
        except Exception as error:  # noqa: BLE001 - the last line of defence: our mistakes do not show their insides
            self._runtime.observer.crashed(error)
            await exchange.fail(Internal("something went wrong in the router; the request can be sent again"))
        finally:
            self._running.count -= begun
            self._mine.count -= 1

    def _has_room(self) -> None:
        if self._running.count >= self._runtime.config.server.max_requests:
            raise busy("too many requests are running (server.max_requests)")


class _Exchange:
    def __init__(self, dialect: Dialect, runtime: Runtime, reply: Reply, headers: dict[bytes, bytes]) -> None:
        self._dialect = dialect
        self._runtime = runtime
        self._reply = reply
        self._headers = headers
        self._arrived = runtime.clock.monotonic()
        self._pipeline: Pipeline | None = None
        self._held: Held | None = None
        self._left = False

    async def read(self, keys: Keys, receive: Receive, arriving: Arriving) -> tuple[bytes, Grant]:
        grant = keys.grant(self._headers, "inference")
        return await read_body(receive, self._headers, self._runtime.config.server.max_body, arriving), grant

    async def run(self, body: bytes, grant: Grant, receive: Receive, leaving: Leaving | None) -> None:
        """Answers in this task, which is cancelled when the client leaves; returns quietly then.

        Our own server calls what is in `leaving`; of another one a second task has to ask.
        """
        task = asyncio.current_task()
        assert task is not None
        leave = partial(self._leave, task)
        watcher: asyncio.Task[None] | None = None
        if leaving is not None:
            leaving.add(leave)  # nothing was awaited since the body came, so a client that is gone cannot be missed
        else:
            watcher = asyncio.create_task(_watch(receive, leave))
        try:
            await self._answer(body, grant)
        except asyncio.CancelledError:
            if not self._left or task.uncancel() > 0:
                raise
            if self._pipeline is None:
                self._runtime.observer.refused(CLIENT_LEFT_STATUS)
        finally:
            if leaving is not None:
                leaving.discard(leave)
            if watcher is not None:
                watcher.cancel()

    def _leave(self, task: "asyncio.Task[Any]") -> None:
        self._left = True
        if self._pipeline is not None:
            self._pipeline.left = True
        task.cancel(CLIENT_LEFT)

    async def _answer(self, body: bytes, grant: Grant) -> None:
        runtime, headers = self._runtime, self._headers
        request = self._dialect.parse(body)
        if request.earlier:
            request = await joined(request, grant.key, runtime)
        if self._dialect.name in FORWARDED:
            request = structs.replace(request, headers=forwarded(headers, FORWARDED[self._dialect.name]))
        wanted = wishes(headers)
        # Between the steps others catch up. Nobody has been told of a decision yet: who leaves meanwhile is refused.
        if self._reply.crowded:
            await asyncio.sleep(0)
        decision = judge(request, caller(grant, headers, request), wanted, runtime.snapshot(), runtime.clock)
        if self._reply.crowded:
            await asyncio.sleep(0)
        runtime.observer.decided(decision)
        pipeline = self._pipeline = Pipeline(
            runtime, request, decision, arrived=self._arrived, explained=wanted.explained, once=self._held
        )
        await pipeline.answer(self._reply)

    async def fail(self, error: RouterError) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            self._runtime.observer.refused(error.http_status)
            await self._reply.fail(error, self._request_id(), None, None)
            return
        trace = pipeline.trace
        await self._reply.fail(error, trace.decision.request_id, trace, pipeline.writer)

    def _request_id(self) -> str:
        """Of a request that never reached a decision: the client's own where it is fit to be sent back."""
        given = self._headers.get(b"x-request-id", b"").decode("latin-1")
        fit = given.isprintable() and given.isascii() and 0 < len(given) <= LONGEST_VALUE
        return given if fit else "req_" + new_id(self._runtime.clock.now_ms()).replace("-", "")


class _Once(_Exchange):
    """A request with an idempotency key."""

    def __init__(
        self,
        dialect: Dialect,
        runtime: Runtime,
        scope: dict[str, Any],
        send: Send,
        headers: dict[bytes, bytes],
        idempotency: Idempotency,
    ) -> None:
        self._keyed = KeyedReply(send, runtime, scope.get("extensions", {}).get(EXTENSION, {}), dialect)
        super().__init__(dialect, runtime, self._keyed, headers)
        self._path: str = scope["path"]
        self._send = send
        self._idempotency = idempotency

    async def _answer(self, body: bytes, grant: Grant) -> None:
        asked = digest(self._path, self._dialect.name, body)
        claimed = await self._idempotency.claim(grant.key, self._headers, asked)
        if isinstance(claimed, Answer):
            await replay(claimed, self._send)
            return
        held = self._held = Held(claimed, self._keyed, self._runtime)
        try:
            await super()._answer(body, grant)
        finally:
            await self._idempotency.settle(held)


async def _watch(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
