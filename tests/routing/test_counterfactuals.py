"""Every counterfactual is true: make the change, decide again, and that model is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llm_inference_router.config import schema
from llm_inference_router.errors import RouterError
from llm_inference_router.money import from_usd
from llm_inference_router.routing.ask import Ask
from llm_inference_router.routing.counterfactuals import Flip, counterfactuals, flips
from llm_inference_router.routing.decide import Snapshot, decide
from llm_inference_router.routing.policy import choose
from llm_inference_router.types import Complexity, Decision, Price
from tests.routing.build import ask as an_ask
from tests.routing.build import asks, model, models, policies, quality, signals, snapshot

THREE = (
    model("small", location="local"),
    model("medium", "medium", price=Price(150_000, 600_000)),
    model("large", "large", price=Price(10_000_000, 30_000_000)),
)
_SMALL, _MEDIUM, _LARGE = (quality(one, 0.5).mean for one in THREE)
# A bar that medium reaches and small does not, whatever the predictor is.
BETWEEN = round((_SMALL + _MEDIUM) / 2 / _LARGE, 2)


def changed(asked: Ask, known: Snapshot, policy: schema.PolicyConfig, flip: Flip) -> Decision:
    """The same request, decided again after the change that the flip names."""
    listed = tuple(known.catalog.models.values())
    match flip.knob:
        case "bar":
            asked = replace(asked, quality=flip.new)
        case "complexity":
            measured = replace(asked.signals, complexity=_complexity(asked, flip.new))
            asked = replace(asked, signals=measured)
        case "cost_weight" | "latency_weight":
            known = snapshot(listed, policy=replace(policy, **{flip.knob: flip.new}))
    return decide(asked, known)


def _complexity(asked: Ask, value: float) -> Complexity:
    return replace(asked.signals.complexity, value=value)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[Ask, Snapshot, schema.PolicyConfig, Decision]:
    listed = draw(models(minimum=2))
    policy = draw(policies([one.name for one in listed]))
    known = snapshot(listed, policy=policy)
    asked = replace(draw(asks()), max_cost=None)
    try:
        return asked, known, policy, decide(asked, known)
    except RouterError:
        everything = replace(asked.signals, needs=frozenset(), prompt_tokens=1)
        asked = replace(asked, signals=everything, max_tokens=1)
        return asked, known, policy, decide(asked, known)


@given(decisions())
def test_each_change_truly_flips_the_choice(
    found: tuple[Ask, Snapshot, schema.PolicyConfig, Decision],
) -> None:
    asked, known, policy, decision = found
    for flip in flips(decision):
        assert flip.model != decision.chosen
        assert flip.new != flip.old
        if flip.knob == "cost_usd":
            dearer = [
                replace(one, cost=from_usd(flip.new)) if one.model == decision.chosen else one
                for one in decision.candidates
            ]
            assert flip.new > flip.old
            assert choose(decision.policy, dearer, decision.signals.complexity.value)[0] == flip.model
        else:
            assert changed(asked, known, policy, flip).chosen == flip.model


@given(decisions())
def test_at_most_one_change_each_way_and_it_stays_within_its_range(
    found: tuple[Ask, Snapshot, schema.PolicyConfig, Decision],
) -> None:
    named = flips(found[3])
    ways = [(flip.knob, flip.new > flip.old) for flip in named]
    assert len(ways) == len(set(ways))
    for flip in named:
        assert flip.new >= 0
        assert flip.knob not in ("bar", "complexity") or flip.new <= 1


@given(decisions(), st.floats(0, 1))
def test_nothing_nearer_than_the_named_bar_flips(
    found: tuple[Ask, Snapshot, schema.PolicyConfig, Decision], part: float
) -> None:
    asked, known, _, decision = found
    for flip in flips(decision):
        if flip.knob == "bar":
            # A named number is rounded away from the exact one, in its second digit at the most.
            nearer = flip.old + (flip.new - flip.old) * part
            if abs(nearer - flip.new) > 0.0101:
                assert decide(replace(asked, quality=nearer), known).chosen == decision.chosen


def test_a_bar_flips_upwards_to_the_better_and_downwards_to_the_cheaper() -> None:
    decision = decide(an_ask(quality=BETWEEN), snapshot(THREE))
    assert decision.chosen == "medium"
    up, down = (flip for flip in flips(decision) if flip.knob == "bar")
    assert (up.model, down.model) == ("large", "small")
    assert down.new < BETWEEN < up.new
    assert f"bar {BETWEEN:.2f} -> {up.new:.2f}: large" in counterfactuals(decision)


def test_complexity_flips_at_the_bands_edges() -> None:
    policy = schema.ByComplexity(light="small", medium="medium", heavy="large", bands=(0.35, 0.70))
    decision = decide(an_ask(measured=signals(complexity=0.41)), snapshot(THREE, policy=policy))
    assert counterfactuals(decision) == ["complexity 0.41 -> 0.70: large", "complexity 0.41 -> 0.34: small"]


def test_utility_flips_with_its_weights() -> None:
    policy = schema.Utility(cost_weight=0.0, latency_weight=0.0)
    decision = decide(an_ask(measured=signals(complexity=0.6)), snapshot(THREE, policy=policy))
    assert decision.chosen == "large"
    named = {flip.knob for flip in flips(decision)}
    assert named == {"cost_weight", "latency_weight"}


def test_the_cost_of_the_chosen_model_flips_where_the_next_one_begins() -> None:
    decision = decide(an_ask(quality=BETWEEN), snapshot(THREE))
    costs = {one.model: one.cost / 10**12 for one in decision.candidates}
    (flip,) = (flip for flip in flips(decision) if flip.knob == "cost_usd")
    assert flip.old == pytest.approx(costs["medium"])
    assert (flip.of, flip.model) == ("medium", "large")
    assert costs["large"] <= flip.new <= costs["large"] * 1.1


@pytest.mark.parametrize("policy", [schema.Fixed(), schema.CheapestAboveBar(), schema.Utility()])
def test_a_single_candidate_has_nothing_to_flip_to(policy: schema.PolicyConfig) -> None:
    assert counterfactuals(decide(an_ask(), snapshot(THREE[:1], policy=policy))) == []
    assert counterfactuals(decide(an_ask(model="large"), snapshot(THREE, policy=policy))) == []


def test_a_fixed_order_has_no_number_to_turn() -> None:
    assert counterfactuals(decide(an_ask(), snapshot(THREE, policy=schema.Fixed()))) == []


@pytest.mark.parametrize(
    ("flip", "text"),
    [
        (Flip("bar", 0.9, 0.93, "m"), "bar 0.90 -> 0.93: m"),
        (Flip("bar", 0.9, 1.0, "m"), "bar 0.90 -> 1.00: m"),
        (Flip("bar", 0.0, 0.5, "m"), "bar 0 -> 0.50: m"),
        (Flip("bar", 0.8989, 0.9, "m"), "bar 0.899 -> 0.90: m"),
        (Flip("bar", 0.9049, 0.902, "m"), "bar 0.905 -> 0.902: m"),
        (Flip("complexity", 0.801364819, 0.69, "m"), "complexity 0.80 -> 0.69: m"),
        (Flip("cost_weight", 10.0, 2.5, "m"), "cost_weight 10 -> 2.50: m"),
        (Flip("cost_weight", 10.0, 12_345_678_901.0, "m"), "cost_weight 10 -> 12345678901: m"),
        (Flip("cost_usd", 0.0, 0.000001, "m", "n"), "n's cost_usd 0 -> 0.000001: m"),
        (Flip("cost_usd", 0.01456, 0.037, "m", "n"), "n's cost_usd 0.015 -> 0.037: m"),
    ],
)
def test_a_change_is_written_in_as_few_digits_as_keep_it_true(flip: Flip, text: str) -> None:
    assert str(flip) == text
