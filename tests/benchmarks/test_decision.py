"""What the bench of decisions measures, and how it holds it against its aims."""

import sys

import pytest

from benchmarks import decision
from benchmarks.decision import Start
from benchmarks.prompts import KINDS


def case(tokens: int, p50_us: float, p99_us: float | None = None) -> decision.Case:
    return decision.Case("prose", tokens, 20, p50_us, 2 * p50_us if p99_us is None else p99_us)


def test_a_decision_is_flat_only_without_a_steep_median() -> None:
    flat = decision.judged([case(1_000, 100.0), case(20_000, 110.0)])
    assert (flat.fast, flat.flat) == (True, True)
    steep = decision.judged([case(10, 10.0), case(1_000, 100.0), case(20_000, 400.0)])
    assert (steep.slowest_p50_us, steep.steepest, steep.fast, steep.flat) == (400.0, 4.0, False, False)


@pytest.mark.parametrize(
    ("tokens", "p50_us", "p99_us", "fast", "steady"),
    [(100, 150.0, 600.0, True, True), (100, 151.0, 600.0, False, True), (5_000, 350.0, 601.0, True, False),
     (5_000, 351.0, 500.0, False, True)],
)  # fmt: skip
def test_short_and_long_prompts_have_their_own_aims(
    tokens: int, p50_us: float, p99_us: float, fast: bool, steady: bool
) -> None:
    found = decision.judged([case(1_000, 300.0, 400.0), case(20_000, 300.0, 400.0), case(tokens, p50_us, p99_us)])
    assert (found.fast, found.steady) == (fast, steady)


def test_decisions_are_measured_for_every_case() -> None:
    found = decision.measure(1)
    assert len(found.cases) == len(KINDS) * len(decision.TOKENS) * len(decision.MODELS)
    assert all(one.p50_us > 0 for one in found.cases)
    shown = decision.render(found)
    assert shown.count(" tokens  ") == len(decision.TOKENS) * len(decision.MODELS)
    assert "99th percentile" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
def test_a_start_is_measured_in_a_fresh_process() -> None:
    found = decision.started(1)
    assert found.import_ms > 0
    assert found.load_ms > 0
    assert found.added_mb > 1


def test_a_start_is_held_against_its_aims() -> None:
    assert decision.render_start(Start(80.0, 40.0, 25.0)).count("met   ") == 2
    assert "missed  predictor" in decision.render_start(Start(80.0, 61.0, 25.0))
    assert "missed  predictor" in decision.render_start(Start(120.0, 31.0, 25.0))
    assert "missed  memory" in decision.render_start(Start(80.0, 40.0, 31.0))
