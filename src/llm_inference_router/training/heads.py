"""What one model does otherwise than its ability says: by kind of request, and along a few directions all models share.

Each model's own part is a penalised logistic regression with the core as its offset, so that without labels it is
nothing, and with few it stays near the kind's and the model's mean. The directions are the leading ones of all models'
residuals together (a reduced-rank regression: Izenman 1975).
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

KIND_PRECISION = 3.0  # of a kind's offset: about as many answers as it takes to believe half of what they say, by five
DIRECTION_PRECISION = 10.0
RESIDUAL_RIDGE = 3.0  # times the rows, on standardised columns
_CURVE = 0.2  # p (1 - p) of a typical answer: from a residual of probability to one of log odds
_STEPS = 30


class Residual(Struct, frozen=True):
    """One source: `x` standardised, `kinds` (rows, kinds) of zeros and ones, `base` (rows, models) log odds of the
    core, `scores` (rows, models) with nan where there is none."""

    x: Floats
    kinds: Floats
    base: Floats
    scores: Floats


class Heads(Struct, frozen=True):
    """`directions` (rank, columns) of standardised x; for each source `offsets` (models,), `kinds` (models, kinds) and
    `loadings` (models, rank)."""

    directions: Floats
    offsets: tuple[Floats, ...]
    kinds: tuple[Floats, ...]
    loadings: tuple[Floats, ...]


def fit(residuals: Sequence[Residual], rank: int) -> Heads:
    offsets, kinds, columns = [], [], []
    for residual in residuals:
        found = by_kind(residual)
        offsets.append(found[:, 0])
        kinds.append(found[:, 1:])
        columns.append(_slopes(residual, found) / np.sqrt(residual.scores.shape[1]))
    directions = _leading(np.hstack(columns), rank)
    directions = directions / _spread(residuals, directions)[:, None]
    loadings = tuple(
        loaded(residual, directions, np.hstack([offset[:, None], kind]))
        for residual, offset, kind in zip(residuals, offsets, kinds, strict=True)
    )
    return Heads(directions, tuple(offsets), tuple(kinds), loadings)


def by_kind(residual: Residual) -> Floats:
    """(models, 1 + kinds): an offset of the whole, and one of each kind."""
    design = np.hstack([np.ones((len(residual.kinds), 1)), residual.kinds])
    precision = np.full(design.shape[1], KIND_PRECISION)
    precision[0] = 0.1
    return _regressed(design, residual.base, residual.scores, precision)


def loaded(residual: Residual, directions: Floats, kinds: Floats) -> Floats:
    """(models, rank): how each model goes along the directions, its kinds' offsets given."""
    design = np.hstack([np.ones((len(residual.kinds), 1)), residual.kinds])
    base = residual.base + design @ kinds.T
    precision = np.full(len(directions), DIRECTION_PRECISION)
    return _regressed(residual.x @ directions.T, base, residual.scores, precision)


def _regressed(design: Floats, base: Floats, scores: Floats, precision: Floats) -> Floats:
    """One penalised logistic regression for each column of `scores`, by Newton's method."""
    found = np.zeros((scores.shape[1], design.shape[1]))
    for model in range(scores.shape[1]):
        seen = np.isfinite(scores[:, model])
        x, offset, y = design[seen], base[seen, model], scores[seen, model]
        theta = np.zeros(design.shape[1])
        for _ in range(_STEPS):
            chance = 1.0 / (1.0 + np.exp(-(offset + x @ theta)))
            gradient = x.T @ (chance - y) + precision * theta
            hessian = (x * (chance * (1.0 - chance))[:, None]).T @ x + np.diag(precision)
            step = np.linalg.solve(hessian, gradient)
            theta -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            if float(np.abs(step).max()) < 1e-10:
                break
        found[model] = theta
    return found


def _slopes(residual: Residual, kinds: Floats) -> Floats:
    """(columns, models): ridge regression of what is left on x, in log odds."""
    logits = residual.base + kinds[:, 0] + residual.kinds @ kinds[:, 1:].T
    left = np.where(np.isfinite(residual.scores), residual.scores - 1.0 / (1.0 + np.exp(-logits)), 0.0)
    x = residual.x
    gram = x.T @ x + RESIDUAL_RIDGE * len(x) * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, x.T @ left) / _CURVE, dtype=np.float64)


def _leading(columns: Floats, rank: int) -> Floats:
    """The leading left singular vectors, each with its largest entry positive."""
    values, vectors = np.linalg.eigh(columns @ columns.T)
    top = vectors[:, np.argsort(-values)[:rank]].T
    signs = np.sign(top[np.arange(len(top)), np.abs(top).argmax(1)])
    found: Floats = top * signs[:, None]
    return found


def _spread(residuals: Sequence[Residual], directions: Floats) -> Floats:
    """Standard deviation of each direction's values, sources counting alike."""
    means = np.mean([((residual.x @ directions.T) ** 2).mean(0) for residual in residuals], axis=0)
    spread: Floats = np.sqrt(means) + 1e-9
    return spread
