"""A policy orders all candidates; the first is the choice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.routing.policy import choose
from llm_inference_router.types import Candidate, PolicyUsed, Quality


def one(model: str, quality: float, cost: int, total_ms: float = 1_000, utility: float = 0.0) -> Candidate:
    return Candidate(model, Quality(quality, 0.1), cost, 100.0, total_ms, utility)


def above(bar: float) -> PolicyUsed:
    return PolicyUsed("cheapest_above_bar", bar=bar)


CHEAP, MIDDLE, DEAR = one("cheap", 0.70, 0), one("middle", 0.86, 10), one("dear", 0.95, 100)


@pytest.mark.parametrize(
    ("bar", "chain"),
    [
        (0.0, ("cheap", "middle", "dear")),
        (0.70, ("cheap", "middle", "dear")),
        (0.90, ("middle", "dear", "cheap")),
        (0.95, ("dear", "middle", "cheap")),
        (1.0, ("dear", "middle", "cheap")),
    ],
)
def test_the_cheapest_above_the_bar_first_then_by_cost_then_those_below_by_quality(
    bar: float, chain: tuple[str, ...]
) -> None:
    assert choose(above(bar), [DEAR, CHEAP, MIDDLE], 0.5) == chain


def test_of_equal_cost_the_faster_then_the_better_is_first() -> None:
    candidates = [one("slow", 0.9, 5, 900), one("quick", 0.8, 5, 300), one("best", 0.9, 5, 300)]
    assert choose(above(0.5), candidates, 0.5) == ("best", "quick", "slow")


BANDS = PolicyUsed("complexity", bands=(0.3, 0.7), targets=("cheap", "middle", "dear"))


@pytest.mark.parametrize(
    ("complexity", "left", "chain"),
    [
        (0.0, [CHEAP, MIDDLE, DEAR], ("cheap", "middle", "dear")),
        (0.29, [CHEAP, MIDDLE, DEAR], ("cheap", "middle", "dear")),
        (0.30, [CHEAP, MIDDLE, DEAR], ("middle", "dear", "cheap")),
        (0.70, [CHEAP, MIDDLE, DEAR], ("dear", "middle", "cheap")),
        (1.0, [CHEAP, MIDDLE], ("middle", "cheap")),
        (0.1, [MIDDLE, DEAR], ("middle", "dear")),
        (0.5, [CHEAP, DEAR], ("dear", "cheap")),
        (0.1, [one("other", 0.99, 1), one("third", 0.2, 1), DEAR], ("dear", "other", "third")),
    ],
)
def test_the_bands_model_then_the_nearest_stronger_ones(
    complexity: float, left: list[Candidate], chain: tuple[str, ...]
) -> None:
    assert choose(BANDS, left, complexity) == chain


def test_one_model_may_serve_several_bands() -> None:
    policy = PolicyUsed("complexity", bands=(0.3, 0.7), targets=("cheap", "cheap", "dear"))
    assert choose(policy, [DEAR, CHEAP], 0.5) == ("cheap", "dear")


def test_fixed_keeps_the_routes_order_and_utility_sorts_by_utility() -> None:
    candidates = [one("a", 0.5, 3, utility=0.1), one("b", 0.5, 1, utility=0.3), one("c", 0.5, 2, utility=0.2)]
    assert choose(PolicyUsed("fixed"), candidates, 0.5) == ("a", "b", "c")
    assert choose(PolicyUsed("utility", cost_weight=1, latency_weight=1), candidates, 0.5) == ("b", "c", "a")


shares = st.floats(0, 1)
candidate_lists = st.lists(
    st.builds(one, st.sampled_from("abcdefgh"), shares, st.integers(0, 5), st.floats(1, 10), st.floats(-1, 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda found: found.model,
)


@given(candidates=candidate_lists, low=shares, high=shares)
def test_a_higher_bar_never_chooses_something_cheaper_or_worse(
    candidates: list[Candidate], low: float, high: float
) -> None:
    by_name = {found.model: found for found in candidates}
    lower, higher = (by_name[choose(above(bar), candidates, 0.0)[0]] for bar in sorted((low, high)))
    assert higher.cost >= lower.cost
    assert higher.quality.mean >= lower.quality.mean


@given(
    candidates=candidate_lists,
    policy=st.one_of(
        st.builds(above, shares),
        st.just(PolicyUsed("fixed")),
        st.just(PolicyUsed("utility", cost_weight=1.0, latency_weight=1.0)),
        st.just(PolicyUsed("complexity", bands=(0.3, 0.7), targets=("a", "b", "c"))),
    ),
    complexity=shares,
)
def test_a_chain_holds_every_candidate_once(candidates: list[Candidate], policy: PolicyUsed, complexity: float) -> None:
    assert sorted(choose(policy, candidates, complexity)) == sorted(found.model for found in candidates)
