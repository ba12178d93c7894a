"""Lengths are learned: quantiles follow the answers, in order, slowly for one, fully for many."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.length import PRIOR, SPREAD, WINDOW, Lengths, Window, expected
from llm_inference_router.types import Quantiles, Usage

GUESS = Quantiles(100, 240)
RATIOS = st.floats(0.001, 1000)
SHARES = st.floats(0.01, 0.99)


def used(output: int, reasoning: int = 0, source: str = "reported") -> Usage:
    return Usage(10, output, reasoning_tokens=reasoning, source=source)  # type: ignore[arg-type]


def taught(outputs: list[int], reason: str = "stop", reasoning: int = 0) -> Lengths:
    lengths = Lengths()
    for output in outputs:
        lengths.observe(GUESS, used(output, reasoning), reason)
    return lengths


def test_without_answers_the_guess_stands() -> None:
    assert expected(Lengths().figures(), GUESS) == pytest.approx((100, 240, 0, 0))


@given(st.lists(st.tuples(RATIOS, st.booleans()), max_size=200), SHARES, SHARES)
def test_quantiles_are_ordered_and_among_what_was_seen(seen: list[tuple[float, bool]], one: float, two: float) -> None:
    window = Window()
    for ratio, cut in seen:
        window.add(ratio, cut=cut)
    low, high = window.quantile(min(one, two)), window.quantile(max(one, two))
    assert low <= high
    assert {low, high} <= {*PRIOR, *(ratio for ratio, _ in seen)}


@given(st.lists(RATIOS, min_size=1, max_size=150), RATIOS, SHARES)
def test_an_answer_that_was_cut_never_lowers_a_quantile(whole: list[float], cut: float, share: float) -> None:
    window = Window()
    for ratio in whole:
        window.add(ratio)
    before = window.quantile(share)
    window.add(cut, cut=True)
    assert window.quantile(share) >= before


@given(st.lists(st.integers(1, 10_000), max_size=100), st.integers(0, 10_000))
def test_what_is_expected_is_ordered_and_reasoning_is_part_of_it(outputs: list[int], reasoning: int) -> None:
    middle, upper, thought, most = expected(taught(outputs, reasoning=reasoning).figures(), GUESS)
    assert 0 < middle <= upper
    assert 0 <= thought <= middle
    assert thought <= most <= upper


def test_a_steady_model_is_learned() -> None:
    drawn = random.Random(5)
    spread = math.log(SPREAD) / NormalDist().inv_cdf(0.9)
    middle, upper, _, _ = expected(
        taught([round(400 * math.exp(drawn.gauss(0, spread))) for _ in range(2000)]).figures(), GUESS
    )
    assert middle == pytest.approx(400, rel=0.35)
    assert upper == pytest.approx(400 * SPREAD, rel=0.5)


def test_a_change_is_followed_within_a_window() -> None:
    assert taught([100] * 500 + [500] * WINDOW).figures().middle == 5.0


def test_one_absurd_answer_moves_little() -> None:
    steady = [90, 95, 100, 105, 110] * 10
    calm, upset = taught(steady).figures(), taught([*steady, 1_000_000]).figures()
    assert upset.middle == pytest.approx(calm.middle, rel=0.1)


def test_all_answers_cut_raise_what_is_expected() -> None:
    assert taught([1000] * 20, "length").figures().middle > 1.0


def test_a_limited_guess_teaches_nothing() -> None:
    lengths = Lengths()
    lengths.observe(Quantiles(50, 50), used(50), "length")
    assert lengths.figures().answers == 0


def test_reasoning_is_learned_from_reported_usage_alone() -> None:
    reported, estimated = Lengths(), Lengths()
    for _ in range(40):
        reported.observe(GUESS, used(500, 400), "stop")
        estimated.observe(GUESS, used(500, 400, "estimated"), "stop")
    assert expected(reported.figures(), GUESS) == pytest.approx((500, 500, 400, 400))
    assert expected(estimated.figures(), GUESS)[2:] == (0, 0)


def test_several_choices_count_as_so_many_answers_of_one_guess() -> None:
    lengths = Lengths()
    for _ in range(WINDOW):
        lengths.observe(GUESS, used(600), "stop", 3)
    assert lengths.figures().middle == 2.0


def test_a_window_must_hold_what_it_begins_with() -> None:
    with pytest.raises(ValueError, match="cannot begin with 5"):
        Window(4)
