"""Whether predicted quality is what it says: Brier score, expected calibration error, reliability table.

    Brier   mean of (predicted - score)^2
    ECE     sum over bins of share x |mean predicted - mean score|, 15 bins of equal mass (Naeini et al. 2015; equal
            mass as in Nguyen and O'Connor 2015). Equal predictions share a bin.

An ECE is never 0 on few rows, however good the predictions: `floor` is what perfectly calibrated ones would show, from
the normal approximation of each bin's mean. Scores between 0 and 1 count as they are.
"""

from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import summary
from llm_inference_router.evaluation.metrics import Interval

Floats: TypeAlias = NDArray[np.float64]

BINS = 15


class Bin(Struct, frozen=True):
    """One row of the reliability table: how many predictions, their mean, and the mean score."""

    count: int
    predicted: float
    score: float


class Calibration(Struct, frozen=True):
    brier: Interval
    ece: Interval
    floor: float
    bins: tuple[Bin, ...]


def calibration(quality: Floats, scores: Floats, counts: Floats) -> Calibration:
    """Of predictions and scores of shape (rows, models), all models together; `counts` as from
    `bootstrap.resample`."""
    of_bin = bins_of(quality)
    size = int(of_bin.max()) + 1
    squared = ((quality - scores) ** 2).mean(axis=1)
    error = np.zeros((len(quality), size))
    np.add.at(error, (np.arange(len(quality))[:, None], of_bin), quality - scores)
    number = np.bincount(of_bin.ravel(), minlength=size)
    predicted = np.bincount(of_bin.ravel(), quality.ravel(), minlength=size) / number
    scored = np.bincount(of_bin.ravel(), scores.ravel(), minlength=size) / number
    spread = np.bincount(of_bin.ravel(), (quality * (1 - quality)).ravel(), minlength=size)
    return Calibration(
        brier=summary(counts @ squared / len(quality)),
        ece=summary(np.abs(counts @ error).sum(axis=1) / quality.size),
        floor=float(np.sqrt(2 / np.pi) * np.sqrt(spread).sum() / quality.size),
        bins=tuple(Bin(int(n), float(p), float(s)) for n, p, s in zip(number, predicted, scored, strict=True)),
    )


def bins_of(values: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """A bin for each value, of equal mass as far as equal values allow; numbered without gaps."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    raw = np.searchsorted(edges, values, side="right")
    _, dense = np.unique(raw, return_inverse=True)
    return dense.reshape(values.shape)
