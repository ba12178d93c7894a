"""Tells the metrics and the log what happened. Nothing here can delay or fail an answer.

What happens is put aside and told in batches: run together, the same code costs a third of what it costs between two
requests, when the processor's caches are full of something else. `flush` is called a few times a second and before the
metrics are read.
"""

from collections.abc import Callable

from llm_inference_router.money import to_usd
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Counts, Metrics, Values
from llm_inference_router.types import Attempt, Decision, Record

_OTHER = "other"
_BATCH = 64  # half a millisecond of work


class Observer:
    def __init__(self, metrics: Metrics, log: Log, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._log = log
        self._told = _Told(metrics)
        self._decisions: list[Decision] = []
        self._records: list[Record] = []

    def decided(self, decision: Decision) -> None:
        self._decisions.append(decision)

    def answered(self, record: Record) -> None:
        self._records.append(record)
        if len(self._records) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Everything that happened so far is in the metrics and on the log."""
        decisions, self._decisions = self._decisions, []
        records, self._records = self._records, []
        for decision in decisions:
            self._told.decision(decision)
        for record in records:
            self._told.record(record)
            self._log.answer(record.decision, record.outcome)
        self._told.tell()
        self._log.flush()

    def refused(self, status: int) -> None:
        """A request that never reached a decision."""
        self._told.requests[_OTHER, _OTHER, str(status)] += 1

    def dropped(self, record: Record) -> None:
        self._told.metrics.dropped.inc()
        self._log.event("record_dropped", record.outcome.at, id=record.decision.id)

    def crashed(self, error: Exception) -> None:
        """A mistake of ours: its type and place, never its message, which may hold a prompt."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else "?"
        self._log.event("internal_error", self._now_ms(), error=type(error).__name__, place=place)


class _Told:
    """The metrics, and what they have not been told yet."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.requests = Counts(metrics.requests)
        self._decisions = Counts(metrics.decisions)
        self._tokens = Counts(metrics.tokens)
        self._cost = Counts(metrics.cost)
        self._baseline = Counts(metrics.baseline_cost)
        self._attempts = Counts(metrics.attempts)
        self._retries = Counts(metrics.retries)
        self._fallbacks = Counts(metrics.fallbacks)
        self._complexity = Values(metrics.complexity)
        self._decision_seconds = Values(metrics.decision_seconds)
        self._overhead_seconds = Values(metrics.overhead_seconds)
        self._request_seconds = Values(metrics.request_seconds)
        self._ttft = Values(metrics.ttft_seconds)
        self._all: tuple[Counts | Values, ...] = (
            *(self.requests, self._decisions, self._tokens, self._cost, self._baseline, self._attempts, self._retries),
            *(self._fallbacks, self._complexity, self._decision_seconds, self._overhead_seconds),
            *(self._request_seconds, self._ttft),
        )

    def tell(self) -> None:
        for one in self._all:
            one.tell()

    def decision(self, decision: Decision) -> None:
        self._decisions[decision.route, decision.chosen, decision.reason] += 1
        self._complexity[()].append(decision.signals.complexity.value)
        self._decision_seconds[()].append(decision.elapsed_us / 1e6)

    def record(self, record: Record) -> None:
        outcome = record.outcome
        self.requests[outcome.route, outcome.model, str(outcome.status)] += 1
        self._request_seconds[outcome.route, outcome.model].append(outcome.total_ms / 1000)
        self._overhead_seconds[()].append(outcome.overhead_ms / 1000)
        if outcome.ttft_ms is not None:
            self._ttft[outcome.model,].append(outcome.ttft_ms / 1000)
        if outcome.usage is not None:
            self._baseline[outcome.route,] += to_usd(outcome.baseline_cost)
        before: Attempt | None = None
        for attempt in sorted(record.attempts, key=_began) if _hedged(record) else record.attempts:
            self._attempt(attempt, before, outcome.route)
            before = attempt

    def _attempt(self, attempt: Attempt, before: Attempt | None, route: str) -> None:
        self._attempts[attempt.model, attempt.endpoint, attempt.outcome] += 1
        if before is None or attempt.outcome == "hedged":
            pass  # the first; or one that ran beside another and was not needed
        elif before.model == attempt.model:
            self._retries[attempt.model, before.outcome] += 1
        else:
            self._fallbacks[before.model, attempt.model, before.outcome] += 1
        usage = attempt.usage
        if usage is None:
            return
        self._cost[route, attempt.model] += to_usd(attempt.cost)
        if usage.input_tokens:
            self._tokens[attempt.model, "input"] += usage.input_tokens
        if usage.output_tokens:
            self._tokens[attempt.model, "output"] += usage.output_tokens
        if usage.cached_tokens:
            self._tokens[attempt.model, "cached_input"] += usage.cached_tokens
        if usage.reasoning_tokens:
            self._tokens[attempt.model, "reasoning"] += usage.reasoning_tokens


def _hedged(record: Record) -> bool:
    return len(record.attempts) > 1 and any(attempt.outcome == "hedged" for attempt in record.attempts)


def _began(attempt: Attempt) -> float:
    return attempt.at - attempt.total_ms
