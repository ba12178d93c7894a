"""Isotonic calibration: from log odds to probabilities, never falling, by pooling adjacent violators.

Ayer et al. (1955); its steps are joined by straight lines, so that a small difference stays one.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.learning.loading import Calibration

Floats: TypeAlias = NDArray[np.float64]

_BINS = 24
_EDGE = 0.002  # nothing is certain
IDENTITY = Calibration(
    tuple(float(z) for z in np.linspace(-6, 6, 97)),
    tuple(round(float(1 / (1 + np.exp(-z))), 6) for z in np.linspace(-6, 6, 97)),
)


def fit(logits: Floats, scores: Floats, weights: Floats, straight: float) -> Calibration:
    """Knots at the means of bins of equal weight. `straight` (0..1) is the share of the straight line in log odds that
    fits best (Platt 1999): pooled steps are flat, and models that differ must not come out alike."""
    order = np.argsort(logits, kind="stable")
    z, y, w = logits[order], scores[order], weights[order]
    share = np.cumsum(w) / w.sum()
    bins = np.minimum((share * _BINS).astype(int), _BINS - 1)
    levels: list[list[float]] = []
    for number in range(_BINS):
        mine = bins == number
        if mine.any():
            total = float(w[mine].sum())
            levels.append([float(w[mine] @ z[mine]) / total, float(w[mine] @ y[mine]) / total, total])
    knots = [level[0] for level in levels]
    pooled = _pooled([level[1] for level in levels], [level[2] for level in levels])
    intercept, slope = _line(z, y, w / w.sum())
    own = 1.0 / (1.0 + np.exp(-(intercept + slope * np.array(knots))))
    chances = np.clip((1.0 - straight) * np.array(pooled) + straight * own, _EDGE, 1.0 - _EDGE)
    # Beyond the last knots the line goes on, so that order is kept there too.
    low, high = _logit(float(chances[0])) - 4.0 * slope, _logit(float(chances[-1])) + 4.0 * slope
    xs = [knots[0] - 4.0, *knots, knots[-1] + 4.0]
    ys = [_chance(low), *map(float, chances), _chance(high)]
    return Calibration(tuple(round(x, 4) for x in xs), tuple(round(y, 5) for y in ys))


def _line(z: Floats, y: Floats, w: Floats) -> tuple[float, float]:
    """Intercept and slope, at least a tenth, of the logistic regression of y on z; w adds up to 1."""
    design = np.stack([np.ones(len(z)), z], axis=1)
    theta = np.array([0.0, 1.0])
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-(design @ theta)))
        hessian = (design * (w * chance * (1.0 - chance))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (w * (chance - y)))
        theta -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(theta[0]), max(0.1, float(theta[1]))


def _pooled(values: list[float], weights: list[float]) -> list[float]:
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            v2, w2, n2 = blocks.pop()
            v1, w1, n1 = blocks.pop()
            blocks.append(((v1 * w1 + v2 * w2) / (w1 + w2), w1 + w2, n1 + n2))
    return [value for value, _, number in blocks for _ in range(number)]


def _logit(chance: float) -> float:
    return float(np.log(chance / (1.0 - chance)))


def _chance(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))
