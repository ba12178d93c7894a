"""The record has its public names and plain JSON values; the sentences for people are few and true."""

import json
import re

import pytest
from hypothesis import given

from llm_inference_router.config import schema
from llm_inference_router.errors import RouterError
from llm_inference_router.routing.counterfactuals import counterfactuals
from llm_inference_router.routing.decide import Ask, Snapshot, decide
from llm_inference_router.routing.explain import dollars, explain, iso, why
from llm_inference_router.types import Price
from tests.routing.build import ask, model, signals, situations, snapshot
from tests.routing.build import quality as expected

THREE = (
    model("small", location="local"),
    model("medium", "medium", price=Price(150_000, 600_000)),
    model("large", "large", price=Price(10_000_000, 30_000_000)),
)
FIELDS = {
    *("id", "request_id", "at", "route", "reason", "rule", "policy", "experiment", "arm", "chosen", "chain"),
    *(
        "baseline",
        "signals",
        "candidates",
        "rejections",
        "counterfactuals",
        "propensity",
        "explored",
        "elapsed_us",
    ),
}
BANDS = schema.ByComplexity(light="small", medium="medium", heavy="large")


@given(situations())
def test_the_record_is_json_with_the_public_fields(situation: tuple[Ask, Snapshot]) -> None:
    try:
        decision = decide(*situation)
    except RouterError:
        return
    record = explain(decision)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record) == FIELDS
    assert record["counterfactuals"] == counterfactuals(decision)
    assert [one["model"] for one in record["candidates"]] == [one.model for one in decision.candidates]
    assert 3 <= len(why(decision)) <= 5


def test_the_record_in_full() -> None:
    asked = ask(measured=signals(complexity=0.6, prompt_tokens=10, output=100, needs=frozenset({"tools"})))
    listed = (
        model("one", capabilities=frozenset({"tools"}), price=Price(10_000_000, 20_000_000)),
        model("two"),
    )
    record = explain(decide(asked, snapshot(listed)))
    (candidate,) = record["candidates"]
    quality = candidate.pop("quality")
    prior = expected(listed[0], 0.6)
    assert quality == {"mean": round(prior.mean, 4), "sd": round(prior.sd, 4), "basis": "tier"}
    worth = prior.mean - 10.0 * 0.0021 - 0.01 * 1.1843
    assert candidate.pop("utility") == pytest.approx(worth, abs=1e-4)
    assert candidate == {
        "model": "one",
        "output_tokens": {"p50": 100, "p90": 300},
        "reasoning_tokens": {"p50": 0, "p90": 0},
        "cost_usd": 0.0021,
        "ttft_ms": 351.0,
        "total_ms": 1184.3,
        "off_hull": None,
    }
    assert record["rejections"] == [{"model": "two", "reason": "capability", "detail": "lacks tools"}]
    assert record["policy"] == {"kind": "cheapest_above_bar", "bar": 0.9}
    assert record["at"] == "2026-01-15T12:00:00.000Z"
    assert record["signals"] == {
        "prompt_tokens": 10,
        "output_tokens": {"p50": 100, "p90": 300},
        "complexity": {
            "value": 0.6,
            "band": "medium",
            "parts": {"reasoning": 0.1, "knowledge": 0.2, "constraints": 0.3, "context": 0.4, "output": 0.5},
        },
        "task": {"label": "chat", "probabilities": {"chat": 1.0}},
        "format": "free",
        "language": "en",
        "modalities": ["text"],
        "needs": ["tools"],
    }


def test_times_sort_as_text() -> None:
    times = [0, 999, 1_000, 1_768_478_400_001, 4_000_000_000_000]
    assert sorted(map(iso, times)) == list(map(iso, times))
    assert iso(999) == "1970-01-01T00:00:00.999Z"


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [
        (0, "$0.00"),
        (123_400_000, "$0.00012"),
        (9_990_000_000, "$0.0100"),
        (37_000_000_000, "$0.037"),
        (500_000_000_000, "$0.50"),
        (12_340_000_000_000, "$12.34"),
    ],
)
def test_dollars_keep_two_digits_that_matter(picodollars: int, text: str) -> None:
    assert dollars(picodollars) == text


@pytest.mark.parametrize(
    ("policy", "asked", "words"),
    [
        (
            schema.CheapestAboveBar(),
            ask(quality=0.0),
            "small is the cheapest whose",
        ),
        (BANDS, ask(), "medium serves the route's medium band"),
        (schema.Fixed(), ask(), "small is the first of the route's list"),
        (schema.Utility(), ask(), "is worth most"),
        (schema.Fixed(), ask(model="large"), "The caller asked for large by name."),
    ],
)
def test_the_reason_is_told_for_each_policy(policy: schema.PolicyConfig, asked: Ask, words: str) -> None:
    assert words in " ".join(why(decide(asked, snapshot(THREE, policy=policy))))


def test_a_band_whose_model_is_left_out_is_told_so() -> None:
    resting = frozenset({"medium"})
    told = " ".join(why(decide(ask(), snapshot(THREE, policy=BANDS, resting=resting))))
    assert "medium serves the route's medium band but was left out, so large" in told
    assert "medium: its endpoints rest after failures" in told


def test_the_rule_and_what_it_left_out_are_told() -> None:
    rule = schema.Rule(name="strong", use=schema.Constraint(min_tier="medium"))
    told = " ".join(why(decide(ask(), snapshot(THREE, rules=(rule,)))))
    assert 'Rule "strong" matched; 1 of 3 models were left out (small: tier small is below medium).' in told
    everything = schema.Rule(name="all", use=schema.Constraint())
    told = " ".join(why(decide(ask(), snapshot(THREE, rules=(everything,)))))
    assert 'Rule "all" matched; all 3 models remained.' in told


def test_the_price_is_told_beside_the_strongest_models() -> None:
    told = " ".join(why(decide(ask(measured=signals(complexity=0.05)), snapshot(THREE))))
    assert re.search(r"about \$0\.00 where large, the strongest, would cost \$0\.0070", told)
