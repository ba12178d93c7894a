"""Every metric of the router, declared in one place. Names are the contract; `docs/reference/metrics.md` lists them.

Label values come from the configuration; anything else is counted as `other`, so a client cannot make new series.
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

_FAST = (0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_UNIT = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


class Distribution(Histogram):
    """A histogram that observes many values with one increment for each bucket that they fall into."""

    @property
    def labelled(self) -> bool:
        return bool(self._labelnames)

    def observe_all(self, values: Sequence[float]) -> None:
        """The same as `observe` for each of them."""
        bounds = self._upper_bounds
        self._sum.inc(sum(values))
        for bucket, number in Tally([bisect_left(bounds, value) for value in values]).items():
            self._buckets[bucket].inc(number)


class Metrics:
    """The metrics of one router process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._late = 0
        counter = self._maker(Counter)
        gauge = self._maker(Gauge)
        self.requests = counter("requests_total", "Requests answered, by HTTP status.", "route", "model", "status")
        self.decisions = counter("decisions_total", "Decisions made, by reason.", "route", "model", "reason")
        self.tokens = counter("tokens_total", "Tokens: input, cached_input, output, reasoning.", "model", "kind")
        self.cost = counter("cost_usd_total", "Money spent, USD.", "route", "model")
        self.baseline_cost = counter(
            "baseline_cost_usd_total",
            "What the same requests would have cost on the route's strongest model, USD.",
            "route",
        )
        self.attempts = counter("attempts_total", "Upstream tries, by outcome.", "model", "endpoint", "outcome")
        self.retries = counter("retries_total", "Tries of a model after its first.", "model", "cause")
        self.fallbacks = counter("fallbacks_total", "Requests that moved on to another model.", "from", "to", "cause")
        self.breaker_state = gauge("breaker_state", "0 closed, 1 half open, 2 open.", "endpoint")
        self.inflight = gauge("inflight", "Requests running on a model.", "model")
        self.tasks = gauge("tasks", "Tasks of the event loop: a few, and one or two for each running request.")
        self.dropped = counter("records_dropped_total", "Records that neither the journal nor the database would take.")
        self.late = counter(
            "records_late_total", "Records that the database would not take at once: they waited in the journal."
        )
        self.reloads = counter("config_reloads_total", "Configurations read while running: ok, refused.", "result")
        self.closed = counter("connections_closed_total", "Connections closed by a limit of ours.", "cause")
        self.decision_seconds = self._histogram("decision_seconds", "Signals and decision.", _FAST)
        self.overhead_seconds = self._histogram("overhead_seconds", "Time spent in the router, not upstream.", _FAST)
        self.complexity = self._histogram("complexity", "Complexity of requests, 0 to 1.", _UNIT)
        self.request_seconds = self._histogram("request_seconds", "Whole requests.", _SLOW, "route", "model")
        self.ttft_seconds = self._histogram("ttft_seconds", "Time to the first content.", _SLOW, "model")

    def _maker(self, kind: Callable[..., _Metric]) -> Callable[..., _Metric]:
        def make(name: str, text: str, *labels: str) -> _Metric:
            return kind(f"llm_router_{name}", text, labels, registry=self.registry)

        return make

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Distribution:
        return Distribution(f"llm_router_{name}", text, labels, buckets=buckets, registry=self.registry)

    def count_late(self, total: int) -> None:
        """The store counts for itself; `total` is since its start."""
        self.late.inc(total - self._late)
        self._late = total

    def exposition(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)


class Counts(dict[tuple[str, ...], float]):
    """What is to be added to the children of one counter, by their labels: `counts[labels] += 1`. A metric's own
    increment takes a lock, and costs ten times one of these."""

    def __init__(self, metric: Counter) -> None:
        super().__init__()
        self._metric = metric
        self._children: dict[tuple[str, ...], Counter] = {}

    def __missing__(self, labels: tuple[str, ...]) -> float:
        return 0.0

    def tell(self) -> None:
        """Adds it, and begins anew."""
        numbers = self.copy()
        self.clear()
        for labels, number in numbers.items():
            child = self._children.get(labels)
            if child is None:
                child = self._children[labels] = self._metric.labels(*labels)
            child.inc(number)


class Values(dict[tuple[str, ...], list[float]]):
    """What is to be observed by the children of one histogram, by their labels: `values[labels].append(value)`; of a
    histogram without labels `values[()]`."""

    def __init__(self, metric: "Distribution") -> None:
        super().__init__()
        self._metric = metric
        self._children: dict[tuple[str, ...], Distribution] = {} if metric.labelled else {(): metric}

    def __missing__(self, labels: tuple[str, ...]) -> list[float]:
        values = self[labels] = []
        return values

    def tell(self) -> None:
        """Observes it, and begins anew."""
        found = self.copy()
        self.clear()
        for labels, values in found.items():
            child = self._children.get(labels)
            if child is None:
                child = self._children[labels] = self._metric.labels(*labels)
            child.observe_all(values)
