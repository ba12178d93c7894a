"""Controls: what knows nothing keeps the mix, what knows all is never beaten."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_inference_router.evaluation.controls import Choices, by_length, oracle, shares
from llm_inference_router.evaluation.hull import at_cost, hull_of
from llm_inference_router.evaluation.metrics import Floats

SCORES = arrays(np.float64, (10, 3), elements=st.sampled_from([0.0, 0.5, 1.0]))
COSTS = arrays(np.float64, (10, 3), elements=st.sampled_from([0.1, 0.2, 0.5, 1.0, 3.0]))
CHOICES = arrays(np.intp, (4, 10), elements=st.integers(0, 2))


@given(CHOICES)
def test_shares_add_up(choices: Choices) -> None:
    found = shares(choices, 3)
    assert np.allclose(found.sum(axis=1), 1.0)
    assert np.allclose(found[:, 1], (choices == 1).mean(axis=1))


@settings(max_examples=30)
@given(CHOICES, SCORES)
def test_dealing_decisions_at_random_keeps_the_cost_of_prices(choices: Choices, scores: Floats) -> None:
    price = np.array([1.0, 2.0, 5.0])
    rng = np.random.default_rng(0)
    for point, mix in zip(choices, shares(choices, 3), strict=True):
        dealt = rng.permuted(np.tile(point, (1000, 1)), axis=1)
        assert np.allclose(price[dealt].mean(axis=1), mix @ price)
        assert abs(scores[np.arange(10), dealt].mean() - mix @ scores.mean(axis=0)) < 0.03


@settings(max_examples=60)
@given(SCORES, COSTS, CHOICES)
def test_no_policy_beats_the_oracle(scores: Floats, cost: Floats, choices: Choices) -> None:
    rows = np.arange(10)
    best = oracle(scores, cost, steps=2000)
    hull = hull_of(cost[rows, best].mean(axis=1)[None], scores[rows, best].mean(axis=1)[None])
    for point in choices:
        reached = at_cost(hull, np.array([cost[rows, point].mean()]))[0]
        assert reached >= scores[rows, point].mean() - 1e-9


def test_length_sends_the_longest_to_the_dearer_model() -> None:
    points = by_length(np.array([3.0, 9.0, 5.0, 1.0]), np.array([2, 0]))
    assert points[0].tolist() == [2, 2, 2, 2]
    assert [2, 0, 0, 2] in points.tolist()
    assert points[-1].tolist() == [0, 0, 0, 0]
