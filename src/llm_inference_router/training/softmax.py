"""Multinomial logistic regression with a ridge: the task and the kind of a request."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_ITERATIONS = 3000


def fit(x: Floats, labels: NDArray[np.int64], classes: int, weights: Floats, ridge: Floats) -> tuple[Floats, Floats]:
    """Coefficients (classes, columns) and intercepts (classes,) of standardised `x`; `weights` (rows,) add up to 1,
    `ridge` (columns,) is the precision of each column's penalty. Convex; deterministic."""
    from scipy.optimize import minimize

    rows, columns = x.shape
    target = np.zeros((rows, classes))
    target[np.arange(rows), labels] = 1.0

    def loss(theta: Floats) -> tuple[float, Floats]:
        table = theta.reshape(classes, columns + 1)
        scores = x @ table[:, :-1].T + table[:, -1]
        scores -= scores.max(1, keepdims=True)
        odds = np.exp(scores)
        chance = odds / odds.sum(1, keepdims=True)
        value = -float(weights @ np.log(chance[np.arange(rows), labels] + 1e-300))
        value += 0.5 * float((ridge * table[:, :-1] ** 2).sum())
        error = (chance - target) * weights[:, None]
        gradient = np.hstack([error.T @ x + ridge * table[:, :-1], error.sum(0)[:, None]])
        return value, gradient.ravel()

    start = np.zeros(classes * (columns + 1))
    options = {"maxiter": _ITERATIONS, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 30}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    table = found.x.reshape(classes, columns + 1)
    return table[:, :-1], table[:, -1]
