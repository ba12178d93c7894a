"""Policies: what each setting chooses, by hand and by law."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llm_inference_router.evaluation.metrics import Floats
from llm_inference_router.evaluation.sweep import by_utility, cheapest_above, sweep_of

QUALITY = arrays(np.float64, (8, 4), elements=st.floats(0, 1))
PRICE = arrays(np.float64, 4, elements=st.floats(1e-6, 1e-1)).map(lambda price: np.broadcast_to(price, (8, 4)))


def test_worked_by_hand() -> None:
    quality, price = np.array([[0.5, 0.8, 0.9]]), np.array([[1.0, 2.0, 10.0]])
    assert by_utility(quality, price, 0.0).tolist() == [2]
    assert by_utility(quality, price, 0.1).tolist() == [1]
    assert by_utility(quality, price, 1.0).tolist() == [0]
    assert cheapest_above(quality, price, 1.0).tolist() == [2]
    assert cheapest_above(quality, price, 0.85).tolist() == [1]
    assert cheapest_above(quality, price, 0.0).tolist() == [0]


def test_equal_models_are_chosen_by_price_then_quality() -> None:
    price = np.array([[3.0, 1.0, 2.0]])
    assert by_utility(np.full((1, 3), 0.7), price, 0.0).tolist() == [1]
    assert cheapest_above(np.array([[0.7, 0.8, 0.9]]), np.ones((1, 3)), 0.0).tolist() == [2]


@given(QUALITY, PRICE)
def test_dearer_settings_never_predict_worse_or_cost_less(quality: Floats, price: Floats) -> None:
    sweep = sweep_of(quality, price, steps=8)
    rows = np.arange(8)
    for policy in ("utility", "cheapest_above_bar"):
        picked = [c for c, name in zip(sweep.choices, sweep.policy, strict=True) if name == policy]
        cost = [price[rows, choice].sum() for choice in picked]
        rising = cost if policy == "cheapest_above_bar" else cost[::-1]
        assert all(a <= b + 1e-9 for a, b in pairwise(rising))


@given(QUALITY, PRICE)
def test_the_ends_are_all_to_the_cheapest_and_each_to_its_best(quality: Floats, price: Floats) -> None:
    sweep = sweep_of(quality, price, steps=8)
    rows = np.arange(8)
    taken = np.round(quality, 9)[rows[:, None], sweep.choices.T]
    assert np.isclose(taken, np.round(quality, 9).max(axis=1)[:, None]).all(axis=0).any()
    assert (price[rows[:, None], sweep.choices.T] == price.min()).all(axis=0).any()


def test_noise_of_the_machine_does_not_decide() -> None:
    quality = np.array([[0.7, 0.7]]) + np.array([[0.0, 1e-13]])
    price = np.array([[1.0, 2.0]])
    assert (sweep_of(quality, price).choices == 0).all()
