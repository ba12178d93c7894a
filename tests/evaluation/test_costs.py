"""What an answer costs: as recorded, or at list price, and what is said about it."""

import numpy as np
import pytest

from llm_inference_router.evaluation.costs import LISTED, Price, at_list_price, costs_of, list_price
from llm_inference_router.evaluation.data import Row
from llm_inference_router.types import Message


def row(prompt: str = "x" * 400, **cost: float | None) -> Row:
    return Row(prompt, (Message("user", prompt),), "", "", {}, cost, {})


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("llama-3.1-8b-instruct", 0.2),
        ("gemma-2-9b-it", 0.2),
        ("codegemma-7b", 0.2),
        ("llama-3.1-nemotron-51b-instruct", 0.9),
        ("llama-3.3-nemotron-super-49b-v1", 0.9),
        ("llama3-chatqa-1.5-70b", 0.9),
        ("meta/Llama-2-70b-chat", 0.9),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 0.6),
    ],
)
def test_names_tell_prices(model: str, usd: float) -> None:
    price = list_price(model)
    assert price is not None
    assert (price.tokens_in, price.tokens_out) == (usd, usd)


@pytest.mark.parametrize("model", ["claude-9", "llama-405b", "mixtral-8x22b", "small", "v1.5b2", "both-7b-and-70b"])
def test_names_that_tell_nothing_have_no_price(model: str) -> None:
    assert list_price(model) is None


def test_every_listed_price_has_a_source() -> None:
    assert all(price.source and price.tokens_in <= price.tokens_out for price in LISTED.values())


def test_a_listed_answer_is_its_prompt_and_256_tokens() -> None:
    assert at_list_price([row()], Price(10.0, 30.0, "test")) == pytest.approx([(100 * 10 + 256 * 30) / 1e6])


def test_recorded_costs_go_before_list_prices() -> None:
    found = costs_of([row(a=1.0, b=None), row(a=3.0, b=None)], ["a", "b"])
    assert found.basis == "recorded"
    assert found.usd[:, 0].tolist() == [1.0, 3.0]
    assert np.isnan(found.usd[:, 1]).all()
    assert "b: no cost in the file" in found.notes[0]


def test_a_few_missing_costs_are_the_mean_and_it_says_so() -> None:
    found = costs_of([row(a=1.0), row(a=3.0), row(a=None)], ["a"])
    assert found.usd[:, 0].tolist() == [1.0, 3.0, 2.0]
    assert found.notes == ("a: 1 rows have no cost and count as the mean of the others.",)


def test_a_file_without_costs_takes_list_prices_and_the_owners() -> None:
    found = costs_of([row(), row()], ["x-7b", "mine", "other"], {"mine": Price(1.0, 1.0, "given")})
    assert found.basis == "list price"
    assert found.usd[0, :2].tolist() == pytest.approx([356 * 0.2e-6, 356e-6])
    assert np.isnan(found.usd[:, 2]).all()
    assert "list price x" in found.notes[0]
    assert "other: no cost in the file and no known list price" in found.notes[1]


def test_without_any_price_there_is_no_money() -> None:
    assert costs_of([row()], ["other"]).basis == "none"
