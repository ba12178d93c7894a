"""Tells the metrics and the log what happened. Nothing here can delay or fail an answer."""

from collections.abc import Callable

from llm_inference_router.money import to_usd
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Children, Metrics
from llm_inference_router.types import Attempt, Decision, Record

_OTHER = "other"


class Observer:
    def __init__(self, metrics: Metrics, log: Log, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._metrics = metrics
        self._log = log
        self._requests = Children(metrics.requests)
        self._decisions = Children(metrics.decisions)
        self._tokens = Children(metrics.tokens)
        self._cost = Children(metrics.cost)
        self._baseline = Children(metrics.baseline_cost)
        self._attempts = Children(metrics.attempts)
        self._retries = Children(metrics.retries)
        self._fallbacks = Children(metrics.fallbacks)
        self._request_seconds = Children(metrics.request_seconds)
        self._ttft = Children(metrics.ttft_seconds)

    def decided(self, decision: Decision) -> None:
        self._decisions(decision.route, decision.chosen, decision.reason).inc()
        self._metrics.complexity.observe(decision.signals.complexity.value)
        self._metrics.decision_seconds.observe(decision.elapsed_us / 1e6)

    def tried(self, attempt: Attempt, before: tuple[Attempt, ...]) -> None:
        self._attempts(attempt.model, attempt.endpoint, attempt.outcome).inc()
        if not before:
            return
        cause = before[-1].outcome
        if before[-1].model == attempt.model:
            self._retries(attempt.model, cause).inc()
        else:
            self._fallbacks(before[-1].model, attempt.model, cause).inc()

    def refused(self, status: int) -> None:
        """A request that never reached a decision."""
        self._requests(_OTHER, _OTHER, str(status)).inc()

    def answered(self, record: Record) -> None:
        outcome = record.outcome
        self._requests(outcome.route, outcome.model, str(outcome.status)).inc()
        self._request_seconds(outcome.route, outcome.model).observe(outcome.total_ms / 1000)
        self._metrics.overhead_seconds.observe(outcome.overhead_ms / 1000)
        if outcome.ttft_ms is not None:
            self._ttft(outcome.model).observe(outcome.ttft_ms / 1000)
        if outcome.usage is not None:
            self._spent(record)
        self._log.answer(record.decision, outcome)

    def dropped(self, record: Record) -> None:
        self._metrics.dropped.inc()
        self._log.event("record_dropped", record.outcome.at, id=record.decision.id)

    def crashed(self, error: Exception) -> None:
        """A mistake of ours: its type and place, never its message, which may hold a prompt."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "?"
        self._log.event("internal_error", self._now_ms(), error=type(error).__name__, place=place)

    def _spent(self, record: Record) -> None:
        outcome = record.outcome
        self._baseline(outcome.route).inc(to_usd(outcome.baseline_cost))
        for attempt in record.attempts:
            usage = attempt.usage
            if usage is None:
                continue
            self._cost(outcome.route, attempt.model).inc(to_usd(attempt.cost))
            self._tokens(attempt.model, "input").inc(usage.input_tokens)
            self._tokens(attempt.model, "output").inc(usage.output_tokens)
            if usage.cached_tokens:
                self._tokens(attempt.model, "cached_input").inc(usage.cached_tokens)
            if usage.reasoning_tokens:
                self._tokens(attempt.model, "reasoning").inc(usage.reasoning_tokens)
