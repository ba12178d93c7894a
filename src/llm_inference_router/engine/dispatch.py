"""Drives the plan of one request against real upstreams: tries, falls back, streams, cancels.

Nothing is sent to the client before there is content, so until then every failure is invisible. From the first content
on, the answer is finished by the model that began it, by another one where the route allows it and the rest joins
what was sent, or it ends with an honest error.
"""

import asyncio

from llm_inference_router.backends.base import Answer, Backend, Rendering
from llm_inference_router.dialects.assemble import Assembly, added, estimate
from llm_inference_router.dialects.continuation import Continuing, Seam, continued, whole
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
_CUTS = frozenset({"reset", "truncated", "malformed", "timeout.idle", "status"})
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
        self._said = ""  # by earlier parts of the answer
        self._spent: Usage | None = None
        self._head = ("", 0)
        self._prefilled = False
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
            if self._may_continue(fault):
                self._keep_part()
                command = plan.cut(fault, command.endpoint, self._now(), self._fits)
            else:
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
            if fault is None and attempt.usage is not None and not self._said:
                self._learn(model.name, attempt, attempt.usage)
        return fault

    async def _ask(self, model: Model, endpoint: Endpoint) -> Fault | None:
        backend = self._runtime.backends[model.name]
        encoded = backend.encode(self._asked(model), model)
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
                # The finish reason came, only what may follow it did not: the answer is complete.
                return whole(self.text, self._request) if self._said else None
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
            spent=self._spent,
        )
        decoder = backend.decoder(rendering)
        if self._said:
            decoder = Continuing(decoder, Seam(self._said, self._prefilled), *self._head)
        fault = await Stream(decoder, assembly, self._sink, deadline, self._begin).run(response)
        return whole(self.text, self._request) if fault is None and self._said else fault

    async def _begin(self) -> None:
        assert self._plan is not None
        self._plan.began()
        if self.begun:
            return  # the rest of an answer: its head is out
        self.begun = True
        self._trace.first_content_at = self._now()
        await self._sink.begin(self._trace)

    @property
    def text(self) -> str:
        """All that the client was given of a stream, where it is kept."""
        return self._said + (self.assembly.text if self.assembly is not None else "")

    def _may_continue(self, fault: Fault) -> bool:
        """Whether the rest may come from another model. Not where it could only be guessed: tool calls that have begun,
        several answers at once, log probabilities, reasoning without a word of the answer."""
        part = self.assembly
        return (
            self._runtime.continues(self._trace.decision.route)
            and self.begun
            and part is not None
            and fault.kind in _CUTS
            and not fault.final
            and bool(self.text)
            and not part.called
            and self._request.choices == 1
            and not self._request.body.get("logprobs")
        )

    def _keep_part(self) -> None:
        part = self.assembly
        assert part is not None
        if not self._said:
            self._head = part.head
        self._said = self.text
        if part.begun or part.usage is not None:
            self._spent = added(self._spent, part.billed())
        self.assembly = None
        self._trace.continued = True

    def _fits(self, model: Model) -> bool:
        signals = self._trace.decision.signals
        left = self._request.max_tokens or signals.output_tokens.p50
        return signals.prompt_tokens + len(self._said) // 3 + min(left, 256) <= model.context

    def _asked(self, model: Model) -> ChatRequest:
        if not self._said:
            return self._request
        self._prefilled = "prefill" in model.capabilities
        return continued(self._request, self._said, self._prefilled)

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
