"""A decision for readers: `explain` for machines (the record as JSON), `why` for people (a few sentences)."""

import math
from datetime import UTC, datetime
from typing import Any

from msgspec import structs
from msgspec.structs import asdict

from llm_inference_router.money import to_usd
from llm_inference_router.routing.counterfactuals import counterfactuals
from llm_inference_router.routing.evidence import worse_buy
from llm_inference_router.routing.policy import choose
from llm_inference_router.signals.complexity import BANDS, band_of
from llm_inference_router.types import Candidate, Decision, PolicyUsed, Quantiles, Rejection, Signals

_SHARE, _MS = 4, 1  # decimals: enough to tell candidates apart; the record itself keeps every digit


def explain(decision: Decision) -> dict[str, Any]:
    """The record as JSON values under its public names. `at` is ISO 8601 in UTC: it sorts as time does."""
    return {
        "id": decision.id,
        "request_id": decision.request_id,
        "at": iso(decision.at),
        "route": decision.route,
        "reason": decision.reason,
        "rule": decision.rule,
        "policy": _policy(decision.policy),
        "experiment": decision.experiment,
        "arm": decision.arm,
        "chosen": decision.chosen,
        "chain": list(decision.chain),
        "baseline": decision.baseline,
        "signals": _signals(decision.signals),
        "candidates": [_candidate(one) for one in decision.candidates],
        "rejections": [_rejection(one) for one in decision.rejections],
        "counterfactuals": counterfactuals(decision),
        "propensity": decision.propensity,
        "explored": decision.explored,
        "elapsed_us": decision.elapsed_us,
    }


