"""The part that all models share: how hard a request is, and how much abler models gain on it.

For model m of source s on request i, with g the ability of m from public results (less the mean of all):

    logit P(good) = a[s, m] + x[i] . hard + g[m] * (x[i] . gain)

Rasch's model (1960) with its difficulty written as a function of the request, and a discrimination that may depend on
it. Every source counts alike, and within a source no kind drowns the others, for one benchmark is one opinion. Ridge
penalties hold both directions back, the second one much more. The problem is convex; Newton's steps find its one
minimum to the last digits, whatever the machine.
"""

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_STEPS = 40
_SMALL = 1e-10


class Share(Struct, frozen=True):
    """One source as the core sees it: `x` standardised (rows, columns), `scores` (rows, models) with nan where there
    is none, `gains` (models,), `weights` (rows,), `weight` of the whole source."""

    x: Floats
    scores: Floats
    gains: Floats
    weights: Floats
    weight: float = 1.0


class Core(Struct, frozen=True):
    hard: Floats
    gain: Floats
    levels: tuple[Floats, ...]  # a, for each share its models


def fit(shares: Sequence[Share], ridge_hard: Floats, ridge_gain: Floats) -> Core:
    """`ridge_*` (columns,) are the precisions of the penalties, in units of one source's weight."""
    columns = shares[0].x.shape[1]
    starts = np.cumsum([0, *(share.scores.shape[1] for share in shares)])
    first = int(starts[-1])
    size = first + 2 * columns
    ridge = np.concatenate([np.full(first, 1e-4), ridge_hard, ridge_gain])
    theta = np.zeros(size)
    for _ in range(_STEPS):
        gradient = ridge * theta
        hessian = np.diag(ridge)
        for share, start in zip(shares, starts, strict=False):
            _add(share, int(start), first, columns, theta, gradient, hessian)
        step = np.linalg.solve(hessian, gradient)
        largest = float(np.abs(step).max())
        theta -= step * min(1.0, 2.0 / max(largest, 1e-12))
        if largest < _SMALL:
            break
    hard, gain = theta[first : first + columns], theta[first + columns :]
    levels = tuple(theta[a:b] for a, b in itertools.pairwise(starts))
    return Core(hard, gain, levels)


def _add(share: Share, start: int, first: int, columns: int, theta: Floats, gradient: Floats, hessian: Floats) -> None:
    models = share.scores.shape[1]
    own = slice(start, start + models)
    hard, gain = slice(first, first + columns), slice(first + columns, first + 2 * columns)
    x, g = share.x, share.gains
    logits = theta[own][None, :] + (x @ theta[hard])[:, None] + (x @ theta[gain])[:, None] * g[None, :]
    chance = 1.0 / (1.0 + np.exp(-logits))
    seen = np.isfinite(share.scores)
    weight = np.where(seen, share.weights[:, None] * (share.weight / max(int(seen.sum()), 1)), 0.0)
    error = weight * (chance - np.where(seen, share.scores, 0.0))
    curve = weight * chance * (1.0 - chance)
    gradient[own] += error.sum(0)
    gradient[hard] += x.T @ error.sum(1)
    gradient[gain] += x.T @ (error @ g)
    hessian[own, own] += np.diag(curve.sum(0))
    level_hard = curve.T @ x
    level_gain = level_hard * g[:, None]
    hessian[own, hard] += level_hard
    hessian[hard, own] += level_hard.T
    hessian[own, gain] += level_gain
    hessian[gain, own] += level_gain.T
    crossed = (x * (curve @ g)[:, None]).T @ x
    hessian[hard, hard] += (x * curve.sum(1)[:, None]).T @ x
    hessian[hard, gain] += crossed
    hessian[gain, hard] += crossed
    hessian[gain, gain] += (x * (curve @ g**2)[:, None]).T @ x
