"""The hull of points of cost and quality, and the areas and costs that are read off it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_inference_router.evaluation.hull import Hull, area, at_cost, hull_of, to_reach
from llm_inference_router.evaluation.metrics import Floats

POINTS = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, (2, n), elements=st.integers(1, 1000).map(lambda v: v / 1000)),
        arrays(np.float64, (2, n), elements=st.integers(0, 1000).map(lambda v: v / 1000)),
    )
)


def one(cost: list[float], quality: list[float]) -> Hull:
    return hull_of(np.array([cost]), np.array([quality]))


@given(POINTS)
def test_no_point_lies_above_the_hull(points: tuple[Floats, Floats]) -> None:
    cost, quality = points
    hull = hull_of(cost, quality)
    for column in range(cost.shape[1]):
        assert (at_cost(hull, cost[:, column]) >= quality[:, column] - 1e-9).all()


@given(POINTS)
def test_it_rises_ever_less(points: tuple[Floats, Floats]) -> None:
    hull = hull_of(*points)
    run, rise = np.diff(hull.cost, axis=1), np.diff(hull.quality, axis=1)
    assert (run >= 0).all()
    assert (rise >= 0).all()
    for row in range(len(run)):
        slopes = rise[row][run[row] > 0] / run[row][run[row] > 0]
        assert (np.diff(slopes) <= 1e-6 * np.abs(slopes[:-1])).all()


@given(POINTS)
def test_it_ends_at_the_best_quality_and_each_corner_is_a_point(points: tuple[Floats, Floats]) -> None:
    cost, quality = points
    hull = hull_of(cost, quality)
    assert np.allclose(hull.quality[:, -1], quality.max(axis=1))
    assert (np.take_along_axis(cost, hull.index, 1) == hull.cost).all()


@given(POINTS)
def test_the_cost_of_a_quality_buys_that_quality(points: tuple[Floats, Floats]) -> None:
    hull = hull_of(*points)
    for share in (0.0, 0.3, 1.0):
        wanted = hull.quality[:, 0] + share * (hull.quality[:, -1] - hull.quality[:, 0])
        assert np.allclose(at_cost(hull, to_reach(hull, wanted)), wanted)


@given(POINTS)
def test_the_area_lies_between_the_worst_and_the_best_corner(points: tuple[Floats, Floats]) -> None:
    hull = hull_of(*points)
    low, high = hull.cost[:, 0], hull.cost[:, -1] + 0.5
    found = area(hull, low, high)
    assert (found >= hull.quality[:, 0] - 1e-9).all()
    assert (found <= hull.quality[:, -1] + 1e-9).all()


def test_worked_by_hand() -> None:
    # (1, 0.2) and (3, 0.8) are corners, (2, 0.4) is below their line, (4, 0.7) is worse and dearer.
    hull = one([2, 1, 4, 3], [0.4, 0.2, 0.7, 0.8])
    assert hull.index.tolist() == [[1, 3]]
    assert at_cost(hull, np.array([2.0])).tolist() == pytest.approx([0.5])
    assert at_cost(hull, np.array([9.0])).tolist() == [0.8]
    assert to_reach(hull, np.array([0.65])).tolist() == pytest.approx([2.5])
    assert to_reach(hull, np.array([0.1])).tolist() == [1.0]
    assert to_reach(hull, np.array([0.9])).tolist() == [np.inf]
    assert area(hull, np.array([1.0]), np.array([3.0])).tolist() == pytest.approx([0.5])
    assert area(hull, np.array([1.0]), np.array([5.0])).tolist() == pytest.approx([0.65])


def test_below_the_cheapest_point_the_rest_is_left_undone() -> None:
    assert at_cost(one([2, 4], [0.6, 0.8]), np.array([1.0])).tolist() == pytest.approx([0.3])


def test_a_free_model_is_a_corner_like_any_other() -> None:
    hull = one([0, 2], [0.5, 0.7])
    assert at_cost(hull, np.array([0.0])).tolist() == [0.5]
    assert at_cost(hull, np.array([1.0])).tolist() == pytest.approx([0.6])


def test_equally_cheap_points_count_by_the_better() -> None:
    assert one([1, 1, 2], [0.5, 0.6, 0.4]).index[0].tolist() == [1]


def test_an_area_over_no_span_is_undefined() -> None:
    assert np.isnan(area(one([1], [0.5]), np.array([1.0]), np.array([1.0]))).all()
