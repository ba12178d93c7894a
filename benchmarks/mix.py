"""What a route earns on traffic of a given mix: chosen on one half of the prompts, told of the other.

Every figure is a weighted mean: a group of prompts counts as much as its share of the traffic, however many prompts the
data have of it. The bootstrap draws within each group of each half, and chooses anew in every draw, so that an interval
covers the choosing too.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal, TypeAlias, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import resample, summary
from llm_inference_router.evaluation.controls import oracle
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.hull import hull_of, to_reach
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.sweep import cheapest_above

Floats: TypeAlias = NDArray[np.float64]
Choices: TypeAlias = NDArray[np.intp]
Group = Literal["easy", "middle", "hard"]
Verdict = Literal["gain", "no gain", "not certain"]

GROUPS: tuple[Group, ...] = get_args(Group)
SHARES: dict[Group, float] = {"easy": 0.7, "middle": 0.2, "hard": 0.1}
TARGET = 0.95  # of the large model's quality
DRAWS = 1000
LEAST = 10  # prompts of a group in each half; a group of fewer is left out, and the others take its share
_BARS = np.round(np.linspace(0.0, 1.0, 201), 3)
_STEPS = np.linspace(0.0, 1.0, 41)  # of a random mix of two models
_POINTS = 200  # of the oracle
_SURE = 1e-9
_CLOSE = 1e-12


class Traffic(Struct, frozen=True):
    """Prompts with the real `scores` and `cost` (USD) of a route's models, from the smallest to the largest, and what
    was predicted of them: all of shape (rows, models). `group` and `reported` (else it is for choosing) of each row."""

    models: tuple[str, ...]
    scores: Floats
    cost: Floats
    quality: Floats
    price: Floats
    group: tuple[Group, ...]
    reported: NDArray[np.bool_]


class Outcome(Struct, frozen=True):
    """Of one way to serve the traffic: shares 0..1 on the small model, of all and of the easy prompts; `saving` 0..1
    of the large model's cost; `kept`, the share of its quality. `what` was chosen in the sample."""

    what: str
    small: Interval
    easy: Interval
    saving: Interval
    kept: Interval


class Slice(Struct, frozen=True):
    """The router on one group: share on the small model and quality kept, beside the small model's alone."""

    rows: int
    small: Interval
    saving: Interval
    kept: Interval
    small_kept: Interval


class Measured(Struct, frozen=True):
    """`ratio`: the router's cost to that of the cheapest single model, or random mix of two, that has the very quality
    which the router had; `over_single`: its saving less the best single model's; `over_shuffled`: its `kept` less that
    of its own decisions dealt at random. `verdict` is gain where the whole interval of `ratio` is below 1, and no gain
    where `ratio` is not."""

    chosen_on: dict[str, int]
    reported_on: dict[str, int]
    outcomes: dict[str, Outcome]
    groups: dict[str, Slice]
    ratio: Interval
    over_single: Interval
    over_shuffled: Interval
    verdict: Verdict


class Half(Struct, frozen=True):
    """`weights` of shape (1 + draws, rows), of sum 1: the sample, then the draws."""

    weights: Floats
    scores: Floats
    cost: Floats
    quality: Floats
    price: Floats
    easy: NDArray[np.bool_]
    counts: dict[str, int]

    def mean(self, values: Floats, of: NDArray[np.bool_] | None = None) -> Floats:
        """Weighted means of columns (rows, columns): (1 + draws, columns)."""
        weights = self.weights if of is None else self.weights[:, of]
        found: Floats = weights @ (values if of is None else values[of])
        return found if of is None else found / weights.sum(axis=1, keepdims=True)

    def at(self, choices: Choices) -> "Points":
        """Of choices (points, rows), columns of the models."""
        rows, small = np.arange(choices.shape[1]), (choices == 0).T.astype(np.float64)
        return Points(
            cost=self.mean(self.cost[rows, choices].T),
            quality=self.mean(self.scores[rows, choices].T),
            small=self.mean(small),
            easy=self.mean(small, self.easy),
        )

    def mixed(self, mix: Floats) -> "Points":
        """Of prompts dealt at random: `mix` is (points, models), or one such table for each draw. Exact, without
        drawing lots."""
        deal = np.broadcast_to(mix, (len(self.weights), *mix.shape[-2:]))
        return Points(
            cost=np.einsum("dm,dpm->dp", self.mean(self.cost), deal),
            quality=np.einsum("dm,dpm->dp", self.mean(self.scores), deal),
            small=deal[:, :, 0],
            easy=deal[:, :, 0],
        )

    def shares(self, choices: Choices, models: int) -> Floats:
        """How much of the traffic each point gives to each model: (1 + draws, points, models)."""
        return np.stack([self.mean((choices == model).T.astype(np.float64)) for model in range(models)], axis=2)


