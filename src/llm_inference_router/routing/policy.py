"""Policies: the order in which candidates are tried. The first is the choice, the others its fallbacks.

A policy sees nothing but the candidates' estimates and, for `complexity`, one number of the request. So a
choice can be made again from a decision's record alone, which is how counterfactuals are found.
"""

from collections.abc import Sequence

from llm_inference_router.config import schema
from llm_inference_router.signals.complexity import band_of
from llm_inference_router.types import Candidate, PolicyUsed
from llm_inference_router.vocabulary import Band

_BANDS: tuple[Band, ...] = ("light", "medium", "heavy")


def compile_policy(policy: schema.PolicyConfig) -> PolicyUsed:
    """The configured policy as it is recorded."""
    match policy:
        case schema.CheapestAboveBar():
            return PolicyUsed("cheapest_above_bar", bar=policy.bar)
        case schema.ByComplexity():
            targets = (policy.light, policy.medium, policy.heavy)
            return PolicyUsed("complexity", bands=policy.bands, targets=targets)
        case schema.Utility():
            weights = policy.cost_weight, policy.latency_weight
            return PolicyUsed("utility", cost_weight=weights[0], latency_weight=weights[1])
        case schema.Fixed():
            return PolicyUsed("fixed")


def choose(policy: PolicyUsed, candidates: Sequence[Candidate], complexity: float) -> tuple[str, ...]:
    """The chain: every candidate once, in the order of trying. Takes at least one, in the route's order."""
    match policy.kind:
        case "cheapest_above_bar":
            ordered = _cheapest_above_bar(policy.bar or 0.0, candidates)
        case "complexity":
            return _by_complexity(policy, candidates, complexity)
        case "utility":
            ordered = sorted(candidates, key=_most_useful)
        case "fixed" | "pinned":
            ordered = list(candidates)
    return tuple([candidate.model for candidate in ordered])


def _cheapest_above_bar(bar: float, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that reach the bar, by cost (of equals the fastest, then the best); then the rest, best first. The first
    is one that is not beaten by others, if such a one reaches the bar."""
    threshold = bar * max([candidate.quality.mean for candidate in candidates])
    above = [candidate for candidate in candidates if candidate.quality.mean >= threshold]
    above.sort(key=_cheapest)
    if len(above) < len(candidates):
        below = [candidate for candidate in candidates if candidate.quality.mean < threshold]
        below.sort(key=_best)
        above += below
        return _first_unbeaten(above, len(above) - len(below))
    return _first_unbeaten(above, len(above))


def _first_unbeaten(ordered: list[Candidate], reaching: int) -> list[Candidate]:
    """The first that nothing beats goes to the front, the others keep their order. The bar comes before the hull: where
    only beaten ones reach it (the first `reaching`), they stay as they are."""
    if ordered[0].beaten_by:
        for place in range(1, reaching):
            if not ordered[place].beaten_by:
                return [ordered[place], *ordered[:place], *ordered[place + 1 :]]
    return ordered


def _by_complexity(policy: PolicyUsed, candidates: Sequence[Candidate], complexity: float) -> tuple[str, ...]:
    """The band's model, the harder bands', the easier bands', nearest first; then the rest, best first."""
    if policy.bands is None or policy.targets is None:
        raise ValueError("a complexity policy has bands and targets")
    band = _BANDS.index(band_of(complexity, policy.bands))
    ladder = policy.targets[band:] + policy.targets[:band][::-1]
    names = {candidate.model for candidate in candidates}
    chain = dict.fromkeys(name for name in ladder if name in names)
    chain.update(dict.fromkeys(candidate.model for candidate in sorted(candidates, key=_best)))
    return tuple(chain)


def _cheapest(candidate: Candidate) -> tuple[float, ...]:
    return candidate.cost, candidate.total_ms, -candidate.quality.mean


def _best(candidate: Candidate) -> tuple[float, ...]:
    return -candidate.quality.mean, candidate.cost, candidate.total_ms


def _most_useful(candidate: Candidate) -> tuple[float, ...]:
    return -candidate.utility, candidate.cost, candidate.total_ms
