"""What the demo measured, as one plain value: every number the summary and `--json` show is made here.

`answered` is what the client saw, `rows` is what the router recorded, and `imagine` tells what each model
would have answered to the same prompts: the simulated models are functions of the request, so the references
are exact.
"""

from collections.abc import Mapping, Sequence
from operator import mul
from random import Random
from statistics import fmean, quantiles
from typing import Any

from msgspec import Struct

from llm_inference_router.backends import simulated_answer
from llm_inference_router.demo.drive import Answered
from llm_inference_router.demo.prompts import Prompt, body
from llm_inference_router.money import to_usd
from llm_inference_router.types import Model

_RESAMPLES = 2000
NOTE = "Simulated models: answers, quality, speed and prices are assumptions; routing, HTTP and records are real."


def figures(
    answered: Sequence[Answered],
    rows: Mapping[str, Mapping[str, Any]],
    models: Sequence[Model],
    elapsed_s: float,
) -> dict[str, Any]:
    """All figures. `rows` are the recorded outcomes by decision id; money in USD, times in milliseconds."""
    done = [one for one in answered if one.error is None and one.decision_id in rows]
    failed = [one for one in answered if one.error is not None]
    simple = [one for one in done if one.prompt.simple]
    return {
        "simulated": True,
        "note": NOTE,
        "requests": len(answered),
        "seconds": round(elapsed_s, 1),
        "errors": len(failed),
        "first_errors": sorted({one.error or "" for one in failed})[:5],
        "unrecorded": sum(one.error is None and one.decision_id not in rows for one in answered),
        "unmarked": sum(not one.simulated for one in done),
        "tiers": [_tier(model, done, rows) for model in models],
        "money": _money(done, rows),
        "references": _references(done, rows, models),
        "simple": _simple(simple, rows, models),
        "overhead_ms": _spread([rows[one.decision_id]["overhead_ms"] for one in done]),
    }


def _tier(model: Model, done: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    own = [one for one in done if rows[one.decision_id]["model"] == model.name]
    tokens = sum(_tokens(rows[one.decision_id]) for one in own)
    every = sum(_tokens(rows[one.decision_id]) for one in done)
    return {
        "tier": model.tier,
        "model": model.name,
        "location": model.location,
        "requests": len(own),
        "share": _ratio(len(own), len(done)),
        "tokens": tokens,
        "token_share": _ratio(tokens, every),
        "spend_usd": to_usd(sum(rows[one.decision_id]["cost"] for one in own)),
        "ttft_ms": _spread([one.ttft_ms for one in own if one.ttft_ms is not None]),
    }


def _money(done: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    spent = sum(rows[one.decision_id]["cost"] for one in done)
    baseline = sum(rows[one.decision_id]["baseline_cost"] for one in done)
    return {
        "spend_usd": to_usd(spent),
        "always_strongest_usd": to_usd(baseline),
        "saved_usd": to_usd(baseline - spent),
        "saved_share": _ratio(baseline - spent, baseline),
    }


def _simple(
    simple: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]], models: Sequence[Model]
) -> dict[str, Any]:
    local = {model.name for model in models if model.location == "local"}
    large = {model.name for model in models if model.tier == "large"}
    chosen = [rows[one.decision_id]["model"] for one in simple]
    greetings = [rows[one.decision_id]["model"] for one in simple if one.prompt.category == "greeting"]
    return {
        "requests": len(simple),
        "local_share": _ratio(sum(name in local for name in chosen), len(simple)),
        "large_share": _ratio(sum(name in large for name in chosen), len(simple)),
        "greetings": len(greetings),
        "greetings_on_large": sum(name in large for name in greetings),
        "total_ms": _spread([one.total_ms for one in simple]),
        "under_one_second": _ratio(sum(one.total_ms < 1000.0 for one in simple), len(simple)),
    }


# --- the same prompts, served in other ways -----------------------------------------------------------------