class Points(Struct, frozen=True):
    """Several ways to serve, in the sample and in each draw: (1 + draws, points)."""

    cost: Floats
    quality: Floats
    small: Floats
    easy: Floats

    def take(self, chosen: Choices) -> "Points":
        """One of the points in each draw, as a single column."""
        rows = np.arange(len(chosen))
        return Points(
            self.cost[rows, chosen][:, None],
            self.quality[rows, chosen][:, None],
            self.small[rows, chosen][:, None],
            self.easy[rows, chosen][:, None],
        )

    def cheapest(self, least: Floats) -> Choices:
        """In each draw the cheapest point of at least the quality `least` (draws); the best one where none is."""
        reached = self.quality >= least[:, None] - _CLOSE
        cheap: Choices = np.where(reached, self.cost, np.inf).argmin(axis=1)
        return np.where(reached.any(axis=1), cheap, self.quality.argmax(axis=1))


def measure(traffic: Traffic, seed: int = 0, draws: int = DRAWS) -> Measured:
    """Raises DataError where no group is left."""
    traffic = _common(traffic)
    first, second = (_half(traffic, reported, draws, seed + reported) for reported in (False, True))
    models = len(traffic.models)
    large, least = second.mixed(np.eye(models)[-1:]), TARGET * first.mean(first.scores)[:, -1]

    ours, ours_there = _decisions(first), _decisions(second)
    chosen = first.at(ours).cheapest(least)
    router = second.at(ours_there).take(chosen)
    dealt = second.mixed(second.shares(ours_there, models)).take(chosen)
    singles = np.eye(models)
    alone = first.mixed(singles).cheapest(least)
    single = second.mixed(singles).take(alone)
    pairs = _pairs(models)
    blend = first.mixed(pairs).cheapest(least)
    knowing = second.at(oracle(second.scores, second.cost, _POINTS))
    reach = TARGET * second.mean(second.scores)[:, -1]

    def told(what: str, points: Points) -> Outcome:
        return Outcome(
            what,
            small=summary(points.small[:, 0]),
            easy=summary(points.easy[:, 0]),
            saving=summary(_saving(points, large)),
            kept=summary(_kept(points, large)),
        )

    names = traffic.models
    bar = f"bar {_BARS[chosen[0]]:g}" if chosen[0] < len(_BARS) else "no bar keeps it: all to the large model"
    outcomes = {
        "router": told(bar, router),
        "best single model": told(names[int(alone[0])], single),
        "random mix": told(_mix_name(pairs[int(blend[0])], names), second.mixed(pairs).take(blend)),
        "router, shuffled": told("its decisions dealt at random", dealt),
        "oracle": told("knows every score", knowing.take(knowing.cheapest(reach))),
    }
    for column in range(models):
        outcomes[f"always {names[column]}"] = told("", second.mixed(singles[column : column + 1]))

    hull = hull_of(second.mean(second.cost), second.mean(second.scores))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = summary(router.cost[:, 0] / to_reach(hull, router.quality[:, 0]))
    return Measured(
        chosen_on=first.counts,
        reported_on=second.counts,
        outcomes=outcomes,
        groups={group: _slice(traffic, second, ours_there, chosen, group) for group in _present(traffic)},
        ratio=ratio,
        over_single=summary(_saving(router, large) - _saving(single, large)),
        over_shuffled=summary(_kept(router, large) - _kept(dealt, large)),
        verdict=verdict(ratio),
    )


