"""Drives the plan of one request against real upstreams: tries, falls back, streams, cancels.

Nothing is sent to the client before there is content, so until then every failure is invisible. From the first content
on, the answer is finished by the model that began it or ends with an honest error.
"""

import asyncio

from llm_inference_router.backends.base import Answer, Backend, Rendering
from llm_inference_router.dialects.assemble import Assembly, estimate
from llm_inference_router.engine.deadline import Deadline
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.sink import Sink
from llm_inference_router.engine.stream import Stream
from llm_inference_router.engine.trace import Trace
from llm_inference_router.resilience.plan import Give, Plan, Wait
from llm_inference_router.transport.base import Response, TransportFault
from llm_inference_router.types import Attempt, ChatRequest, Endpoint, Fault, Model, Usage

_ERROR_BYTES = 64 * 1024
_ANSWER_BYTES = 64 * 1024 * 1024
_SLOWEST_TOKENS_PER_S = 10.0  # the head of a whole answer comes with its last token: its limit grows by this pace
_LATE_S = 0.002  # timers may ring a moment early, and an endpoint that rests until then would still refuse
_CANCELLED = Fault("cancelled", "the client left")


class Dispatch:
    """One request's way through the models of its chain. After `run`, `answer` or `assembly` holds what came."""

    def __init__(self, runtime: Runtime, request: ChatRequest, trace: Trace, sink: Sink, keep_text: bool) -> None:
        self._runtime = runtime
        self._request = request
        self._trace = trace
        self._sink = sink
        self._keep_text = keep_text
        self._now = runtime.clock.monotonic
        self._ends_at = 0.0
        self._plan: Plan | None = None
        self.begun = False
        self.answer: Answer | None = None
        self.assembly: Assembly | None = None

    @property
    def finish_reason(self) -> str | None:
        """The upstream's, of the last try."""
        if self.assembly is not None:
            return self.assembly.finish_reason
        return self.answer.finish_reason if self.answer else None

    async def run(self) -> Fault | None:
        """None when the answer is complete; else the fault that ended it, which `begun` tells how to report.

        Raises asyncio.CancelledError and ClientStalled when the client is gone; the attempt is noted all the same.
        """
        plan = self._plan = self._runtime.plan(self._trace.decision, self._request.messages)
        self._ends_at = plan.deadline
        command = plan.start()
        while not isinstance(command, Give):
            if isinstance(command, Wait):
                await asyncio.sleep(command.seconds + _LATE_S)
                command = plan.waited(self._now())
                continue
            fault = await self._try(command.model, command.endpoint)
            if fault is None:
                return None
            command = plan.failed(fault, command.endpoint, self._now())
        return command.fault or self._all_resting()

    async def _try(self, model: Model, endpoint: Endpoint) -> Fault | None:
        runtime, began = self._runtime, self._now()
        self.answer = self.assembly = None
        turn = runtime.endpoints.began(endpoint)
        self._trace.trying(model)
        fault: Fault | None = _CANCELLED
        try:
            fault = await self._ask(model, endpoint)
        finally:
            ended = self._now()
            runtime.endpoints.ended(endpoint, turn, fault, ended)
            if fault is not None and fault is not _CANCELLED:
                runtime.forget_snapshot()
            attempt = self._trace.tried(
                model, endpoint, fault, self._usage(fault), began=began, ended=ended, at=runtime.clock.now_ms()
            )
            if fault is None and attempt.usage is not None:
                self._learn(model.name, attempt, attempt.usage)
        return fault

    async def _ask(self, model: Model, endpoint: Endpoint) -> Fault | None:
        backend = self._runtime.backends[model.name]
        encoded = backend.encode(self._request, model)
        self._trace.warnings = encoded.warnings
        deadline = Deadline(model.timeouts, self._ends_at - self._now(), self._head_limit(model))
        try:
            async with deadline:
                response = await self._runtime.transport(model).send(encoded.call, model, endpoint)
                try:
                    return await self._read(response, backend, model, deadline)
                finally:
                    response.close(finished=self.assembly is not None and self.assembly.complete)
        except TransportFault as error:
            if self.assembly is not None and self.assembly.complete:
                return None  # the finish reason came, only what may follow it did not: the answer is complete
            return error.fault

    async def _read(self, response: Response, backend: Backend, model: Model, deadline: Deadline) -> Fault | None:
        if not 200 <= response.status < 300:
            return backend.fault(response.status, response.headers, await _beginning(response))
        rendering = self._rendering(model)
        if self._request.stream:
            return await self._stream(response, backend, rendering, deadline)
        # No limit of its own for the body: that of the head, which came with all its tokens, stands.
        result = backend.answer(await response.read(_ANSWER_BYTES), rendering)
        if isinstance(result, Fault):
            return result
        self.answer = result
        return None

    async def _stream(
        self, response: Response, backend: Backend, rendering: Rendering, deadline: Deadline
    ) -> Fault | None:
        assembly = self.assembly = Assembly(
            model=rendering.model,
            id=rendering.id,
            created=rendering.created,
            include_usage=rendering.include_usage,
            prompt_tokens=rendering.prompt_tokens,
            keep_text=self._keep_text,
        )
        stream = Stream(backend.decoder(rendering), assembly, self._sink, deadline, self._begin)
        return await stream.run(response)

    async def _begin(self) -> None:
        assert self._plan is not None
        self.begun = True
        self._plan.began()
        self._trace.first_content_at = self._now()
        await self._sink.begin(self._trace)

    def _head_limit(self, model: Model) -> float:
        limit = model.timeouts.first_token
        if self._request.stream:
            return limit
        expected = self._request.max_tokens or self._trace.decision.signals.output_tokens.p90
        return limit + min(expected, model.max_output or expected) / _SLOWEST_TOKENS_PER_S

    def _rendering(self, model: Model) -> Rendering:
        decision = self._trace.decision
        return Rendering(
            model=model.name,
            id="chatcmpl-" + decision.id.replace("-", ""),
            created=decision.at // 1000,
            include_usage=self._request.include_usage,
            prompt_tokens=decision.signals.prompt_tokens,
            choices=self._request.choices,
        )

    def _usage(self, fault: Fault | None) -> Usage | None:
        """What a try used, as reported or estimated; None for one that produced nothing."""
        prompt = self._trace.decision.signals.prompt_tokens
        if self.answer is not None:
            return self.answer.usage or estimate(prompt, self.answer.text_chars)
        if self.assembly is not None and (self.assembly.begun or self.assembly.usage or fault is None):
            return self.assembly.billed()
        return estimate(prompt, 0) if fault is _CANCELLED else None

    def _learn(self, model: str, attempt: Attempt, usage: Usage) -> None:
        """What a complete answer tells of its model: how long its answers are, and, of a stream, how fast they come."""
        live, decision = self._runtime.live, self._trace.decision
        if attempt.ttft_ms is not None:
            live.observe(model, attempt.ttft_ms, attempt.total_ms, usage.output_tokens)
        live.measure(model, decision.signals.output_tokens, usage, self.finish_reason, decision.choices)

    def _all_resting(self) -> Fault:
        rest = self._runtime.endpoints.rests_for(self._trace.decision.chain, self._now())
        return Fault("connect", "every endpoint is resting after failures", retry_after_s=max(1.0, rest))


async def _beginning(response: Response) -> bytes:
    """As much of an error's body as tells what it is; servers that echo the request send megabytes."""
    parts = bytearray()

    def take(data: bytes) -> bool:
        parts.extend(data)
        return len(parts) < _ERROR_BYTES

    await response.pump(take)
    return bytes(parts[:_ERROR_BYTES])
