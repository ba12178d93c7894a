"""What is told in batches is what would have been told one by one."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from llm_inference_router.telemetry.metrics import Counts, Distribution, Values

BOUNDS = (0.125, 0.25, 1.0)
SEEN = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from((0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 7.0))))


@given(SEEN, SEEN)
def test_a_batch_of_values_is_each_of_them(first: list[tuple[str, float]], second: list[tuple[str, float]]) -> None:
    alone, together = CollectorRegistry(), CollectorRegistry()
    one = Distribution("seconds", "Any.", ["model"], buckets=BOUNDS, registry=alone)
    values = Values(Distribution("seconds", "Any.", ["model"], buckets=BOUNDS, registry=together))
    for batch in (first, second):
        for label, value in batch:
            one.labels(label).observe(value)
            values[label,].append(value)
        values.tell()
    values.tell()  # nothing is told twice
    assert _figures(together) == _figures(alone)


def test_a_histogram_without_labels_is_one_of_its_own() -> None:
    registry = CollectorRegistry()
    values = Values(Distribution("seconds", "Any.", buckets=BOUNDS, registry=registry))
    values[()].extend((0.25, 0.5))
    values.tell()
    assert registry.get_sample_value("seconds_bucket", {"le": "0.25"}) == 1.0
    assert registry.get_sample_value("seconds_count") == 2.0
    assert registry.get_sample_value("seconds_sum") == 0.75


@given(SEEN, SEEN)
def test_a_batch_of_counts_is_their_sum(first: list[tuple[str, float]], second: list[tuple[str, float]]) -> None:
    alone, together = CollectorRegistry(), CollectorRegistry()
    one = Counter("cost", "Any.", ["model"], registry=alone)
    counts = Counts(Counter("cost", "Any.", ["model"], registry=together))
    for batch in (first, second):
        for label, number in batch:
            one.labels(label).inc(number)
            counts[label,] += number
        counts.tell()
    counts.tell()
    assert _figures(together) == _figures(alone)


def _figures(registry: CollectorRegistry) -> list[bytes]:
    return sorted(line for line in generate_latest(registry).splitlines() if b"_created" not in line)