def _references(
    done: Sequence[Answered], rows: Mapping[str, Mapping[str, Any]], models: Sequence[Model]
) -> list[dict[str, Any]]:
    """Spend and share of good answers: routed, the same mix by chance, the best such mix, each alone.

    A mix by chance counts with its expected values.
    """
    if not done:
        return []
    names = [rows[one.decision_id]["model"] for one in done]
    routed = _Served([float(bool(one.good)) for one in done], [float(rows[one.decision_id]["cost"]) for one in done])
    alone = _alone(done, models)
    served = {
        "routed": routed,
        "same mix, shuffled": _mix(alone, [names.count(model.name) / len(names) for model in models]),
        "best mix at this spend": _best_mix(alone, routed.spend),
        **{f"always {model.tier}": one for model, one in zip(models, alone, strict=True)},
    }
    draws = _resamples(len(done))
    return [
        {
            "served": name,
            "spend_usd": round(to_usd(int(one.spend)), 6),
            "good_share": fmean(one.good),
            "good_interval": _interval(one.good, draws),
            "routed_minus_this": fmean(routed.good) - fmean(one.good),
            "difference_interval": _interval([a - b for a, b in zip(routed.good, one.good, strict=True)], draws),
        }
        for name, one in served.items()
    ]


class _Served(Struct, frozen=True):
    """One way to serve the requests: whether each is good (0..1), its cost in picodollars."""

    good: list[float]
    cost: list[float]

    @property
    def spend(self) -> float:
        return sum(self.cost)


def _mix(alone: Sequence[_Served], shares: Sequence[float]) -> _Served:
    """Each request goes to each model with the model's share as probability, whatever it asks."""
    return _Served(
        [sum(map(mul, shares, each)) for each in zip(*(one.good for one in alone), strict=True)],
        [sum(map(mul, shares, each)) for each in zip(*(one.cost for one in alone), strict=True)],
    )


def _best_mix(alone: Sequence[_Served], spend: float) -> _Served:
    """The best mix by chance of two models for at most `spend`: the convex hull of the single ones."""
    mixes = [min(alone, key=lambda one: one.spend)]
    for less in alone:
        for more in alone:
            if less.spend <= spend and less.spend < more.spend:
                share = min(1.0, (spend - less.spend) / (more.spend - less.spend))
                mixes.append(_mix((less, more), (1.0 - share, share)))
    return max(mixes, key=lambda one: (sum(one.good), -one.spend))


def _alone(done: Sequence[Answered], models: Sequence[Model]) -> list[_Served]:
    """What each model would have answered to every request, in the order of `models`."""
    would = {one.prompt.id: [_would(one.prompt, model) for model in models] for one in done}
    answers = [would[one.prompt.id] for one in done]
    return [_Served([each[at][0] for each in answers], [each[at][1] for each in answers]) for at in range(len(models))]


def _would(prompt: Prompt, model: Model) -> tuple[float, float]:
    answer = simulated_answer.imagine(
        body(prompt),
        model=model.upstream_model,
        tier=model.tier,
        context=model.context,
        max_output=model.max_output,
    )
    cost = answer.prompt_tokens * model.price.input + answer.output_tokens * model.price.output
    return float(answer.good), float(cost)


# --- statistics ---------------------------------------------------------------------------------------------


def _resamples(count: int) -> list[list[int]]:
    random = Random(1)
    return [random.choices(range(count), k=count) for _ in range(_RESAMPLES)]


def _interval(values: Sequence[float], draws: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean; prompts are what is drawn anew."""
    means = sorted(sum(map(values.__getitem__, draw)) / len(values) for draw in draws)
    return means[int(0.025 * len(means))], means[int(0.975 * len(means)) - 1]


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """p50 and p95, or None without values."""
    if not values:
        return None
    if len(values) == 1:
        return {"p50": values[0], "p95": values[0]}
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 2), "p95": round(cuts[18], 2)}


def _tokens(row: Mapping[str, Any]) -> int:
    return int(row["input_tokens"] or 0) + int(row["output_tokens"] or 0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
