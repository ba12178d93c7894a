"""Calibration: Brier and ECE by hand, and what perfect predictions look like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.evaluation.bootstrap import resample
from llm_inference_router.evaluation.calibration import BINS, bins_of, calibration

RNG = np.random.default_rng(11)


def test_worked_by_hand() -> None:
    quality = np.array([[0.2], [0.2], [0.9], [0.9]])
    scores = np.array([[0.0], [1.0], [1.0], [1.0]])
    found = calibration(quality, scores, resample(4, 100, 0))
    assert found.brier.value == pytest.approx((0.04 + 0.64 + 0.01 + 0.01) / 4)
    assert found.ece.value == pytest.approx(0.5 * 0.3 + 0.5 * 0.1)
    assert [b.count for b in found.bins] == [2, 2]
    assert [b.predicted for b in found.bins] == pytest.approx([0.2, 0.9])
    assert [b.score for b in found.bins] == [0.5, 1.0]


def test_perfect_predictions_show_no_more_than_the_floor() -> None:
    quality = RNG.random((4000, 3))
    found = calibration(quality, (RNG.random((4000, 3)) < quality).astype(float), resample(4000, 200, 0))
    assert found.ece.value < 2 * found.floor < 0.03
    assert len(found.bins) == BINS
    assert {b.count for b in found.bins} == {800}


def test_a_constant_error_is_found_in_full() -> None:
    quality = 0.3 + 0.4 * RNG.random((2000, 2))
    scores = (RNG.random((2000, 2)) < quality + 0.2).astype(float)
    found = calibration(quality, scores, resample(2000, 200, 0))
    assert found.ece.value == pytest.approx(0.2, abs=0.03)
    assert found.ece.low < 0.2 < found.ece.high + 0.02


@given(st.lists(st.sampled_from([0.1, 0.1, 0.5, 0.7, 0.9]), min_size=1, max_size=60))
def test_equal_predictions_share_a_bin_and_bins_follow_the_order(values: list[float]) -> None:
    array = np.array(values)
    bins = bins_of(array)
    assert sorted(set(bins.tolist())) == list(range(int(bins.max()) + 1))
    for value in set(values):
        assert len(set(bins[array == value].tolist())) == 1
    assert (np.diff(bins[np.argsort(array, kind="stable")]) >= 0).all()
