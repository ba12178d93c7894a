"""The non-decreasing concave hull of points of cost and quality: what mixing them at random can reach at each cost.

All functions take many sets of points at once, of shape (draws, points), so that the bootstrap is one call. RouterBench
(Hu et al. 2024, arXiv 2403.12031, section 3) calls it the non-decreasing convex hull of a router.
"""

from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_TINY = 1e-12


class Hull(Struct, frozen=True):
    """Corners from the cheapest to the best, of shape (draws, corners); the last is repeated to fill a row. `index`
    says which point each corner is."""

    cost: Floats
    quality: Floats
    index: NDArray[np.intp]


def hull_of(cost: Floats, quality: Floats) -> Hull:
    """The hull of each row of points: from the cheapest point (of those the best) always on to the point of the
    steepest rise, until none is better."""
    rows = np.arange(cost.shape[0])
    cheapest = cost <= cost.min(axis=1, keepdims=True) + _TINY
    at = np.where(cheapest, quality, -np.inf).argmax(axis=1)
    corners = [at]
    while True:
        run, rise = cost - cost[rows, at][:, None], quality - quality[rows, at][:, None]
        ahead = (rise > _TINY) & (run > 0)
        if not ahead.any():
            break
        slope = np.divide(rise, run, out=np.full(run.shape, -np.inf), where=ahead)
        steepest = slope >= slope.max(axis=1, keepdims=True) * (1 - 1e-9)
        furthest = np.where(ahead & steepest, run, -np.inf).argmax(axis=1)
        at = np.where(ahead.any(axis=1), furthest, at)
        corners.append(at)
    index = np.stack(corners, axis=1)
    return Hull(np.take_along_axis(cost, index, 1), np.take_along_axis(quality, index, 1), index)


def at_cost(hull: Hull, cost: Floats) -> Floats:
    """The quality that each hull reaches for `cost` (draws). Beyond the dearest corner that of the corner; below the
    cheapest one a mix of it with doing nothing, at no cost and no quality."""
    return _between(hull.cost, hull.quality, cost)


def to_reach(hull: Hull, quality: Floats) -> Floats:
    """The least cost at which each hull reaches `quality` (draws); infinite where it never does."""
    reached = hull.quality >= quality[:, None] - _TINY
    right = reached.argmax(axis=1)
    left = np.maximum(right - 1, 0)
    rows = np.arange(len(quality))
    low, high = hull.quality[rows, left], hull.quality[rows, right]
    span = np.where(high > low, high - low, 1.0)
    share = np.where(right > left, np.clip((quality - low) / span, 0.0, 1.0), 1.0)
    cost = hull.cost[rows, left] + share * (hull.cost[rows, right] - hull.cost[rows, left])
    result: Floats = np.where(reached.any(axis=1), cost, np.inf)
    return result


def area(hull: Hull, low: Floats, high: Floats) -> Floats:
    """The mean quality of each hull over costs from `low` to `high` (draws); nan where that span is empty."""
    inner = np.clip(hull.cost, low[:, None], high[:, None])
    cost = np.concatenate([low[:, None], inner, high[:, None]], axis=1)
    quality = np.stack([at_cost(hull, column) for column in cost.T], axis=1)
    whole = (np.diff(cost, axis=1) * (quality[:, 1:] + quality[:, :-1]) / 2).sum(axis=1)
    span = high - low
    result: Floats = np.divide(whole, span, out=np.full_like(whole, np.nan), where=span > 0)
    return result


def _between(xs: Floats, ys: Floats, x: Floats) -> Floats:
    right = np.minimum((xs <= x[:, None]).sum(axis=1), xs.shape[1] - 1)
    left = np.maximum(right - 1, 0)
    rows = np.arange(len(x))
    x0, x1, y0, y1 = xs[rows, left], xs[rows, right], ys[rows, left], ys[rows, right]
    share = np.clip((x - x0) / np.where(x1 > x0, x1 - x0, 1.0), 0.0, 1.0)
    inside = np.where(x1 > x0, y0 + share * (y1 - y0), y1)
    first = xs[:, 0]
    below = ys[:, 0] * np.clip(x, 0.0, None) / np.where(first > 0, first, 1.0)
    result: Floats = np.where((x < first) & (first > 0), below, inside)
    return result
