"""Every policy that a file is tried with: a model for each row, for each weight of cost and each bar.

A policy sees the predicted quality and a predicted cost of every model, as the product does, and nothing of the
answers. Two families:

    utility              the model of the greatest quality - weight x cost
    cheapest_above_bar   the cheapest model whose quality is at least bar x the best predicted quality

Weights and bars are taken from the values at which some decision changes, so that predicted cost rises in small
steps; they too come from predictions alone.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Choices: TypeAlias = NDArray[np.intp]

STEPS = 120  # with 60 a narrow peak was missed; 480 find within 0.001 of AIQ what 120 do
_MOST = 2_000_000  # pairs of models and rows
_TRIED = 3  # settings are tried for each that is kept
_SEEN = 2000  # rows on which they are tried
_FREE = 1e-9  # USD: what costs less counts as this where steps are measured
_DIGITS = 9  # of predictions: what is smaller is noise of the machine, and must not decide


class Sweep(Struct, frozen=True):
    """`choices` of shape (points, rows), columns of the models; `policy` and `setting` of each point."""

    policy: tuple[str, ...]
    setting: tuple[float, ...]
    choices: Choices

    @property
    def joined(self) -> NDArray[np.bool_]:
        """Whether a point and the next are neighbouring settings of one policy: (points - 1)."""
        return np.array([first == second for first, second in pairwise(self.policy)], dtype=np.bool_)


def sweep_of(quality: Floats, price: Floats, steps: int = STEPS) -> Sweep:
    """All points for predictions of shape (rows, models): `quality` 0..1 and `price` in USD."""
    quality = np.round(quality, _DIGITS)
    weights, bars = _weights(quality, price, steps), _bars(quality, price, steps)
    choices = [by_utility(quality, price, weight) for weight in weights]
    choices += [cheapest_above(quality, price, bar) for bar in bars]
    return Sweep(
        policy=("utility",) * len(weights) + ("cheapest_above_bar",) * len(bars),
        setting=(*weights, *bars),
        choices=np.stack(choices),
    )


def by_utility(quality: Floats, price: Floats, weight: float) -> Choices:
    """The model of the greatest quality - weight x price for each row; equal ones: the cheaper."""
    return _first(quality - weight * price, price)


def cheapest_above(quality: Floats, price: Floats, bar: float) -> Choices:
    """The cheapest model of at least `bar` x the row's best quality; equally cheap ones: the better."""
    good = quality >= bar * quality.max(axis=1, keepdims=True) - 10.0**-_DIGITS
    return _first(np.where(good, -price, -np.inf), -quality)


def _first(value: Floats, tie: Floats) -> Choices:
    """The column of the greatest value; of equal ones (to rounding) that of the smallest `tie`."""
    best = value.max(axis=1, keepdims=True)
    equal = value >= best - 1e-12 * np.maximum(1.0, np.abs(best)) if np.isfinite(best).all() else value >= best
    chosen: Choices = np.where(equal, tie, np.inf).argmin(axis=1)
    return chosen


def _weights(quality: Floats, price: Floats, steps: int) -> list[float]:
    """From 0 (quality alone) to where all go to the cheapest."""
    ties = ties_of(quality, price)
    if not ties.size:
        return [0.0]
    inner = np.quantile(ties, np.linspace(0, 1, _TRIED * steps))
    tried = [0.0, *(_short(weight) for weight in inner), _short(inner[-1] * 1.01)]
    return _spread(tried, quality, price, by_utility, steps)


def ties_of(quality: Floats, price: Floats) -> Floats:
    """The weights, above 0, at which two models are worth the same for some row; of a part of the rows where there are
    very many."""
    first, second = np.triu_indices(quality.shape[1], 1)
    stride = max(1, len(quality) * len(first) // _MOST)
    quality, price = quality[::stride], price[::stride]
    gain, extra = quality[:, first] - quality[:, second], price[:, first] - price[:, second]
    ties: Floats = gain[extra != 0] / extra[extra != 0]
    return ties[ties > 0]


def _bars(quality: Floats, price: Floats, steps: int) -> list[float]:
    best = quality.max(axis=1, keepdims=True)
    ratios = np.divide(quality, best, out=np.ones_like(quality), where=best > 0)
    inner = np.quantile(ratios, np.linspace(0, 1, _TRIED * steps))
    tried = sorted({0.0, 1.0, *(round(float(bar), 4) for bar in inner)})
    return _spread(tried, quality, price, cheapest_above, steps)


def _spread(
    tried: Sequence[float],
    quality: Floats,
    price: Floats,
    policy: Callable[[Floats, Floats, float], Choices],
    steps: int,
) -> list[float]:
    """Some of the settings: `steps` with even steps of predicted cost (by its logarithm), and half as many at even
    steps through the list; the first and the last among them."""
    stride = max(1, len(quality) // _SEEN)
    quality, price = quality[::stride], price[::stride]
    rows = np.arange(len(quality))
    cost = np.array([price[rows, policy(quality, price, setting)].mean() for setting in tried])
    gone = np.cumsum(np.abs(np.diff(np.log(np.maximum(cost, _FREE)), prepend=np.log(max(cost[0], _FREE)))))
    kept = np.searchsorted(gone, np.linspace(0, gone[-1], steps) * (1 - 1e-12))
    even = np.linspace(0, len(tried) - 1, steps // 2 + 1).round().astype(np.intp)
    return [tried[i] for i in sorted({0, len(tried) - 1, *kept.tolist(), *even.tolist()})]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
