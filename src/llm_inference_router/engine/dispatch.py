"""Drives the plan of one request against real upstreams: tries, falls back, hedges, streams, cancels.

Nothing is sent to the client before there is content, so until then every failure is invisible. From the first content
on, the answer is finished by the model that began it, by another one where the route allows it and the rest joins
what was sent, or it ends with an honest error.
"""

import asyncio
from functools import partial
from typing import Any

from llm_inference_router.backends.base import Answer
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Writer
from llm_inference_router.dialects.continuation import MISFIT
from llm_inference_router.dialects.warning import joined, warning
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.sink import Sink
from llm_inference_router.engine.trace import LOST, Trace
from llm_inference_router.engine.trial import Part, Trial
from llm_inference_router.resilience.plan import Give, Plan, Try, Wait
from llm_inference_router.types import Attempt, ChatRequest, Fault, Model, Usage

_LATE_S = 0.002  # timers may ring a moment early, and an endpoint that rests until then would still refuse
_CUTS = frozenset({"reset", "truncated", "malformed", "timeout.idle", "status"})
_CANCELLED = Fault("cancelled", "the client left")
_SLOW_CLIENT = 0.1  # of the time for an answer


class Dispatch:
    """One request's way through the models of its chain. After `run`, `answer` or `assembly` holds what came."""

    def __init__(self, runtime: Runtime, request: ChatRequest, trace: Trace, sink: Sink, keep_text: bool) -> None:
        self._runtime = runtime
        self._request = request
        self._trace = trace
        self._sink = sink
        self._keep_text = keep_text
        self._now = runtime.clock.monotonic
        self._plan: Plan = runtime.plan(trace.decision, request.messages)
        self._trial: Trial | None = None  # the one that answers; before that the last
        self._racing: dict[asyncio.Task[Fault | None], Trial] = {}
        self._part: Part | None = None  # of an answer that broke
        self._broke: Fault | None = None  # the first time it did
        self.begun = False

    @property
    def answer(self) -> Answer | None:
        return self._trial.answer if self._trial else None

    @property
    def assembly(self) -> Assembly | None:
        return self._trial.assembly if self._trial else None

    @property
    def writer(self) -> Writer | None:
        """Who writes the stream, once one has begun."""
        return self._trial.writer if self._trial else None

    @property
    def finish_reason(self) -> str | None:
        """The upstream's, of the last try."""
        return self._trial.finish_reason if self._trial else None

    @property
    def text(self) -> str:
        """All that was said to the client; of a stream only where it is kept."""
        return self._trial.text if self._trial else ""

    def body(self) -> dict[str, Any]:
        """The whole answer, in the client's dialect."""
        assert self._trial is not None
        return self._trial.body()

    async def run(self) -> Fault | None:
        """None when the answer is complete; else the fault that ended it, which `begun` tells how to report.

        Raises asyncio.CancelledError and ClientStalled when the client is gone; the attempt is noted all the same.
        """
        plan = self._plan
        hedge = self._runtime.hedge(self._trace.decision.route)
        command = plan.start()
        while not isinstance(command, Give):
            if isinstance(command, Wait):
                await asyncio.sleep(command.seconds + _LATE_S)
                command = plan.waited(self._now())
                continue
            if hedge is None or self._part is not None:
                trial = self._prepare(command)
                fault = await self._try(trial)
            else:
                trial, fault = await self._race(command, hedge)
            self._follow(trial)
            if fault is None:
                return None
            if self._may_continue(trial, fault):
                self._part = trial.so_far()
                self._broke = self._broke or fault
                self._trace.continued = True
                command = plan.cut(fault, trial.tried, self._after(fault), self._fits)
            else:
                command = plan.failed(fault, trial.tried, self._after(fault))
        return self._broke or command.fault or self._all_resting()

    def _after(self, fault: Fault) -> float:
        """When a try ended with it. The timer of the whole may ring a moment early: then it is over all the same."""
        now = self._now()
        return max(now, self._plan.deadline) if fault.kind == "timeout.total" else now

    def _prepare(self, tried: Try) -> Trial:
        # The endpoint counts as busy from the moment of its choice: a breaker lets a single probe through.
        turn = self._runtime.endpoints.began(tried.endpoint)
        trial = Trial(self._runtime, self._request, self._trace.decision, tried, turn, self._part)
        if not self._racing:
            self._follow(trial)
        return trial

    def _follow(self, trial: Trial) -> None:
        """This one speaks for the request."""
        self._trial = trial
        self._trace.model = trial.tried.model
        self._trace.warnings = trial.warnings

    async def _try(self, trial: Trial) -> Fault | None:
        runtime, began = self._runtime, self._now()
        model, endpoint = trial.tried.model, trial.tried.endpoint
        self._trace.trying(began)
        trial.started = True
        fault: Fault | None = _CANCELLED
        remaining = self._plan.deadline - began
        try:
            begin = partial(self._begin, trial)
            fault = await trial.run(self._sink, begin, remaining=remaining, keep_text=self._keep_text)
            if fault is None:
                self._lead(trial)
        finally:
            if trial.lost and (fault is None or fault is _CANCELLED):
                fault = LOST
            ended = self._now()
            blamed = _blamed(fault, model, remaining, trial.client_s)
            runtime.endpoints.ended(endpoint, trial.turn, blamed, ended)
            if fault is not None and fault is not _CANCELLED and fault is not LOST:
                runtime.forget_snapshot()
            attempt = self._trace.tried(
                model,
                endpoint,
                fault,
                trial.usage(fault),
                began=began,
                ended=ended,
                at=runtime.clock.now_ms(),
                skipped=trial.assembly.malformed if trial.assembly else 0,
            )
            if fault is None and attempt.usage is not None and self._part is None:
                self._learn(trial, attempt, attempt.usage)
        return fault

    async def _race(self, first: Try, patience: float) -> tuple[Trial, Fault | None]:
        """`first`, and beside it a second try when that is silent for `patience` seconds. Whichever gives content, or a
        whole answer, wins, and the other is cancelled; one that fails while the other runs is only noted."""
        racing = self._racing
        try:
            self._enter(first)
            done, _ = await asyncio.wait(racing, timeout=patience)
            beside = None if done or self.begun else self._plan.beside(first, self._now())
            if beside is not None:
                self._trace.hedged = True
                self._enter(beside)
            while True:
                done, _ = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    trial = racing.pop(task)
                    if trial.lost:
                        self._return(trial)
                        continue
                    fault = task.result()
                    alone = all(other.lost for other in racing.values())
                    if fault is None or fault.final or self.begun or alone:
                        self._lead(trial)
                        return trial, fault
                    self._plan.dropped(fault, trial.tried)
        finally:
            for task in racing:
                task.cancel()
            if racing:
                await asyncio.wait(racing)
            for trial in racing.values():
                self._return(trial)
            racing.clear()

    def _return(self, trial: Trial) -> None:
        """Its endpoint, where it was cancelled before it began: otherwise `_try` has done so."""
        if not trial.started:
            self._runtime.endpoints.ended(trial.tried.endpoint, trial.turn, LOST, self._now())

    def _enter(self, tried: Try) -> None:
        trial = self._prepare(tried)
        self._racing[asyncio.get_running_loop().create_task(self._try(trial))] = trial

    def _lead(self, trial: Trial) -> None:
        """It has answered, if only that the request is at fault: any other has lost."""
        if trial.lost:
            return
        self._follow(trial)
        for task, other in self._racing.items():
            if other is not trial:
                other.lost = True
                task.cancel()

    async def _begin(self, trial: Trial) -> None:
        self._plan.began()
        self._lead(trial)
        if self.begun:  # the rest of an answer, whose head is out: a comment says what that cannot say any more
            told = joined((warning("continued", trial.tried.model.name), *trial.warnings))
            await self._sink.send(f": x-router-warnings: {told}\n\n".encode())
            return
        self.begun = True
        self._trace.first_content_at = self._now()
        await self._sink.begin(self._trace)

    def _may_continue(self, trial: Trial, fault: Fault) -> bool:
        """Whether the rest may come from another model. Not where it could only be guessed: tool calls that have begun,
        several answers at once, log probabilities, reasoning without a word of the answer."""
        return (
            self._runtime.continues(self._trace.decision.route)
            and self.begun
            and trial.assembly is not None
            and fault.kind in _CUTS
            and not fault.final
            and bool(trial.text)
            and not trial.assembly.called
            and not trial.assembly.overlong
            and trial.assembly.writer.resumable
            and self._request.choices == 1
            and not self._request.body.get("logprobs")
        )

    def _fits(self, model: Model) -> bool:
        assert self._part is not None
        signals = self._trace.decision.signals
        left = self._request.max_tokens or signals.output_tokens.p50
        return signals.prompt_tokens + len(self._part.text) // 3 + min(left, 256) <= model.context

    def _learn(self, trial: Trial, attempt: Attempt, usage: Usage) -> None:
        """What a complete answer tells of its model: how long its answers are, and, of a stream, how fast they come."""
        live, decision, model = self._runtime.live, self._trace.decision, trial.tried.model.name
        if attempt.ttft_ms is not None:
            live.observe(model, attempt.ttft_ms, attempt.total_ms, usage.output_tokens)
        live.measure(model, decision.signals.output_tokens, usage, trial.finish_reason, decision.choices)

    def _all_resting(self) -> Fault:
        """In the words of a decision that finds the same."""
        endpoints, chain = self._runtime.endpoints, self._trace.decision.chain
        rest = max(1.0, endpoints.rests_for(chain, self._now()))
        if endpoints.limited(chain) >= set(chain):
            return Fault("rate_limited", "every model is at its upstream's rate limit", 429, retry_after_s=rest)
        return Fault("connect", "every endpoint is resting after failures", retry_after_s=rest)


def _blamed(fault: Fault | None, model: Model, remaining: float, client_s: float) -> Fault | None:
    """What the endpoint is told: not what another one's beginning, the request's own deadline, or a client that took
    its time with a part of the answer (`client_s`) brought about."""
    if fault is None or fault.code == MISFIT:
        return None
    innocent = remaining < model.timeouts.first_token or client_s > _SLOW_CLIENT * remaining
    return _CANCELLED if innocent and fault.kind == "timeout.total" else fault
