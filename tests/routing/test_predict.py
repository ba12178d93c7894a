"""Cost is exact, time is a prior that live figures outweigh, utility is one sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.length import Length
from llm_inference_router.routing.ask import Ask, Live
from llm_inference_router.routing.predict import (
    PACE,
    estimate,
    expected_cost,
    expected_output,
    expected_pace,
    expected_tokens,
)
from llm_inference_router.types import Model, Price, Quality
from tests.routing.build import ask, asks, model, models, signals

GOOD = Quality(0.8, 0.1)


@pytest.mark.parametrize(
    ("max_tokens", "max_output", "expected"),
    [(None, None, 200), (50, None, 50), (None, 30, 30), (500, 400, 200)],
)
def test_the_answer_is_no_longer_than_the_caller_or_the_model_allows(
    max_tokens: int | None, max_output: int | None, expected: int
) -> None:
    one = model("m", max_output=max_output)
    assert expected_output(one, ask(measured=signals(output=200), max_tokens=max_tokens)) == expected


def has_been(ratio: float, spread: float = 2.0, reasoning: float = 0.0) -> Live:
    """A model all of whose answers have been `ratio` times as long as guessed."""
    return Live(0.0, 0.0, 0, Length(ratio, ratio * spread, 0.0, reasoning, reasoning * spread, 100))


@pytest.mark.parametrize(
    ("max_tokens", "max_output", "expected", "thought"),
    [(None, None, (800, 1_600), (200, 400)), (1_000, None, (800, 1_000), (200, 400)), (900, 50, (50, 50), (50, 50))],
)
def test_a_models_own_lengths_turn_the_guess_within_the_same_bounds(
    max_tokens: int | None, max_output: int | None, expected: tuple[int, int], thought: tuple[int, int]
) -> None:
    one = model("m", max_output=max_output)
    asked = ask(measured=signals(output=200), max_tokens=max_tokens)
    output, reasoning = expected_tokens(one, asked, has_been(4.0, reasoning=1.0))
    assert (output.p50, output.p90) == expected
    assert (reasoning.p50, reasoning.p90) == thought
    candidate = estimate(one, asked, GOOD, has_been(4.0, reasoning=1.0))
    assert (candidate.output_tokens, candidate.reasoning_tokens) == (output, reasoning)


def test_a_model_that_says_more_costs_more_and_takes_longer() -> None:
    one, asked = model("m", price=Price(input=1, output=10)), ask(measured=signals(output=200, prompt_tokens=100))
    plain, talkative = (estimate(one, asked, GOOD, live) for live in (None, has_been(4.0)))
    assert (plain.cost, talkative.cost) == (100 + 200 * 10, 100 + 800 * 10)
    assert talkative.total_ms > plain.total_ms
    assert talkative.ttft_ms == plain.ttft_ms


def test_cost_is_price_times_tokens_for_every_choice() -> None:
    one = model("m", price=Price(input=150_000, output=600_000))
    asked = ask(measured=signals(prompt_tokens=1_000, output=200), choices=2)
    assert expected_cost(one, asked) == 1_000 * 150_000 + 2 * 200 * 600_000


@pytest.mark.parametrize(("tier", "location"), list(PACE))
def test_time_goes_from_the_prior_to_what_is_measured(tier: str, location: str) -> None:
    one = model("m", tier, location=location)
    prior = expected_pace(one, 100, None)
    assert expected_pace(one, 100, Live(9_000.0, 1.0, 0)) == prior
    ttft, per_token = expected_pace(one, 100, Live(9_000.0, 1.0, 10**9))
    assert ttft == pytest.approx(9_000, rel=1e-6)
    assert per_token == pytest.approx(1_000, rel=1e-3)
    between = expected_pace(one, 100, Live(9_000.0, 1.0, 5))
    assert prior[0] < between[0] < ttft
    assert prior[1] < between[1] < per_token


def test_a_rate_of_nothing_is_no_rate() -> None:
    one = model("m")
    assert expected_pace(one, 100, Live(9_000.0, 0.0, 1_000))[1] == expected_pace(one, 100, None)[1]


def test_utility_weighs_dollars_and_seconds() -> None:
    one = model("m", price=Price(output=10**9))  # 0.2 USD for 200 tokens
    candidate = estimate(one, ask(measured=signals(output=200)), GOOD, cost_weight=2.0, latency_weight=0.1)
    assert candidate.utility == pytest.approx(0.8 - 2.0 * 0.2 - 0.1 * candidate.total_ms / 1000)


@given(
    asked=asks(),
    listed=models(),
    ttft=st.floats(0, 1e6),
    rate=st.floats(0, 1e6),
    samples=st.integers(0, 10**6),
)
def test_estimates_are_finite_and_never_negative(
    asked: Ask, listed: tuple[Model, ...], ttft: float, rate: float, samples: int
) -> None:
    candidate = estimate(listed[0], asked, GOOD, Live(ttft, rate, samples))
    assert isinstance(candidate.cost, int)
    assert candidate.cost >= 0
    assert 0 <= candidate.ttft_ms <= candidate.total_ms < float("inf")