def iso(at_ms: int) -> str:
    """Unix milliseconds as `2026-01-31T09:30:00.000Z`."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def why(decision: Decision) -> list[str]:
    """Three to five plain sentences: what was asked, what narrowed the choice, why this model, what else."""
    sentences = [_asked(decision.signals)]
    if decision.rule is not None or decision.rejections:
        sentences.append(_narrowed(decision))
    sentences += [_because(decision), _price(decision)]
    changes = counterfactuals(decision)
    if changes:
        sentences.append(f"What would change the choice: {'; '.join(changes)}.")
    elif len(decision.chain) > 1:
        sentences.append(f"If {decision.chosen} fails, {decision.chain[1]} answers.")
    return sentences


def dollars(picodollars: int) -> str:
    """For people: two decimals, and below ten cents two significant digits."""
    usd = to_usd(picodollars)
    if usd == 0 or usd >= 0.1:
        return f"${usd:.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}"


def _asked(signals: Signals) -> str:
    kind = signals.task.label.replace("_", " ")
    tongue = "" if signals.language == "und" else f" in language {signals.language}"
    return (
        f"The request is {signals.complexity.band} (complexity {signals.complexity.value:.2f}): "
        f"{kind}{tongue}, about {signals.prompt_tokens} tokens in and {signals.output_tokens.p50} out."
    )


def _narrowed(decision: Decision) -> str:
    left, out = len(decision.candidates), len(decision.rejections)
    matched = "" if decision.rule is None else f'Rule "{decision.rule}" matched; '
    if not out:
        return f"{matched}all {left} models remained."
    own = f"rule {decision.rule}: "
    reasons = "; ".join(f"{one.model}: {one.detail.removeprefix(own)}" for one in decision.rejections[:3])
    more = f"; and {out - 3} more" if out > 3 else ""
    return f"{matched}{out} of {left + out} models were left out ({reasons}{more})."


def _because(decision: Decision) -> str:
    policy, chosen = decision.policy, _candidate_of(decision, decision.chosen)
    name, quality = chosen.model, chosen.quality.mean
    if policy.kind == "pinned":
        return f"The caller asked for {name} by name."
    if len(decision.candidates) == 1:
        return f"{name} is the only model that remained."
    match policy.kind:
        case "cheapest_above_bar":
            best = max(one.quality.mean for one in decision.candidates)
            reaches = f"expected quality ({quality:.2f}) reaches {policy.bar:.2f} of the best one's ({best:.2f})"
            passed = _passed_over(decision)
            if not passed:
                return f"{name} is the cheapest whose {reaches}."
            aside = "; ".join(f"{one.model} is not chosen first: {worse_buy(one.beaten_by)}" for one in passed)
            return f"Of the models on the hull, {name} is the cheapest whose {reaches} ({aside})."
        case "complexity":
            return _banded(policy, decision)
        case "utility":
            worth = f"quality {quality:.2f} less its cost and its time"
            return f"{name} is worth most ({chosen.utility:.3f}): {worth}."
        case "fixed":
            return f"{name} is the first of the route's list that may and can serve."


def _passed_over(decision: Decision) -> list[Candidate]:
    """Those that would have been chosen before this one, were they not off the hull."""
    by_name = {one.model: one for one in decision.candidates}
    if by_name[decision.chosen].beaten_by:
        return []
    plain = [structs.replace(one, beaten_by=()) for one in decision.candidates]
    order = choose(decision.policy, plain, decision.signals.complexity.value)
    return [by_name[name] for name in order[: order.index(decision.chosen)]]


def _banded(policy: PolicyUsed, decision: Decision) -> str:
    bands, targets = policy.bands or BANDS, policy.targets or ()
    band = band_of(decision.signals.complexity.value, bands)
    meant = dict(zip(("light", "medium", "heavy"), targets, strict=False)).get(band, "")
    if meant == decision.chosen:
        return f"{meant} serves the route's {band} band (edges {bands[0]:.2f} and {bands[1]:.2f})."
    return f"{meant} serves the route's {band} band but was left out, so {decision.chosen} is the nearest to it."


def _price(decision: Decision) -> str:
    chosen = _candidate_of(decision, decision.chosen)
    start = f"its first words are expected after {chosen.ttft_ms / 1000:.1f} s"
    strongest = next((one for one in decision.candidates if one.model == decision.baseline), None)
    if strongest is None or strongest is chosen:
        return f"It should cost about {dollars(chosen.cost)}, and {start}."
    return (
        f"It should cost about {dollars(chosen.cost)} where {strongest.model}, the strongest, would cost "
        f"{dollars(strongest.cost)}; {start}."
    )


def _candidate_of(decision: Decision, model: str) -> Candidate:
    return next(one for one in decision.candidates if one.model == model)


def _policy(policy: PolicyUsed) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(policy).items() if value is not None}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _signals(signals: Signals) -> dict[str, Any]:
    complexity, task = signals.complexity, signals.task
    return {
        "prompt_tokens": signals.prompt_tokens,
        "output_tokens": _quantiles(signals.output_tokens),
        "complexity": {
            "value": round(complexity.value, _SHARE),
            "band": complexity.band,
            "parts": {part: round(value, _SHARE) for part, value in asdict(complexity.parts).items()},
        },
        "task": {
            "label": task.label,
            "probabilities": {label: round(share, _SHARE) for label, share in task.probabilities.items()},
        },
        "format": signals.format,
        "language": signals.language,
        "modalities": list(signals.modalities),
        "needs": sorted(signals.needs),
    }


def _quantiles(tokens: Quantiles) -> dict[str, int]:
    return {"p50": tokens.p50, "p90": tokens.p90}


def _candidate(one: Candidate) -> dict[str, Any]:
    own = {} if one.prompt_tokens is None else {"prompt_tokens": one.prompt_tokens}
    return {
        "model": one.model,
        **own,
        "quality": {
            "mean": round(one.quality.mean, _SHARE),
            "sd": round(one.quality.sd, _SHARE),
            "basis": one.quality.basis,
        },
        "output_tokens": None if one.output_tokens is None else _quantiles(one.output_tokens),
        "reasoning_tokens": _quantiles(one.reasoning_tokens),
        "cost_usd": to_usd(one.cost),
        "ttft_ms": round(one.ttft_ms, _MS),
        "total_ms": round(one.total_ms, _MS),
        "utility": round(one.utility, _SHARE),
        "off_hull": worse_buy(one.beaten_by) if one.beaten_by else None,
    }


def _rejection(one: Rejection) -> dict[str, Any]:
    return {"model": one.model, "reason": one.reason, "detail": one.detail}
