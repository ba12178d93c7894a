"""What equal quality costs: read off points and the lines between neighbouring settings, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_inference_router.evaluation.bootstrap import resample
from llm_inference_router.evaluation.data import Row
from llm_inference_router.evaluation.hull import at_cost, hull_of, to_reach
from llm_inference_router.evaluation.metrics import Floats
from llm_inference_router.evaluation.money import Plane, measure_money
from llm_inference_router.evaluation.table import Table
from llm_inference_router.types import Message

VALUES = arrays(np.float64, (3, 6), elements=st.integers(1, 100).map(lambda v: v / 100))


def plane(cost: list[float], quality: list[float], joined: list[bool]) -> Plane:
    return Plane(np.array([cost]), np.array([quality]), np.array(joined))


def test_worked_by_hand() -> None:
    # Three settings of one policy, then one of another.
    found = plane([1, 2, 6, 4], [0.2, 0.6, 0.8, 0.75], [True, True, False])
    assert found.least_cost(np.array([0.6])).tolist() == [2.0]
    assert found.least_cost(np.array([0.4])).tolist() == pytest.approx([1.5])
    assert found.least_cost(np.array([0.75])).tolist() == [4.0]  # the line gives 5; to the last point leads none
    assert found.least_cost(np.array([0.9])).tolist() == [np.inf]
    assert found.best_quality(np.array([3.0])).tolist() == pytest.approx([0.65])
    assert found.best_quality(np.array([4.0])).tolist() == [0.75]
    assert np.isnan(found.best_quality(np.array([0.5]))).all()


@given(VALUES, VALUES, st.lists(st.booleans(), min_size=5, max_size=5))
def test_what_is_read_off_lies_on_or_below_the_hull(cost: Floats, quality: Floats, joined: list[bool]) -> None:
    found, hull = Plane(cost, quality, np.array(joined)), hull_of(cost, quality)
    wanted = quality.mean(axis=1)
    least = found.least_cost(wanted)
    assert (least >= to_reach(hull, wanted) - 1e-9).all()
    assert np.isfinite(least).all()
    budget = cost.mean(axis=1)
    assert (found.best_quality(budget) <= at_cost(hull, budget) + 1e-9).all()


@given(VALUES, VALUES)
def test_a_quality_costs_no_more_than_any_point_that_has_it(cost: Floats, quality: Floats) -> None:
    found = Plane(cost, quality, np.ones(5, dtype=bool))
    for column in range(6):
        assert (found.least_cost(quality[:, column]) <= cost[:, column]).all()
        assert (found.best_quality(cost[:, column]) >= quality[:, column]).all()


def test_true_chances_never_cost_more_than_mixes_of_single_models() -> None:
    """Ten models over three decades of price: points lie densely enough to choose among them."""
    rng = np.random.default_rng(0)
    ability, price = np.linspace(-1, 1.5, 10), np.geomspace(1e-5, 1e-2, 10)
    chance = 1 / (1 + np.exp(2 * rng.normal(size=(3000, 1)) - ability))
    cost = np.broadcast_to(price, chance.shape)
    rows = [Row("", (Message("user", "x"),), "", "", {}, {}, {})] * 3000
    models = tuple(f"m{number}" for number in range(10))
    # The chances stand in for the scores: what is left are the gaps between settings.
    table = Table("true", rows, models, chance, cost, rng.random(3000), "recorded", ())
    money = measure_money(table, chance, cost, resample(3000, 100, 0), 0)
    assert money is not None
    between = money.equal_quality[1:-1]  # the best one is best for every row here, and the cheapest cheapest
    assert len(between) == 8
    assert max(equal.router.value for equal in between) < 0.95
    assert {equal.verdict for equal in between} == {"gain"}
    assert money.aiq.router_less_singles.low > 0
    assert money.aiq.chance < 0.02


def test_points_climb_in_small_steps() -> None:
    rng = np.random.default_rng(1)
    quality, price = rng.random((500, 5)), np.broadcast_to(np.geomspace(1e-5, 1e-2, 5), (500, 5))
    rows = [Row("", (Message("user", "x"),), "", "", {}, {}, {})] * 500
    table = Table("t", rows, tuple("abcde"), quality, price, rng.random(500), "recorded", ())
    money = measure_money(table, quality, price, resample(500, 100, 0), 0)
    assert money is not None
    for policy in ("utility", "cheapest_above_bar"):
        cost = np.sort([point.cost.value for point in money.points if point.policy == policy])
        assert len(cost) > 30
        assert (np.diff(np.log(cost)) < 0.5).all()
    for point in money.points:
        assert sum(point.share.values()) == pytest.approx(1.0)
        assert point.quality.low <= point.quality.value <= point.quality.high
