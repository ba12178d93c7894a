"""Predictions a query: what other programs read."""

import json

import numpy as np
import pytest

from llm_inference_router.evaluation.costs import Price
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.forecast import Forecast
from llm_inference_router.evaluation.listing import listing, unseen
from tests.evaluation import tables
from tests.evaluation.lengths import Lengths

ROWS = tables.rows(3)


def test_a_line_says_what_is_predicted_and_chosen() -> None:
    quality = np.array([[0.9, 0.5, 0.8]] * 3)
    price = np.array([[0.01, 0.001, np.nan]] * 3)
    forecast = Forecast(quality, price, np.full(3, 0.25), np.array([True, False, False]))
    first = json.loads(next(listing("file", ROWS, ["dear", "cheap", "unpriced"], forecast, [0.5, 1.0])))
    assert first == {
        "id": "q0",
        "source": "file",
        "complexity": 0.25,
        "models": {
            "dear": {"quality": 0.9, "cost": 0.01, "known": True},
            "cheap": {"quality": 0.5, "cost": 0.001, "known": False},
            "unpriced": {"quality": 0.8, "cost": None, "known": False},
        },
        "chosen": {"0.5": "cheap", "1": "dear"},
    }


def test_prompts_alone_are_priced_by_lists_and_by_the_owner() -> None:
    predictor = Lengths({"small-7b": 0.0}, 4.0, 1.0)
    forecast = unseen(ROWS, ["small-7b", "mine"], predictor, {"mine": Price(1.0, 1.0, "given")})
    tokens = np.mean([len(row.messages[0].text) for row in ROWS]) / 4 + 256
    assert forecast.price[0].tolist() == pytest.approx([tokens * 0.2e-6, tokens * 1e-6])
    assert forecast.known.tolist() == [True, False]
    assert len(list(listing("f", ROWS, ["small-7b", "mine"], forecast))) == 3


def test_models_without_a_price_are_all_named() -> None:
    with pytest.raises(DataError) as caught:
        unseen(ROWS, ["a", "b", "x-7b"], Lengths({}, 0.0, 0.0), {})
    assert [problem[:24] for problem in caught.value.problems] == [
        "a: no known list price; ",
        "b: no known list price; ",
    ]
