"""Figures with money: curves of cost and quality, AIQ, and what equal quality costs.

A point of the router is a policy as the product would run it. Between two neighbouring settings of one policy the curve
is straight; it is not mixed otherwise. Points are picked by looking at the same
rows that they are judged on ("the cheapest point that reaches ..."), anew in every draw, which flatters. How much is
seen in the shuffled control: its points are picked in the same way, and no gain is claimed that shuffling gives too.
"""

from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import means, summary
from llm_inference_router.evaluation.controls import by_length, deals, oracle, shares
from llm_inference_router.evaluation.figures import Aiq, Equal, Line, Money, Point
from llm_inference_router.evaluation.hull import Hull, area, at_cost, hull_of, to_reach
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.sweep import Sweep, sweep_of
from llm_inference_router.evaluation.table import Table

Floats: TypeAlias = NDArray[np.float64]

CHEAP = 0.45  # of the best single model's cost
_DEALS = 100
_ORACLE = 60  # points
_EQUAL = 1e-6
_ROUNDING = 1e-12


class Plane(Struct, frozen=True):
    """Cost and quality of points in the sample and in each draw: (1 + draws, points). `joined` (points - 1) tells which
    points are neighbours of the next."""

    cost: Floats
    quality: Floats
    joined: NDArray[np.bool_]

    def least_cost(self, quality: Floats) -> Floats:
        """The least cost of at least `quality` (draws); infinite where it is never reached."""
        least: Floats = -_crossing(self.quality, -self.cost, quality[:, None], self.joined)
        return least

    def best_quality(self, cost: Floats) -> Floats:
        """The best quality for at most `cost` (draws); nan where nothing is so cheap."""
        found = _crossing(-self.cost, self.quality, -cost[:, None], self.joined)
        found[np.isinf(found)] = np.nan
        return found


def _crossing(x: Floats, y: Floats, least: Floats, joined: NDArray[np.bool_]) -> Floats:
    """The greatest y among points of x >= `least`, and where lines between neighbours cross it; else -infinity."""
    close = least - _ROUNDING * np.abs(least)
    at_points: Floats = np.where(x >= close, y, -np.inf).max(axis=1)
    x0, x1, y0, y1 = x[:, :-1], x[:, 1:], y[:, :-1], y[:, 1:]
    crosses = joined & ((x0 < least) != (x1 < least))
    share = np.divide(least - x0, x1 - x0, out=np.zeros(x0.shape), where=crosses)
    on_lines: Floats = np.where(crosses, y0 + share * (y1 - y0), -np.inf).max(axis=1, initial=-np.inf)
    return np.maximum(at_points, on_lines)


def measure_money(table: Table, quality: Floats, price: Floats, counts: Floats, seed: int) -> Money | None:
    """Figures of predictions (rows, models) and predicted costs over the draws of `counts`; None where fewer than two
    models have a cost."""
    kept = table.priced
    if kept.size < 2:
        return None
    names = [table.models[column] for column in kept]
    scores, cost = table.scores[:, kept], table.cost[:, kept]
    sweep = sweep_of(quality[:, kept], price[:, kept])
    singles = Plane(means(counts, cost), means(counts, scores), np.zeros(len(names) - 1, dtype=np.bool_))
    mix = shares(sweep.choices, len(names))
    rows = np.arange(len(scores))

    def plane(choices: NDArray[np.intp], joined: NDArray[np.bool_] | None = None) -> Plane:
        joined = np.ones(len(choices) - 1, dtype=np.bool_) if joined is None else joined
        return Plane(means(counts, cost[rows, choices].T), means(counts, scores[rows, choices].T), joined)

    orders = deals(len(rows), _DEALS, seed)
    dealt = Plane(
        np.stack([cost[order, sweep.choices].mean(axis=1) for order in orders]),
        np.stack([scores[order, sweep.choices].mean(axis=1) for order in orders]),
        sweep.joined,
    )

    router = plane(sweep.choices, sweep.joined)
    hull = hull_of(singles.cost, singles.quality)
    corners = np.array(list(dict.fromkeys(hull.index[0].tolist())))
    length, best_possible = plane(by_length(table.length, corners)), plane(oracle(scores, cost, _ORACLE))
    best = int(corners[-1])
    limit = CHEAP * singles.cost[:, best]
    return Money(
        basis=table.basis,
        best_single=names[best],
        aiq=_aiq(singles, hull, router, dealt, length, best_possible),
        quality_max=summary(router.quality.max(axis=1)),
        quality_max_shuffled=of_deals(dealt.quality.max(axis=1)),
        cheap_share=CHEAP,
        quality_cheap=summary(router.best_quality(limit)),
        quality_cheap_shuffled=of_deals(dealt.best_quality(np.full(_DEALS, limit[0]))),
        quality_cheap_singles=summary(at_cost(hull, limit)),
        quality_cheap_oracle=summary(best_possible.best_quality(limit)),
        equal_quality=tuple(
            _equal(names[corner], corner, singles, hull, router, dealt, length, best_possible) for corner in corners
        ),
        points=_points(sweep, router, mix, names),
        singles=Line(tuple(singles.cost[0, corners].tolist()), tuple(singles.quality[0, corners].tolist())),
        shuffled=_line(singles.cost[0] @ mix.T, singles.quality[0] @ mix.T),
        length=_line(length.cost[0], length.quality[0]),
        oracle=_line(best_possible.cost[0], best_possible.quality[0]),
    )


