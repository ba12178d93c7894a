"""Resampling: draws that keep their size, means of them, and intervals that hold the truth."""

import numpy as np
import pytest

from llm_inference_router.evaluation.bootstrap import means, resample, summary


def test_the_first_is_the_sample_and_draws_keep_its_size() -> None:
    counts = resample(17, 50, 3)
    assert counts.shape == (51, 17)
    assert (counts[0] == 1).all()
    assert (counts.sum(axis=1) == 17).all()
    assert len({tuple(row) for row in counts.tolist()}) > 40


def test_the_same_seed_gives_the_same_draws() -> None:
    assert (resample(9, 20, 5) == resample(9, 20, 5)).all()
    assert (resample(9, 20, 5) != resample(9, 20, 6)).any()


def test_means_weigh_each_row_by_its_count() -> None:
    counts = np.array([[1.0, 1.0], [2.0, 0.0]])
    assert means(counts, np.array([[0.0, 4.0], [1.0, 2.0]])).tolist() == [[0.5, 3.0], [0.0, 4.0]]


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    found = summary(means(resample(2000, 1000, 0), values)[:, 0])
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.15)
    assert found.value - found.low == pytest.approx(half, rel=0.15)


def test_draws_that_never_reach_count_and_undefined_ones_do_not() -> None:
    never = summary(np.array([0.5, *[0.4] * 50, *[np.inf] * 50]))
    assert (never.low, never.high) == (0.4, np.inf)
    undefined = summary(np.array([0.5, *[0.4] * 50, *[np.nan] * 50]))
    assert (undefined.low, undefined.high) == (0.4, 0.4)
    assert np.isnan(summary(np.array([np.nan, 0.4])).low)
