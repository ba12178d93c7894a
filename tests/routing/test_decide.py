"""The decision, and its laws over any configuration, request and state of the models."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llm_inference_router.config import schema
from llm_inference_router.errors import NotFound, RouterError, Unservable, Unsupported, UpstreamUnavailable
from llm_inference_router.routing.decide import Ask, Live, Snapshot, ask_for, decide
from llm_inference_router.signals.base import extract, view
from llm_inference_router.types import Caller, ChatRequest, Decision, Message, Model, Price
from tests.routing.build import ask, constraints, model, signals, situations, snapshot

SMALL = model("small", location="local")
MEDIUM = model("medium", "medium", price=Price(150_000, 600_000))
LARGE = model("large", "large", price=Price(10_000_000, 30_000_000), capabilities=frozenset({"vision"}))
THREE = (SMALL, MEDIUM, LARGE)


def rule(name: str, when: schema.When | None = None, **use: object) -> schema.Rule:
    return schema.Rule(name=name, when=when or schema.When(), use=schema.Constraint(**use))  # type: ignore[arg-type]


def outcome(asked: Ask, known: Snapshot) -> Decision | RouterError:
    try:
        return decide(asked, known)
    except RouterError as error:
        return error


# --- what a decision says -----------------------------------------------------------------------------------


def test_an_easy_request_goes_to_the_cheapest_and_a_hard_one_to_a_better_model() -> None:
    known = snapshot(THREE)
    assert decide(ask(measured=signals(complexity=0.05)), known).chosen == "small"
    assert decide(ask(measured=signals(complexity=0.95)), known).chosen == "large"


def test_the_record_says_who_asked_what_and_why() -> None:
    caller = Caller(key="k", user="u", session="s", tags={"team": "t"})
    asked = ask("hello", caller=caller)
    found = decide(asked, snapshot(THREE, policy=schema.Fixed()))
    assert (found.id, found.request_id, found.at) == (asked.id, asked.request_id, asked.at)
    assert (found.key, found.user, found.session, found.tags) == ("k", "u", "s", {"team": "t"})
    assert (found.route, found.reason, found.rule) == ("auto", "policy:fixed", None)
    assert found.chain == ("small", "medium", "large")
    assert found.baseline == "large"
    assert (found.propensity, found.explored, found.experiment, found.arm) == (1.0, False, None, None)


def test_a_rule_that_matches_narrows_and_is_the_reason() -> None:
    found = decide(ask(), snapshot(THREE, rules=(rule("strong", min_tier="medium"),)))
    assert (found.reason, found.rule) == ("rule:strong", "strong")
    assert [(one.model, one.reason) for one in found.rejections] == [("small", "rule")]
    assert set(found.chain) == {"medium", "large"}


def test_the_bar_is_the_callers_then_the_rules_then_the_policys() -> None:
    policy = schema.CheapestAboveBar(bar=0.5)
    plain, ruled = snapshot(THREE, policy=policy), snapshot(THREE, policy=policy, rules=(rule("r", bar=0.7),))
    assert decide(ask(), plain).policy.bar == 0.5
    assert decide(ask(), ruled).policy.bar == 0.7
    assert decide(ask(quality=0.0), ruled).policy.bar == 0.0
    assert decide(ask(quality=1.0), ruled).policy.bar == 1.0


def test_a_bar_says_nothing_to_a_policy_without_one() -> None:
    found = decide(ask(quality=1.0), snapshot(THREE, policy=schema.Fixed()))
    assert found.policy.bar is None
    assert found.chosen == "small"


def test_live_figures_reach_the_estimates() -> None:
    live = {"small": Live(5_000.0, 1.0, 10_000)}
    first, *_ = decide(ask(), snapshot(THREE, live=live)).candidates
    assert first.ttft_ms == pytest.approx(5_000, rel=0.01)


def test_a_pinned_model_has_no_rules_no_window_and_no_fallbacks() -> None:
    known = snapshot(THREE, rules=(rule("never", models=()),))
    found = decide(ask(model="small", measured=signals(prompt_tokens=500_000)), known)
    assert (found.route, found.reason, found.rule) == ("small", "pinned", None)
    assert found.policy.kind == "pinned"
    assert (found.chain, found.baseline) == (("small",), "small")


# --- what cannot be decided ---------------------------------------------------------------------------------


def test_an_unknown_name_and_a_forbidden_one_get_the_same_answer() -> None:
    routes = {"auto": schema.Route(models=("small",)), "best": schema.Route(models=("large",))}
    known = snapshot(THREE, routes=routes)
    caller = Caller(key="k", routes=("auto",))
    said = []
    for name in ("best", "large", "nobody"):
        with pytest.raises(NotFound) as error:
            decide(ask(model=name, caller=caller), known)
        assert (error.value.code, error.value.param) == ("model_not_found", "model")
        said.append(error.value.message.replace(name, "NAME"))
    assert len(set(said)) == 1
    assert "auto" in said[0]
    assert "best" not in said[0]
    assert decide(ask(caller=caller), known).chosen == "small"


def test_a_key_without_any_route_is_told_so() -> None:
    with pytest.raises(NotFound, match="no route"):
        decide(ask(caller=Caller(routes=())), snapshot(THREE))


def test_a_long_name_is_not_echoed_whole() -> None:
    with pytest.raises(NotFound) as error:
        decide(ask(model="x" * 5_000), snapshot(THREE))
    assert len(error.value.message) < 300


def test_a_request_that_no_model_can_serve_is_told_why_model_by_model() -> None:
    asked = ask(measured=signals(needs=frozenset({"audio"})), max_cost=0)
    with pytest.raises(Unsupported) as error:
        decide(asked, snapshot(THREE))
    assert error.value.http_status == 400
    assert error.value.code == "unsupported_by_models"
    assert error.value.message == (
        'No model of route "auto" can serve this request: small lacks audio; medium lacks audio; large lacks audio.'
    )


def test_a_request_that_one_model_could_serve_and_may_not_is_unservable() -> None:
    asked = ask(measured=signals(needs=frozenset({"vision"})), max_cost=0)
    with pytest.raises(Unservable) as error:
        decide(asked, snapshot(THREE))
    assert error.value.http_status == 422
    assert error.value.code == "no_candidate"
    assert "small: capability (lacks vision)" in error.value.message
    assert "large: cost (expected" in error.value.message


def test_a_long_answer_goes_where_it_fits_and_elsewhere_only_if_it_fits_nowhere() -> None:
    listed = (model("a", max_output=100), model("b", max_output=4_096))
    long = signals(output=9_000)
    assert decide(ask(measured=long, max_tokens=4_096), snapshot(listed)).chain == ("b",)
    assert set(decide(ask(measured=long, max_tokens=5_000), snapshot(listed)).chain) == {"a", "b"}
    assert decide(ask(model="a", measured=long, max_tokens=5_000), snapshot(listed)).chain == ("a",)


def test_a_limit_beyond_every_window_is_no_estimate_and_nobody_tries() -> None:
    listed = (model("phi", context=4_096), model("gpt", context=8_192))
    asked = ask(measured=signals(prompt_tokens=100), max_tokens=9_000)
    with pytest.raises(Unsupported, match="gpt has a context of 8192 tokens, about 9110 are needed"):
        decide(asked, snapshot(listed))
    by_estimate = ask(measured=signals(prompt_tokens=50_000), max_tokens=100)
    assert decide(by_estimate, snapshot(listed)).chain == ("gpt",)


def test_a_need_and_a_window_together_are_told_apart() -> None:
    listed = (model("phi"), model("gpt", context=8_192, capabilities=frozenset({"vision"})))
    asked = ask(measured=signals(prompt_tokens=2_000, needs=frozenset({"vision"})), max_tokens=9_000)
    with pytest.raises(Unsupported) as error:
        decide(asked, snapshot(listed))
    assert error.value.message == (
        'No model of route "auto" can serve this request: phi lacks vision; '
        "gpt has a context of 8192 tokens, about 11200 are needed."
    )


# --- embeddings -----------------------------------------------------------------------------------------------


def embedder(name: str, upstream: str, **fields: Any) -> Model:
    return model(name, upstream_model=upstream, capabilities=frozenset({"embeddings"}), **fields)


EMBED = ask(measured=signals(output=0, needs=frozenset({"embeddings"})), dialect="embeddings")
MIXED = (
    SMALL,
    embedder("first", "e5", price=Price(20_000)),
    embedder("other", "bge"),
    embedder("twin", "e5", price=Price(10_000)),
)


def test_embeddings_come_from_the_first_model_and_from_those_with_its_vectors() -> None:
    found = decide(EMBED, snapshot(MIXED))
    assert found.chain == ("first", "twin"), "in the route's order, whatever they cost"
    assert {one.model: one.detail for one in found.rejections} == {
        "small": "lacks embeddings",
        "other": "its vectors do not mix with those of first",
    }
    assert (found.reason, found.policy.kind, found.baseline) == ("policy:fixed", "fixed", "first")
    assert [one.cost for one in found.candidates] == [100 * 20_000, 100 * 10_000], "tokens in, and none out"


def test_while_the_first_rests_a_twin_answers_and_never_a_stranger() -> None:
    assert decide(EMBED, snapshot(MIXED, resting=frozenset({"first"}))).chain == ("twin",)
    with pytest.raises(UpstreamUnavailable):
        decide(EMBED, snapshot(MIXED, resting=frozenset({"first", "twin"})))


def test_a_cost_cap_does_not_change_the_vectors() -> None:
    with pytest.raises(Unservable):
        decide(replace(EMBED, max_cost=0), snapshot(MIXED))


def test_a_rule_may_choose_the_vectors() -> None:
    assert decide(EMBED, snapshot(MIXED, rules=(rule("r", models=("other",)),))).chain == ("other",)


def test_a_route_without_embeddings_says_so() -> None:
    with pytest.raises(Unsupported, match="small lacks embeddings; medium lacks embeddings"):
        decide(EMBED, snapshot(THREE))
    with pytest.raises(Unsupported, match='The model "first" cannot serve this request: it serves embeddings'):
        decide(ask(model="first"), snapshot(MIXED))


@pytest.mark.parametrize("policy", [schema.CheapestAboveBar(), schema.Utility(), schema.Fixed()])
def test_models_that_embed_are_no_candidates_for_chat_and_no_measure_of_it(policy: schema.PolicyConfig) -> None:
    dear = embedder("dear", "x", tier="large", price=Price(10**9, 10**9))
    plain = decide(ask(), snapshot(THREE, policy=policy))
    beside = decide(ask(), snapshot((dear, *THREE, embedder("free", "y")), policy=policy))
    assert beside.chain == plain.chain
    assert beside.candidates == plain.candidates
    assert beside.baseline == plain.baseline
    assert {one.detail for one in beside.rejections} == {"serves embeddings alone"}
    assert decide(EMBED, snapshot((dear,), policy=policy)).chain == ("dear",)


# --- waiting --------------------------------------------------------------------------------------------------


def test_when_rest_is_all_that_is_in_the_way_the_caller_is_told_to_wait() -> None:
    asked = ask(measured=signals(needs=frozenset({"vision"})))
    with pytest.raises(UpstreamUnavailable) as error:
        decide(asked, snapshot(THREE, resting=frozenset({"large"})))
    assert error.value.http_status == 503
    assert error.value.retry_after_s == 10.0
    with pytest.raises(Unsupported):
        decide(asked, snapshot((SMALL, MEDIUM), resting=frozenset({"small", "medium"})))


def test_a_pinned_model_at_rest_is_unavailable() -> None:
    with pytest.raises(UpstreamUnavailable):
        decide(ask(model="small"), snapshot(THREE, resting=frozenset({"small"})))


# --- laws ---------------------------------------------------------------------------------------------------


@given(situations())
def test_every_model_of_the_route_is_a_candidate_or_rejected_once(situation: tuple[Ask, Snapshot]) -> None:
    asked, known = situation
    found = outcome(asked, known)
    models = [one.name for one in known.catalog.routes["auto"].models]
    if isinstance(found, Decision):
        kept = [one.model for one in found.candidates]
        rejected = [one.model for one in found.rejections]
        assert sorted(kept + rejected) == sorted(models)
        assert [name for name in models if name in kept] == kept
        assert sorted(found.chain) == sorted(kept)
        assert found.chosen == found.chain[0]
        assert found.chosen not in rejected
    else:
        assert isinstance(found, Unservable | Unsupported | UpstreamUnavailable)
        between = " " if isinstance(found, Unsupported) else ": "
        assert all(f"{name}{between}" in found.message for name in models)


@given(situations())
def test_the_same_ask_and_snapshot_give_the_same_decision(situation: tuple[Ask, Snapshot]) -> None:
    first, second = outcome(*situation), outcome(*situation)
    assert first == second or (str(first) == str(second) and type(first) is type(second))


def test_a_rule_that_forbids_the_widest_model_lets_no_narrower_one_try_what_fits_nowhere() -> None:
    listed = (model("wide", location="cloud", context=8192), model("narrow", location="local", context=1000))
    asked = ask(measured=signals(prompt_tokens=7440, output=9))
    assert decide(asked, snapshot(listed)).chain == ("wide",)
    rule = schema.Rule(name="local", use=schema.Constraint(location="local"))
    with pytest.raises(Unservable, match="its window of 1000 is not the widest"):
        decide(asked, snapshot(listed, rules=(rule,)))


@given(situation=situations(), more=constraints())
def test_a_rule_never_adds_a_candidate(situation: tuple[Ask, Snapshot], more: schema.Constraint) -> None:
    asked, known = situation
    listed = tuple(known.catalog.models.values())
    plain = outcome(asked, snapshot(listed, resting=known.resting))
    ruled = outcome(asked, snapshot(listed, resting=known.resting, rules=(schema.Rule(name="r", use=more),)))
    if isinstance(ruled, Decision):
        assert isinstance(plain, Decision)
        assert {one.model for one in ruled.candidates} <= {one.model for one in plain.candidates}


@given(situation=situations(), bars=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_higher_bar_never_makes_the_choice_cheaper_or_worse(
    situation: tuple[Ask, Snapshot], bars: tuple[float, float]
) -> None:
    asked, known = situation
    known = snapshot(tuple(known.catalog.models.values()), live=known.live)
    found = [outcome(replace(asked, quality=bar), known) for bar in sorted(bars)]
    chosen = [
        next(one for one in each.candidates if one.model == each.chosen) for each in found if isinstance(each, Decision)
    ]
    if chosen:
        low, high = chosen
        assert high.cost >= low.cost
        assert high.quality.mean >= low.quality.mean


@given(situations())
def test_a_model_at_rest_is_never_chosen_and_costs_stay_under_the_cap(
    situation: tuple[Ask, Snapshot],
) -> None:
    asked, known = situation
    found = outcome(asked, known)
    if isinstance(found, Decision):
        assert known.resting.isdisjoint(found.chain)
        for one in found.candidates:
            assert asked.max_cost is None or one.cost <= asked.max_cost
            assert asked.signals.needs <= known.catalog.models[one.model].capabilities


# --- from a request -----------------------------------------------------------------------------------------


def test_ask_for_carries_the_request_over() -> None:
    messages = (Message("system", "be brief"), Message("user", "What is 2 + 2?"))
    request = ChatRequest("auto", messages, {}, max_tokens=7, choices=2)
    seen = view(request)
    measured = extract(request, seen)
    asked = ask_for(request, seen, measured, Caller(), id="i", request_id="r", at=5, quality=0.4, max_cost=9)
    assert asked.ask == "What is 2 + 2?"
    assert asked.messages == messages
    assert (asked.model, asked.max_tokens, asked.choices) == ("auto", 7, 2)
    assert (asked.id, asked.request_id, asked.at, asked.quality, asked.max_cost) == ("i", "r", 5, 0.4, 9)
    assert decide(asked, snapshot(THREE)).signals == measured
