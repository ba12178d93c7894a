"""APGR by its definition, its intervals and its controls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_inference_router.evaluation.metrics import (
    Floats,
    apgr,
    apgr_draws,
    apgr_interval,
    cpt,
    cpt_draws,
    oracle,
    rank_correlation,
    shuffled,
)

RNG = np.random.default_rng(7)
SCORE = arrays(np.float64, 10, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def by_definition(score: Floats, weak: Floats, strong: Floats) -> float:
    """The integral of PGR over the share of calls to the strong model, threshold by threshold, in steps."""
    order = np.argsort(-score, kind="stable")
    n = len(score)
    curve = []
    for k in range(n + 1):
        use = np.zeros(n, dtype=bool)
        use[order[:k]] = True
        quality = np.where(use, strong, weak).mean()
        curve.append((quality - weak.mean()) / (strong.mean() - weak.mean()))
    return float(np.trapezoid(curve, np.linspace(0, 1, n + 1)))


def test_it_is_the_area_under_the_curve_of_recovered_gaps() -> None:
    for _ in range(20):
        score, weak = RNG.random(40), RNG.random(40) * 0.5
        strong = weak + RNG.random(40) * 0.5 - 0.1
        assert apgr(score, weak, strong) == pytest.approx(by_definition(score, weak, strong))


def test_worked_by_hand() -> None:
    # One of two requests gains: found first, the curve is 0, 1, 1; found last 0, 0, 1.
    assert apgr([1, 0], [0, 1], [1, 1]) == pytest.approx(0.75)
    assert apgr([0, 1], [0, 1], [1, 1]) == pytest.approx(0.25)


def test_equal_scores_are_random_mixing() -> None:
    assert apgr([3, 3, 3, 3], [0, 1, 0, 1], [1, 1, 1, 0]) == pytest.approx(0.5)


def test_ties_do_not_depend_on_the_order_of_rows() -> None:
    score = np.array([1, 1, 0, 0, 2, 2.0])
    weak, strong = np.array([0, 1, 0, 1, 0, 1.0]), np.array([1, 1, 0, 1, 1, 1.0])
    turned = np.arange(6)[::-1]
    assert apgr(score, weak, strong) == pytest.approx(apgr(score[turned], weak[turned], strong[turned]))


@given(arrays(np.float64, 12, elements=st.floats(-5, 5, width=16)), st.floats(0.1, 9), st.floats(-3, 3))
def test_only_the_order_of_scores_matters(score: Floats, scale: float, shift: float) -> None:
    weak, strong = np.linspace(0, 0.5, 12), np.linspace(0.9, 0.6, 12)
    moved = np.round(score * scale + shift, 9)
    if len(np.unique(moved)) == len(np.unique(score)):
        assert apgr(moved, weak, strong) == pytest.approx(apgr(score, weak, strong))


@given(arrays(np.float64, 10, elements=st.floats(-5, 5, width=16)))
def test_a_score_and_its_negative_add_up_to_one(score: Floats) -> None:
    weak, strong = np.linspace(0, 0.5, 10), np.linspace(0.9, 0.6, 10)
    assert apgr(score, weak, strong) + apgr(-score, weak, strong) == pytest.approx(1.0)


@given(arrays(np.float64, 9, elements=st.floats(-5, 5, width=16)))
def test_nothing_beats_the_oracle(score: Floats) -> None:
    weak, strong = np.linspace(0, 0.8, 9), np.array([1, 0, 1, 0.5, 1, 1, 0.2, 1, 1])
    assert apgr(score, weak, strong) <= oracle(weak, strong) + 1e-12


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    def width(n: int) -> float:
        weak = RNG.integers(0, 2, n).astype(float)
        strong = np.maximum(weak, RNG.integers(0, 2, n))
        found = apgr_interval(RNG.random(n), weak, strong, draws=300)
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(3000) < width(100)


def test_the_interval_is_the_same_for_the_same_seed() -> None:
    weak, strong = np.zeros(50), RNG.random(50)
    score = RNG.random(50)
    assert apgr_interval(score, weak, strong, seed=3) == apgr_interval(score, weak, strong, seed=3)
    assert apgr_interval(score, weak, strong, seed=3) != apgr_interval(score, weak, strong, seed=4)


def test_bootstrap_weights_are_resampling_with_replacement() -> None:
    weak, strong, score = RNG.random(60) * 0.3, 0.3 + RNG.random(60) * 0.6, RNG.random(60)
    draws = []
    for _ in range(2000):
        rows = RNG.integers(0, 60, 60)
        draws.append(apgr(score[rows], weak[rows], strong[rows]))
    found = apgr_interval(score, weak, strong, draws=2000)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_shuffled_scores_are_random_mixing() -> None:
    gain = np.linspace(0, 1, 400)
    found = shuffled(gain, np.zeros(400), gain)
    assert found.value == pytest.approx(0.5, abs=0.02)
    assert found.low < 0.5 < found.high
    assert apgr(gain, np.zeros(400), gain) > found.high


@pytest.mark.parametrize(
    ("score", "weak", "strong", "message"),
    [
        ([1], [0], [1], "two rows"),
        ([1, 2], [0, 0], [0, 0], "equally good"),
        ([1, 2, 3], [0, 0], [1, 1], "equally long"),
        ([float("nan"), 1], [0, 0], [1, 1], "finite"),
        ([1, 2], [0, float("inf")], [1, 1], "finite"),
    ],
)
def test_what_cannot_be_measured_is_an_error(
    score: list[float], weak: list[float], strong: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        apgr(score, weak, strong)


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 9], [2, 4, 8, 16]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([1, 1, 2, 2], [1, 2, 1, 2]) == pytest.approx(0.0)
    assert np.isnan(rank_correlation([1, 1], [1, 2]))


@given(SCORE, SCORE)
def test_cpt_grows_with_its_target_and_stays_a_share(score: Floats, weak: Floats) -> None:
    strong = np.clip(weak + np.array([1.0, 0.0] * (len(weak) // 2)), 0, 1.5)
    found = [cpt(score, weak, strong, target) for target in (0.1, 0.5, 0.8, 1.0)]
    assert all(0 <= share <= 1 for share in found)
    assert found == sorted(found)


def test_cpt_by_hand() -> None:
    weak, strong = [0, 0, 1, 0], [1, 0, 1, 1]
    assert cpt([4, 3, 2, 1], weak, strong, 0.5) == pytest.approx(0.25)
    assert cpt([4, 3, 2, 1], weak, strong, 0.8) == pytest.approx(0.75 + 0.6 / 4)
    assert cpt([1, 1, 1, 1], weak, strong, 0.5) == pytest.approx(0.5)
    assert np.isnan(cpt([4, 3, 2, 1], strong, weak, 0.5))


def test_draws_are_the_figures_of_repeated_rows() -> None:
    score, weak, strong = np.array([3.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.5])
    counts = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])
    again = np.array([0, 0, 2])
    assert apgr_draws(score, weak, strong, counts).tolist() == pytest.approx(
        [apgr(score, weak, strong), apgr(score[again], weak[again], strong[again])]
    )
    assert cpt_draws(score, weak, strong, 0.5, counts).tolist() == pytest.approx(
        [cpt(score, weak, strong, 0.5), cpt(score[again], weak[again], strong[again], 0.5)]
    )