def verdict(ratio: Interval) -> Verdict:
    if not ratio.value < 1 - _SURE:
        return "no gain"
    return "gain" if ratio.high < 1 - _SURE else "not certain"


def _common(traffic: Traffic) -> Traffic:
    """The traffic without groups that a half has too few prompts of."""
    kept = [
        group
        for group in GROUPS
        if min(np.sum((np.array(traffic.group) == group) & (traffic.reported == half)) for half in (False, True))
        >= LEAST
    ]
    if not kept:
        raise DataError([f"no group has {LEAST} prompts in each half"])
    rows = np.isin(np.array(traffic.group), kept)
    return Traffic(
        models=traffic.models,
        scores=traffic.scores[rows],
        cost=traffic.cost[rows],
        quality=traffic.quality[rows],
        price=traffic.price[rows],
        group=tuple(group for group in traffic.group if group in kept),
        reported=traffic.reported[rows],
    )


def _present(traffic: Traffic) -> tuple[Group, ...]:
    return tuple(group for group in GROUPS if group in traffic.group)


def _half(traffic: Traffic, reported: bool, draws: int, seed: int) -> Half:
    mine = traffic.reported == reported
    groups, present = np.array(traffic.group)[mine], _present(traffic)
    whole = sum(SHARES[group] for group in present)
    weights = np.zeros((1 + draws, int(mine.sum())))
    counts: dict[str, int] = {}
    for number, group in enumerate(present):
        there = groups == group
        count = counts[group] = int(there.sum())
        weights[:, there] = resample(count, draws, 10 * seed + number) * (SHARES[group] / whole / count)
    columns = (traffic.scores[mine], traffic.cost[mine], traffic.quality[mine], traffic.price[mine])
    return Half(weights, *columns, groups == "easy", counts)


def _decisions(half: Half) -> Choices:
    """The router's at every bar, and last the large model for everything."""
    found = [cheapest_above(half.quality, half.price, float(bar)) for bar in _BARS]
    return np.stack([*found, np.full(len(half.quality), half.quality.shape[1] - 1)])


def _pairs(models: int) -> Floats:
    """Mixes of two models, or of one: (points, models)."""
    unit = np.eye(models)
    mixes = [(1 - step) * unit[a] + step * unit[b] for a, b in combinations(range(models), 2) for step in _STEPS]
    return np.unique(np.round(np.array(mixes), 6), axis=0)


def _mix_name(mix: Floats, names: Sequence[str]) -> str:
    return " + ".join(f"{share:.0%} {name}" for share, name in zip(mix.tolist(), names, strict=True) if share > 0)


def _saving(points: Points, large: Points) -> Floats:
    saving: Floats = 1.0 - points.cost[:, 0] / large.cost[:, 0]
    return saving


def _kept(points: Points, large: Points) -> Floats:
    kept: Floats = points.quality[:, 0] / large.quality[:, 0]
    return kept


def _slice(traffic: Traffic, half: Half, decisions: Choices, chosen: Choices, group: Group) -> Slice:
    there = np.array(traffic.group)[traffic.reported] == group
    points, draws = np.arange(decisions.shape[1]), np.arange(len(chosen))

    def of(values: Callable[[Choices], Floats]) -> Floats:
        """Of the decisions that were chosen in each draw."""
        return half.mean(values(decisions).T, there)[draws, chosen]

    alone, cost = half.mean(half.scores, there), half.mean(half.cost, there)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = of(lambda choices: half.scores[points, choices]) / alone[:, -1]
        small_kept = alone[:, 0] / alone[:, -1]
    return Slice(
        rows=int(there.sum()),
        small=summary(of(lambda choices: (choices == 0).astype(np.float64))),
        saving=summary(1.0 - of(lambda choices: half.cost[points, choices]) / cost[:, -1]),
        kept=summary(kept),
        small_kept=summary(small_kept),
    )
