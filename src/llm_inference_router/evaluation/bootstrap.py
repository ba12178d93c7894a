"""Resampling of queries: one set of draws for all figures of a file, so that differences between them are paired.

A draw is a count for each query: how often it occurs among as many queries, taken with replacement (Efron 1979).
Intervals are percentile intervals.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.evaluation.metrics import Interval

Floats: TypeAlias = NDArray[np.float64]

DRAWS = 1000
_LEVELS = (2.5, 97.5)


def resample(rows: int, draws: int, seed: int) -> Floats:
    """Counts of shape (1 + draws, rows): first the sample itself, each query once, then the draws."""
    rng = np.random.default_rng(seed)
    counts = np.ones((1 + draws, rows))
    for draw in counts[1:]:  # one by one: the table is large enough without a copy of it
        draw[:] = np.bincount(rng.integers(0, rows, rows), minlength=rows)
    return counts


def means(counts: Floats, values: Floats) -> Floats:
    """The mean of each column of `values` (rows, columns) in the sample and each draw: (1 + draws, columns)."""
    result: Floats = counts @ values / counts.shape[1]
    return result


def summary(values: Floats) -> Interval:
    """A figure of the sample (the first of `values`) with the 95 % interval of its draws (the others).

    Infinite draws count (they stand for "never"); draws without a value do not.
    """
    value, draws = float(values[0]), values[1:]
    known = draws[~np.isnan(draws)]
    if np.isnan(value) or not known.size:
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(known, _LEVELS, method="inverted_cdf")  # picks draws: no arithmetic with infinity
    return Interval(value, float(low), float(high))
