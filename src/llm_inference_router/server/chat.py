"""POST /v1/chat/completions, as a raw ASGI function: this is the hot path."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from llm_inference_router.dialects.chat import parse
from llm_inference_router.effects import new_id
from llm_inference_router.engine.deadline import ClientStalled
from llm_inference_router.engine.judge import judge
from llm_inference_router.engine.pipeline import CLIENT_LEFT, Pipeline
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.trace import Trace
from llm_inference_router.errors import Busy, Draining, Internal, RouterError
from llm_inference_router.server.auth import Keys
from llm_inference_router.server.body import LONGEST_VALUE, Receive, caller, read_body, wishes
from llm_inference_router.server.reply import EXTENSION, Offer, Reply, Send

Leaving: TypeAlias = set[Callable[[], None]]


class ChatCompletions:
    """`before` served an earlier configuration, as long as requests of it run: they count towards the limit."""

    def __init__(self, runtime: Runtime, keys: Keys, before: "ChatCompletions | None" = None) -> None:
        self._runtime = runtime
        self._keys = keys
        self._running = 0
        self.before = before

    @property
    def running(self) -> int:
        """Requests of this configuration and of those before it."""
        return self._running + (self.before.running if self.before is not None else 0)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        offer: Offer = scope.get("extensions", {}).get(EXTENSION, {})
        reply = Reply(send, self._runtime, offer)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = _Exchange(self._runtime, reply, headers)
        self._running += 1
        try:
            if self.running > self._runtime.config.server.max_requests:
                raise Busy("too many requests are running (server.max_requests)", retry_after_s=1)
            await exchange.run(self._keys, receive, offer.get("leaving"))
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
            self._running -= 1


class _Exchange:
    def __init__(self, runtime: Runtime, reply: Reply, headers: dict[bytes, bytes]) -> None:
        self._runtime = runtime
        self._reply = reply
        self._headers = headers
        self._arrived = runtime.clock.monotonic()
        self._trace: Trace | None = None

    async def run(self, keys: Keys, receive: Receive, leaving: Leaving | None) -> None:
        runtime, headers = self._runtime, self._headers
        grant = keys.grant(headers, "inference")
        request = parse(await read_body(receive, headers, runtime.config.server.max_body))
        wanted = wishes(headers)
        decision = judge(request, caller(grant, headers, request), wanted, runtime.snapshot(), runtime.clock)
        runtime.observer.decided(decision)
        pipeline = Pipeline(runtime, request, decision, arrived=self._arrived, explained=wanted.explained)
        self._trace = pipeline.trace
        await while_connected(pipeline.answer(self._reply), receive, leaving)

    async def fail(self, error: RouterError) -> None:
        if self._trace is None:
            self._runtime.observer.refused(error.http_status)
            await self._reply.fail(error, self._request_id(), None)
            return
        await self._reply.fail(error, self._trace.decision.request_id, self._trace)

    def _request_id(self) -> str:
        """Of a request that never reached a decision: the client's own where it is fit to be sent back."""
        given = self._headers.get(b"x-request-id", b"").decode("latin-1")
        fit = given.isprintable() and given.isascii() and 0 < len(given) <= LONGEST_VALUE
        return given if fit else "req_" + new_id(self._runtime.clock.now_ms()).replace("-", "")


async def while_connected(work: Coroutine[Any, Any, None], receive: Receive, leaving: Leaving | None) -> None:
    """Runs `work` in this task and cancels it when the client leaves; returns quietly then.

    Our own server calls what is in `leaving`; of another one a second task has to ask.
    """
    task = asyncio.current_task()
    assert task is not None
    watcher: asyncio.Task[None] | None = None
    left = False

    def leave() -> None:
        nonlocal left
        left = True
        task.cancel(CLIENT_LEFT)

    if leaving is not None:
        leaving.add(leave)
    else:
        watcher = asyncio.create_task(_watch(receive, leave))
    try:
        await work
    except asyncio.CancelledError:
        if not left or task.uncancel() > 0:
            raise
    finally:
        if leaving is not None:
            leaving.discard(leave)
        if watcher is not None:
            watcher.cancel()


async def _watch(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
