"""The nearest changes that flip a choice, found from the decision's record alone by choosing again.

Every knob has edges: values at which two candidates change places. From the recorded value they are walked
upwards and downwards to the first beyond which another model is chosen, and the shortest number just beyond
that edge is named. It is named only after the policy, asked again with it, has chosen that model.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from llm_inference_router.money import PICODOLLARS_PER_USD, from_usd
from llm_inference_router.routing.policy import choose
from llm_inference_router.routing.predict import utility
from llm_inference_router.types import Candidate, Decision, PolicyUsed

Knob: TypeAlias = Literal["bar", "complexity", "cost_weight", "latency_weight", "cost_usd"]
Choose: TypeAlias = Callable[[float], str]

_SMALLEST = -5  # beside zero, where digits have no beginning: six decimals
_FINEST = 9  # significant digits tried before an edge is given up as too close to another one


class Flip(Struct, frozen=True):
    """With `knob` at `new`, `model` would have been chosen. The knob is `of` a model where it is its own."""

    knob: Knob
    old: float
    new: float
    model: str
    of: str = ""

    def __str__(self) -> str:
        """Both numbers in as few digits as keep them apart; `new` keeps all of its own."""
        rises = self.new > self.old
        old = next(
            (few for digits in range(2, 16) if _before(few := _round(self.old, digits), self.new, rises)),
            self.old,
        )
        whose = f"{self.of}'s " if self.of else ""
        return f"{whose}{self.knob} {_text(old)} -> {_text(self.new)}: {self.model}"


def counterfactuals(decision: Decision) -> list[str]:
    """The flips in words, such as "bar 0.90 -> 0.93: gpt-4o"."""
    return [str(flip) for flip in flips(decision)]


def flips(decision: Decision) -> list[Flip]:
    """The nearest flip in each direction of each knob; none where no value of it would change the choice."""
    if len(decision.candidates) < 2:
        return []
    match decision.policy.kind:
        case "cheapest_above_bar":
            return [*_bar(decision), *_cost(decision)]
        case "complexity":
            return list(_complexity(decision))
        case "utility":
            return [*_weight(decision, "cost_weight"), *_weight(decision, "latency_weight")]
        case "fixed" | "pinned":
            return []  # no number has a part in the choice


def _bar(decision: Decision) -> Iterator[Flip]:
    best = max(candidate.quality.mean for candidate in decision.candidates)
    edges = [candidate.quality.mean / best for candidate in decision.candidates]

    def chosen(bar: float) -> str:
        return choose(PolicyUsed("cheapest_above_bar", bar=bar), decision.candidates, 0.0)[0]

    return _nearest("bar", decision.policy.bar or 0.0, edges, chosen, highest=1.0)


def _complexity(decision: Decision) -> Iterator[Flip]:
    def chosen(complexity: float) -> str:
        return choose(decision.policy, decision.candidates, complexity)[0]

    edges = decision.policy.bands or ()
    return _nearest("complexity", decision.signals.complexity.value, edges, chosen, highest=1.0)


def _weight(decision: Decision, knob: Literal["cost_weight", "latency_weight"]) -> Iterator[Flip]:
    """Utility falls in a straight line with a weight, so two candidates change places at one value of it."""
    policy = decision.policy
    old: float = getattr(policy, knob)
    fall = {one.model: _usd(one) if knob == "cost_weight" else one.total_ms / 1000 for one in decision.candidates}
    first = next(one for one in decision.candidates if one.model == decision.chosen)
    edges = [
        old + (one.utility - first.utility) / (fall[one.model] - fall[first.model])
        for one in decision.candidates
        if fall[one.model] != fall[first.model]
    ]

    def chosen(weight: float) -> str:
        turned = replace(policy, **{knob: weight})
        return choose(turned, [_weighed(one, turned) for one in decision.candidates], 0.0)[0]

    return _nearest(knob, old, edges, chosen)


def _cost(decision: Decision) -> Iterator[Flip]:
    """How dear the chosen model's answer must become before another one takes its place."""
    first = next(one for one in decision.candidates if one.model == decision.chosen)

    def chosen(usd: float) -> str:
        dearer = replace(first, cost=from_usd(usd))
        candidates = [dearer if one is first else one for one in decision.candidates]
        return choose(decision.policy, candidates, 0.0)[0]

    edges = [_usd(one) for one in decision.candidates if one.cost >= first.cost]
    for flip in _nearest("cost_usd", _usd(first), edges, chosen):
        yield replace(flip, of=first.model)


def _nearest(
    knob: Knob, old: float, edges: Iterable[float], chosen: Choose, *, highest: float = math.inf
) -> Iterator[Flip]:
    now = chosen(old)
    known = sorted({edge for edge in edges if 0.0 <= edge <= highest})
    # Beyond the last edge nothing changes any more, so any wider value stands for the rest of the line.
    top = min(highest, 2 * max([old, *known]) + 1.0)
    upwards = pairwise([*(edge for edge in known if edge >= old), top])
    downwards = pairwise([*(edge for edge in reversed(known) if edge <= old), 0.0])
    for stretches in (upwards, downwards):
        for edge, end in stretches:
            model = chosen((edge + end) / 2)
            if model == now:
                continue
            new = _shortest(edge, end, chosen, model)
            if new is not None and new != old:
                yield Flip(knob, old, new, model)
                break


def _shortest(edge: float, end: float, chosen: Choose, model: str) -> float | None:
    """The number of fewest digits (two at least) from edge to end, near the edge, that chooses the model."""
    magnitude = math.floor(math.log10(edge)) if edge > 0 else _SMALLEST
    for digits in range(2, _FINEST + 1):
        decimals = digits - 1 - magnitude
        step = 10.0**-decimals
        on_edge = (math.ceil if end > edge else math.floor)(round(edge / step, 6)) * step
        beyond = on_edge + (step if end > edge else -step)
        for value in (round(on_edge, decimals), round(beyond, decimals)):
            if min(edge, end) <= value <= max(edge, end) and chosen(value) == model:
                return value
    return None


def _weighed(one: Candidate, policy: PolicyUsed) -> Candidate:
    cost_weight, latency_weight = policy.cost_weight or 0.0, policy.latency_weight or 0.0
    return replace(one, utility=utility(one.quality.mean, one.cost, one.total_ms, cost_weight, latency_weight))


def _usd(candidate: Candidate) -> float:
    return candidate.cost / PICODOLLARS_PER_USD


def _round(value: float, digits: int) -> float:
    """To significant digits; between 0.1 and 1 that is decimals."""
    return round(value, digits - 1 - math.floor(math.log10(value))) if value > 0 else value


def _before(old: float, new: float, rises: bool) -> bool:
    return old < new if rises else old > new


def _text(value: float) -> str:
    """Never an exponent; two decimals at least below ten, and no empty ones above."""
    if value == 0 or value >= 10:
        return f"{value:.9f}".rstrip("0").rstrip(".")
    text = f"{value:.{_FINEST + 1 - math.floor(math.log10(value))}f}".rstrip("0")
    return text if len(text.partition(".")[2]) > 1 else f"{value:.2f}"
