"""How well a score routes between a weak and a strong model.

APGR, the average performance gap recovered, is RouteLLM's (Ong et al. 2024, "RouteLLM: Learning to Route
LLMs with Preference Data", section 3). With a share c of the requests, those of the highest score, sent to
the strong model,

    PGR(c) = (quality(c) - quality(weak)) / (quality(strong) - quality(weak))
    APGR   = integral of PGR(c) over c from 0 to 1

RouteLLM takes the mean at ten shares; here the integral is exact (trapezoids through every share), which
equals

    APGR = sum_i gain_i * (1 - (rank_i - 1/2) / n) / sum_i gain_i,    gain_i = strong_i - weak_i

with rank 1 for the highest score and mean ranks for equal ones. Mixing at random gives 0.5. APGR is
undefined when both models are equally good on the whole.

CPT(x), the call-performance threshold, is RouteLLM's too: the least share of requests to the strong model with which
PGR reaches x. Between two shares the curve is straight, and so it is through requests of equal score.
"""

from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
_CHUNK = 2_000_000  # cells of one block of the bootstrap's weights


class Interval(Struct, frozen=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def _checked(score: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> tuple[Floats, Floats]:
    score_, weak_, strong_ = (np.asarray(v, dtype=np.float64) for v in (score, weak, strong))
    if score_.ndim != 1 or score_.shape != weak_.shape or weak_.shape != strong_.shape:
        raise ValueError(
            f"score, weak and strong must be equally long lists, not {score_.shape}, {weak_.shape}, {strong_.shape}"
        )
    if score_.size < 2:
        raise ValueError(f"APGR needs at least two rows, not {score_.size}")
    if not (np.isfinite(score_).all() and np.isfinite(weak_).all() and np.isfinite(strong_).all()):
        raise ValueError("scores must be finite numbers")
    return score_, strong_ - weak_


def _groups(score: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order by falling score, and where in that order each group of equal scores begins."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    return order, starts


def _apgr(counts: Floats, gains: Floats, starts: NDArray[np.intp]) -> Floats:
    """APGR of each row of `counts` (how often each ranked request occurs); nan where both models are
    equally good."""
    weight = np.add.reduceat(counts, starts, axis=1)
    gain = np.add.reduceat(counts * gains, starts, axis=1)
    middle = np.cumsum(weight, axis=1) - weight / 2
    share = 1.0 - middle / weight.sum(axis=1, keepdims=True)
    total = gain.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Floats = np.where(np.abs(total) > 1e-12, (gain * share).sum(axis=1) / total, np.nan)
    return value


def apgr(score: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> float:
    """Average performance gap recovered when the highest scores go to the strong model.

    All three are lists of the same length n >= 2: the routing score of each request, and both models'
    quality (0..1) on it. Raises ValueError for other shapes, numbers that are not finite, and models of
    equal quality.
    """
    score_, gains = _checked(score, weak, strong)
    order, starts = _groups(score_)
    value = float(_apgr(np.ones((1, score_.size)), gains[order], starts)[0])
    if np.isnan(value):
        raise ValueError("APGR is undefined: both models are equally good on the whole")
    return value


def apgr_draws(score: ArrayLike, weak: ArrayLike, strong: ArrayLike, counts: Floats) -> Floats:
    """APGR in each draw of `counts` (draws, rows); nan where both models are equally good."""
    score_, gains = _checked(score, weak, strong)
    order, starts = _groups(score_)
    return np.concatenate([_apgr(block[:, order], gains[order], starts) for block in _blocks(counts)])


def cpt(score: ArrayLike, weak: ArrayLike, strong: ArrayLike, target: float) -> float:
    """CPT(target), 0..1, `target` as a share of the gap; nan where the strong model is not the better one."""
    return float(cpt_draws(score, weak, strong, target, np.ones((1, np.size(score))))[0])


def cpt_draws(score: ArrayLike, weak: ArrayLike, strong: ArrayLike, target: float, counts: Floats) -> Floats:
    """CPT(target) in each draw of `counts` (draws, rows); nan where the strong model is not the better one."""
    score_, gains = _checked(score, weak, strong)
    order, starts = _groups(score_)
    return np.concatenate([_cpt(block[:, order], gains[order], starts, target) for block in _blocks(counts)])


def _blocks(counts: Floats) -> list[Floats]:
    return np.array_split(counts, -(-counts.size // _CHUNK))


def _cpt(counts: Floats, gains: Floats, starts: NDArray[np.intp], target: float) -> Floats:
    weight = np.cumsum(np.add.reduceat(counts, starts, axis=1), axis=1)
    gain = np.cumsum(np.add.reduceat(counts * gains, starts, axis=1), axis=1)
    rows, total = np.arange(len(counts)), gain[:, -1]
    sought = target * total
    right = (gain >= sought[:, None] - 1e-12).argmax(axis=1)
    before = np.where(right > 0, right - 1, 0)
    low = np.where(right > 0, gain[rows, before], 0.0)
    start = np.where(right > 0, weight[rows, before], 0.0)
    rise = gain[rows, right] - low
    part = np.clip(np.divide(sought - low, rise, out=np.zeros_like(rise), where=rise > 0), 0.0, 1.0)
    share: Floats = (start + part * (weight[rows, right] - start)) / weight[:, -1]
    return np.where(total > 1e-12, share, np.nan)


def apgr_interval(
    score: ArrayLike, weak: ArrayLike, strong: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """APGR with its 95 % percentile bootstrap interval over requests (`draws` resamples with replacement)."""
    value = apgr(score, weak, strong)
    score_, gains = _checked(score, weak, strong)
    order, starts = _groups(score_)
    size = score_.size
    rng = np.random.default_rng(seed)
    values: list[Floats] = []
    left = draws
    while left > 0:
        block = min(left, max(1, _CHUNK // size))
        counts = rng.multinomial(size, np.full(size, 1.0 / size), size=block).astype(np.float64)
        values.append(_apgr(counts, gains[order], starts))
        left -= block
    low, high = np.nanpercentile(np.concatenate(values), [2.5, 97.5])
    return Interval(value, float(low), float(high))


def shuffled(score: ArrayLike, weak: ArrayLike, strong: ArrayLike, *, draws: int = 200, seed: int = 0) -> Interval:
    """The control: the same scores dealt to the requests at random. Mean APGR of `draws` deals, and their
    95 % range."""
    score_, _ = _checked(score, weak, strong)
    rng = np.random.default_rng(seed)
    values = [apgr(rng.permutation(score_), weak, strong) for _ in range(draws)]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(np.mean(values)), float(low), float(high))


def oracle(weak: ArrayLike, strong: ArrayLike) -> float:
    """APGR of a score that knows both models' quality on each request: the greatest that any score can
    reach."""
    weak_ = np.asarray(weak, dtype=np.float64)
    strong_ = np.asarray(strong, dtype=np.float64)
    return apgr(strong_ - weak_, weak_, strong_)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation, -1..1, with mean ranks for equal values; nan when one of the lists is constant."""
    ranks = [_mean_ranks(np.asarray(values, dtype=np.float64)) for values in (first, second)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _mean_ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks
