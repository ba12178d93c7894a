"""The hull: who is a bad buy whatever is asked, and what that does to a choice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config import schema
from llm_inference_router.routing.decide import decide
from llm_inference_router.routing.evidence import briefly, said, shown
from llm_inference_router.routing.explain import explain, why
from llm_inference_router.routing.hull import TYPICAL_INPUT, TYPICAL_OUTPUT, Hull, typical_cost
from llm_inference_router.routing.policy import choose
from llm_inference_router.types import Candidate, PolicyUsed, Price, Quality
from tests.routing import build
from tests.routing.build import ask, model, snapshot

POINTS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=7)


def hull(*levels: dict[str, tuple[int, float]]) -> Hull:
    return Hull(
        {name: cost for name, (cost, _) in levels[0].items()},
        [{name: quality for name, (_, quality) in level.items()} for level in levels],
    )


def test_a_model_below_a_mix_of_two_is_off_and_they_are_named() -> None:
    one = hull({"low": (0, 0.2), "dear": (50, 0.3), "best": (100, 0.9)})
    assert one.beaten(("low", "dear", "best")) == {"dear": ("low", "best")}


def test_a_model_above_the_line_is_on() -> None:
    assert hull({"low": (0, 0.2), "good": (10, 0.7), "best": (100, 0.9)}).beaten(("low", "good", "best")) == {}


def test_it_must_be_off_at_every_level() -> None:
    easy = {"low": (0, 0.2), "dear": (50, 0.3), "best": (100, 0.9)}
    hard = {"low": (0, 0.1), "dear": (50, 0.8), "best": (100, 0.9)}
    assert hull(easy, hard).beaten(("low", "dear", "best")) == {}


def test_a_free_model_does_not_make_the_best_vanish() -> None:
    assert "best" not in hull({"free": (0, 0.5), "best": (100, 0.6)}).beaten(("free", "best"))


def test_equals_in_quality_and_price_are_both_on() -> None:
    assert hull({"one": (10, 0.5), "two": (10, 0.5)}).beaten(("one", "two")) == {}


def test_the_hull_is_that_of_the_models_that_are_left() -> None:
    one = hull({"low": (0, 0.2), "dear": (50, 0.3), "best": (100, 0.9)})
    assert one.beaten(("low", "dear")) == {}


@given(POINTS)
def test_never_all_are_off_and_none_that_is_on_is_worse_than_a_mix(points: list[tuple[int, int]]) -> None:
    level = {f"m{number}": (cost, quality / 100) for number, (cost, quality) in enumerate(points)}
    names = tuple(level)
    off = hull(level).beaten(names)
    assert len(off) < len(names)
    for name in set(names) - set(off):
        cost, quality = level[name]
        for other in names:  # no single one is as good and cheaper
            assert not (level[other][0] < cost and level[other][1] >= quality)
    for name, beaten_by in off.items():
        assert name not in beaten_by
        assert any(level[other][0] < level[name][0] for other in beaten_by)


def test_the_typical_cost_is_bounded_by_what_a_model_can_write() -> None:
    price = Price(2_000, 3_000)
    assert typical_cost(model("m", price=price)) == 2_000 * TYPICAL_INPUT + 3_000 * TYPICAL_OUTPUT
    assert typical_cost(model("m", price=price, max_output=10)) == 2_000 * TYPICAL_INPUT + 30_000


# --- in a decision ------------------------------------------------------------------------------------------

LOW = model("low", "small", price=Price(1, 1))
DEAR = model("dear", "medium", price=Price(19_000_000, 19_000_000))
BEST = model("best", "large", price=Price(20_000_000, 20_000_000))


def test_a_beaten_model_is_not_chosen_first_but_stays_a_fallback() -> None:
    hard = ask(measured=build.signals(complexity=0.8))
    decision = decide(hard, snapshot((LOW, DEAR, BEST), policy=schema.CheapestAboveBar(bar=0.8)))
    beaten = {one.model: one.beaten_by for one in decision.candidates if one.beaten_by}
    assert beaten == {"dear": ("low", "best")}
    assert decision.chosen == "best"
    assert "dear" in decision.chain
    assert any("dear is not chosen first: mixes of low and best are" in sentence for sentence in why(decision))
    shown_candidates = {one["model"]: one["off_hull"] for one in explain(decision)["candidates"]}
    assert shown_candidates["dear"] == "mixes of low and best are expected to be as good for less"
    assert shown_candidates["best"] is None


@pytest.mark.parametrize("policy", [schema.Fixed(), schema.Utility()])
def test_other_policies_know_no_hull(policy: schema.PolicyConfig) -> None:
    choice = snapshot((LOW, DEAR, BEST), policy=policy).catalog.choices["auto"]
    assert choice.hull is None
    assert choice.evidence.beaten is None


def test_the_bar_comes_before_the_hull() -> None:
    def candidate(name: str, quality: float, cost: int, beaten: tuple[str, ...] = ()) -> Candidate:
        return Candidate(name, Quality(quality, 0.1), cost, 1.0, 1.0, 0.0, beaten_by=beaten)

    listed = (candidate("only", 0.9, 5, ("a", "b")), candidate("low", 0.1, 1))
    assert choose(PolicyUsed("cheapest_above_bar", bar=0.9), listed, 0.5)[0] == "only"


def test_a_route_says_what_its_qualities_rest_on() -> None:
    evidence = snapshot((LOW, DEAR, BEST)).catalog.choices["auto"].evidence
    assert "dear is off it and not chosen first" in said(evidence)
    assert briefly(evidence).endswith("stays at the hull of single models, not first: dear")
    record = shown(evidence)
    assert record["owner_labels"] == 0
    assert record["off_hull"] == ["dear"]
    assert {one["model"]: one["otherwise"] for one in record["models"]} == dict.fromkeys(
        ("low", "dear", "best"), "tier"
    )
