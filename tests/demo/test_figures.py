"""The demo's figures on runs that were made up, so that each number is known."""

from typing import Any

import pytest

from llm_inference_router.config.load import load
from llm_inference_router.config.models import catalogue
from llm_inference_router.demo import process, prompts
from llm_inference_router.demo.drive import Answered
from llm_inference_router.demo.figures import _best_mix, _mix, _Served, figures

MODELS = catalogue(load(str(process.CONFIG)))
SMALL, MEDIUM, LARGE = (model.name for model in MODELS)


def run(count: int, name: str = SMALL, good: bool = True) -> tuple[list[Answered], dict[str, dict[str, Any]]]:
    chosen = prompts.chosen(count)
    answered = [
        Answered(
            prompt=prompt, stream=True, total_ms=500.0, ttft_ms=50.0, decision_id=str(at), good=good, simulated=True
        )
        for at, prompt in enumerate(chosen)
    ]
    rows = {
        one.decision_id: {
            "model": name,
            "cost": 10**9,
            "baseline_cost": 4 * 10**9,
            "input_tokens": 10,
            "output_tokens": 30,
            "overhead_ms": 1.0,
        }
        for one in answered
    }
    return answered, rows


def test_spend_saving_and_shares_are_sums_of_the_records() -> None:
    answered, rows = run(40)
    rows["0"] |= {"model": LARGE, "cost": 4 * 10**9}
    shown = figures(answered, rows, MODELS, 1.0)
    assert shown["money"] == {
        "spend_usd": pytest.approx(0.043),
        "always_strongest_usd": pytest.approx(0.160),
        "saved_usd": pytest.approx(0.117),
        "saved_share": pytest.approx(117 / 160),
    }
    assert [tier["requests"] for tier in shown["tiers"]] == [39, 0, 1]
    assert [tier["tokens"] for tier in shown["tiers"]] == [1560, 0, 40]
    assert shown["tiers"][1]["ttft_ms"] is None
    assert (shown["simulated"], shown["errors"], shown["unmarked"]) == (True, 0, 0)


def test_failures_and_missing_records_are_counted_and_named() -> None:
    answered, rows = run(10)
    answered[3] = Answered(prompt=answered[3].prompt, stream=False, total_ms=1.0, error="APIError: no")
    del rows["5"]
    shown = figures(answered, rows, MODELS, 1.0)
    assert (shown["errors"], shown["unrecorded"], shown["first_errors"]) == (1, 1, ["APIError: no"])
    assert sum(tier["requests"] for tier in shown["tiers"]) == 8


def test_one_model_for_everything_equals_its_own_shuffle() -> None:
    answered, rows = run(60)
    shown = {one["served"]: one for one in figures(answered, rows, MODELS, 1.0)["references"]}
    assert shown["same mix, shuffled"]["good_share"] == shown["always small"]["good_share"]
    assert shown["always small"]["spend_usd"] == 0
    assert shown["always small"]["good_share"] < shown["always large"]["good_share"]
    for one in shown.values():
        low, high = one["good_interval"]
        assert low <= one["good_share"] <= high


def test_greetings_on_the_large_model_are_counted() -> None:
    answered, rows = run(len(prompts.load()), name=LARGE)
    simple = figures(answered, rows, MODELS, 1.0)["simple"]
    assert simple["greetings_on_large"] == simple["greetings"] == 30
    assert (simple["local_share"], simple["large_share"], simple["under_one_second"]) == (0.0, 1.0, 1.0)


def test_a_run_in_which_everything_failed_still_has_figures() -> None:
    answered = [Answered(prompt=prompts.load()[0], stream=False, total_ms=1.0, error="gone")]
    shown = figures(answered, {}, MODELS, 1.0)
    assert (shown["errors"], shown["references"], shown["money"]["saved_share"]) == (1, [], 0.0)


def test_the_best_mix_lies_on_the_hull_of_the_single_models() -> None:
    cheap = _Served([0.0, 1.0], [0.0, 0.0])
    poor = _Served([0.0, 1.0], [40.0, 40.0])  # dearer and no better: never part of the best mix
    dear = _Served([1.0, 1.0], [50.0, 50.0])
    mixed = _best_mix([cheap, poor, dear], 50.0)
    assert (sum(mixed.good), mixed.spend) == (1.5, 50.0)
    assert _best_mix([cheap, poor, dear], 1000.0) == _mix([dear], [1.0])
