"""One decided request, top to bottom: dispatch it, record it, and only then give the client the answer's last bytes."""

import asyncio
from typing import Any

import orjson

from llm_inference_router.backends.base import conversation
from llm_inference_router.dialects.base import Writer
from llm_inference_router.dialects.fault import to_error
from llm_inference_router.dialects.spoken import KEPT
from llm_inference_router.engine.deadline import ClientStalled
from llm_inference_router.engine.dispatch import Dispatch
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.sink import Once, Sink
from llm_inference_router.engine.trace import Trace
from llm_inference_router.errors import Draining, Internal
from llm_inference_router.money import to_usd
from llm_inference_router.routing.explain import explain
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.types import ChatRequest, Content, Decision, Record, Turn

CLIENT_LEFT = "client left"  # the word with which the server cancels an answer that nobody waits for
CLIENT_LEFT_STATUS = 499  # nginx's word for it; never sent


class Pipeline:
    """Answers one request. `explained` adds the decision to the answer's last JSON; `once`: it has a key."""

    def __init__(
        self,
        runtime: Runtime,
        request: ChatRequest,
        decision: Decision,
        *,
        arrived: float,
        explained: bool,
        once: Once | None = None,
    ) -> None:
        self._runtime = runtime
        self._request = request
        self._explained = explained
        self.left = False  # set by the server when the client has gone
        self._once = once
        baseline = runtime.catalog.models[decision.baseline]
        self.trace = Trace(decision, baseline, stream=request.stream, arrived=arrived)
        self._dispatch: Dispatch | None = None

    @property
    def writer(self) -> Writer | None:
        """Who writes the stream, once one has begun."""
        return self._dispatch.writer if self._dispatch else None

    async def answer(self, sink: Sink) -> None:
        """Raises the RouterError to render when no model could answer; by then it is recorded.

        A client that leaves, and a drain that is over, raise asyncio.CancelledError or ClientStalled through here,
        recorded as well.
        """
        runtime = self._runtime
        route = self.trace.decision.route
        keep = runtime.keeps_content(route) or runtime.continues(route)
        dispatch = self._dispatch = Dispatch(runtime, self._request, self.trace, sink, keep)
        try:
            fault = await dispatch.run()
            if sink.crowded:
                await asyncio.sleep(0)
        except ClientStalled:
            runtime.spawn(self._record(dispatch, CLIENT_LEFT_STATUS, "client_stalled", ending=self._cut()))
            raise
        except asyncio.CancelledError as cancelled:
            # A limit may have struck in the same moment: then the word is lost, and `left` still tells.
            if self.left or CLIENT_LEFT in cancelled.args:
                runtime.spawn(self._record(dispatch, CLIENT_LEFT_STATUS, "client_left", ending=self._cut()))
            else:
                status = 200 if dispatch.begun else Draining.status
                runtime.spawn(self._record(dispatch, status, Draining.code, ending=self._cut()))
            raise
        except Exception:
            await self._record(dispatch, Internal.status, Internal.code)  # a mistake of ours leaves a record too
            raise
        if fault is None:
            await self._complete(dispatch, sink)
            return
        error = to_error(fault)
        if not dispatch.begun:
            await self._record(dispatch, error.http_status, error.code)
            raise error
        await self._record(dispatch, 200, error.code)
        assert dispatch.writer is not None
        await sink.end(dispatch.writer.fail(error, self.trace.decision.request_id))

    async def _complete(self, dispatch: Dispatch, sink: Sink) -> None:
        try:
            body, frames, turn = self._last(dispatch)
            ending = self._once.answered(self.trace, body, frames) if self._once is not None else None
        except Exception:
            await self._record(dispatch, Internal.status, Internal.code)  # a mistake of ours leaves a record too
            raise
        await self._record(dispatch, 200, None, turn, ending)
        if body is not None:
            await sink.whole(self.trace, body)
        else:
            if not dispatch.begun:
                await sink.begin(self.trace)
            await sink.end(frames)

    def _cut(self) -> Ending | None:
        return self._once.cut(self.trace) if self._once is not None else None

    def _last(self, dispatch: Dispatch) -> tuple[bytes | None, bytes, Turn | None]:
        """What the client is given last, a whole answer or the last bytes of a stream, and what is kept of it."""
        keep = KEPT.get(self._request.dialect)
        if keep is not None and not self._runtime.keeps_content(self.trace.decision.route):
            keep = None
        if dispatch.answer is not None:
            body = dispatch.body()
            turn = keep(self._request, body, None) if keep else None
            if self._explained:
                body["router"] = self._explanation()
            return orjson.dumps(body), b"", turn
        assembly = dispatch.assembly
        assert assembly is not None
        frames = b"".join(assembly.end(self._explanation() if self._explained else None))
        return None, frames, keep(self._request, None, assembly.writer) if keep else None

    async def _record(
        self,
        dispatch: Dispatch,
        status: int,
        error: str | None,
        turn: Turn | None = None,
        ending: Ending | None = None,
    ) -> None:
        runtime = self._runtime
        if ending is None and self._once is not None:
            ending = self._once.failed()
        record = self.trace.record(
            status=status,
            error=error,
            finish_reason=dispatch.finish_reason,
            now=runtime.clock.monotonic(),
            at=runtime.clock.now_ms(),
            content=self._content(dispatch, turn),
        )
        runtime.observer.answered(record)
        await self._append(record, ending)

    async def _append(self, record: Record, ending: Ending | None) -> None:
        try:
            await self._runtime.store.append(record, ending)
        except StoreFault:
            # The answer is paid for and good: it goes out, and the loss is counted and logged by the observer.
            self._runtime.observer.dropped(record)

    def _content(self, dispatch: Dispatch, turn: Turn | None) -> Content | None:
        if not self._runtime.keeps_content(self.trace.decision.route):
            return None
        # What it goes on from is kept with the answers before, and forgotten with them.
        said = self._request.asked or self._request
        return Content(conversation(said.messages), dispatch.text, turn)

    def _explanation(self) -> dict[str, Any]:
        return explain(self.trace.decision) | {
            "model": self.trace.model.name if self.trace.model else None,
            "cost_usd": to_usd(self.trace.cost),
            "attempts": [attempt.outcome for attempt in self.trace.attempts],
            "simulated": bool(self.trace.model and self.trace.model.simulated),
            "continued": self.trace.continued,
        }