def _aiq(singles: Plane, hull: Hull, router: Plane, shuffled: Plane, length: Plane, oracle: Plane) -> Aiq:
    low, high = singles.cost.min(axis=1), singles.cost.max(axis=1)

    def of(plane: Plane) -> Floats:
        return area(hull_of(plane.cost, plane.quality), low, high)

    mine, alone, by_size = of(router), area(hull, low, high), of(length)
    once = np.ones(len(shuffled.cost))
    dealt = area(hull_of(shuffled.cost, shuffled.quality), low[0] * once, high[0] * once)
    return Aiq(
        router=summary(mine),
        singles=summary(alone),
        shuffled=of_deals(dealt),
        length=summary(by_size),
        oracle=summary(of(oracle)),
        router_less_singles=summary(mine - alone),
        router_less_length=summary(mine - by_size),
        chance=float((1 + (dealt >= mine[0] - _ROUNDING).sum()) / (1 + len(dealt))) if np.isfinite(mine[0]) else np.nan,
    )


def _equal(
    name: str, model: int, singles: Plane, hull: Hull, router: Plane, dealt: Plane, length: Plane, oracle: Plane
) -> Equal:
    target = singles.quality[:, model]
    reference = to_reach(hull, target)

    def ratios(plane: Plane, target: Floats, reference: Floats) -> Floats:
        cost = plane.least_cost(target)
        found: Floats = np.divide(cost, reference, out=np.full_like(cost, np.nan), where=reference > 0)
        return found

    found = summary(ratios(router, target, reference))
    shuffled = of_deals(ratios(dealt, np.full(_DEALS, target[0]), np.full(_DEALS, reference[0])))
    return Equal(
        model=name,
        quality=float(target[0]),
        cost=float(reference[0]),
        router=found,
        length=summary(ratios(length, target, reference)),
        shuffled=shuffled,
        oracle=summary(ratios(oracle, target, reference)),
        verdict=verdict(found, shuffled),
    )


def verdict(ratio: Interval, shuffled: Interval) -> str:
    """gain, no gain or not certain, as `figures.Equal` says."""
    if not ratio.value < 1 - _EQUAL:
        return "no gain"
    return "gain" if ratio.high < 1 - _EQUAL and ratio.value < shuffled.low else "not certain"


def of_deals(values: Floats) -> Interval:
    """The median of deals (which may be infinite) and their 95 % range."""
    return summary(np.concatenate([[np.percentile(values, 50, method="inverted_cdf")], values]))


def _points(sweep: Sweep, router: Plane, mix: Floats, names: list[str]) -> tuple[Point, ...]:
    return tuple(
        Point(
            policy=sweep.policy[i],
            setting=sweep.setting[i],
            cost=summary(router.cost[:, i]),
            quality=summary(router.quality[:, i]),
            share={name: share for name, share in zip(names, mix[i].tolist(), strict=True) if share > 0},
        )
        for i in range(len(sweep.policy))
    )


def _line(cost: Floats, quality: Floats) -> Line:
    order = np.lexsort((quality, cost))
    return Line(tuple(cost[order].tolist()), tuple(quality[order].tolist()))
