"""A new model from few labels: what its own answers say, weighed against what is to be expected of any model.

    z = line + what known models of the same source do otherwise than theirs, on average
        + offset + kinds . shares + loadings . ways + slope x hardness + heads . directions

The first line needs no labels. The second has a Gaussian prior around nothing. The `ways` are the three leading
principal directions of the known models' departures from their average: the ways in which models are known to differ.
The posterior is Laplace's approximation (Tierney and Kadane 1986): Newton's steps to the one maximum of a concave
function, and its curvature there.

Below `HEADS_FROM` labels the free heads stay at their prior: the slope along hardness and the loadings on the latent
directions of the lens. Only intercepts move: the offset and, held back more, one for each kind, and along each of the
known models' ways. Where no other model is known there are no ways, and the offsets alone move.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.learning.lens import DIRECTIONS
from llm_inference_router.learning.loading import Loading, Own

Floats: TypeAlias = NDArray[np.float64]

HEADS_FROM = 300
WAYS = 3
_STEPS = 50
_CLOSE = 1e-10
_FEWEST_OTHERS = 2
_PLACES = 4


class Spread(Struct, frozen=True):
    """Prior standard deviations in logits: of the offset, of each kind's, and of the heads (the slope along hardness
    and the lens's directions) for one standard deviation of what they multiply."""

    offset: float
    kind: float = 0.35
    head: float = 0.30


class Crowd(Struct, frozen=True, eq=False):
    """What known models do otherwise than the line, as weights on (1, latent): `mean` of shape (1 + d,); `ways`
    (r, 1 + d), r at most three, with values of mean 0 and standard deviation 1 over the requests that they were found
    on; `sds` (r,), how much models differ along each."""

    mean: Floats
    ways: Floats
    sds: Floats


class Learned(Struct, frozen=True, eq=False):
    """`weights` on (1, latent) to be added to the line's log odds, and their covariance; `labels` behind them."""

    weights: Floats
    covariance: Floats
    labels: int

    def logits(self, latents: Floats) -> Floats:
        """Of shape (n,), to be added to the line's."""
        added: Floats = _with_one(latents) @ self.weights
        return added

    def sds(self, latents: Floats) -> Floats:
        """Standard deviation in logits at each of n requests."""
        x = _with_one(latents)
        found: Floats = np.sqrt(np.maximum(((x @ self.covariance) * x).sum(1), 0.0))
        return found

    def sd_of_mean(self, latents: Floats) -> float:
        """Standard deviation in logits of the mean over n requests, which is less than that of each."""
        x = _with_one(latents).mean(0)
        return float(max(x @ self.covariance @ x, 0.0) ** 0.5)


def nobody(size: int) -> Crowd:
    """Where no model of the source is known. `size` is d."""
    return Crowd(np.zeros(1 + size), np.zeros((0, 1 + size)), np.zeros(0))


def crowd(others: Sequence[Own], latents: Floats) -> Crowd:
    """From known models of one source; `latents` (n, d) are requests as they come, labels are not needed. One model
    gives a mean and no ways: it says nothing of how models differ."""
    size = latents.shape[1]
    if not others:
        return nobody(size)
    weights = np.array([weights_of(own, size) for own in others])
    mean = weights.mean(0)
    if len(others) < _FEWEST_OTHERS or len(latents) < _FEWEST_OTHERS:
        return Crowd(mean, np.zeros((0, 1 + size)), np.zeros(0))
    apart = weights - mean
    values = _with_one(latents) @ apart.T
    centres = values.mean(0)
    _, lengths, mixes = np.linalg.svd(values - centres, full_matrices=False)
    kept = np.flatnonzero(lengths[:WAYS] > 1e-6 * max(float(lengths[0]), 1e-6))
    lengths, mixes = lengths[kept], mixes[kept]
    signs = np.sign(mixes[np.arange(len(mixes)), np.abs(mixes).argmax(1)])
    mixes = mixes * signs[:, None]
    scale = np.sqrt(len(latents)) / lengths
    ways = (mixes @ apart) * scale[:, None]
    ways[:, 0] -= (mixes @ centres) * scale
    return Crowd(mean, ways, lengths / np.sqrt(len(latents) * len(others)))


def learn(
    latents: Floats,
    base: Floats,
    scores: Floats,
    known: Crowd,
    spread: Spread,
    *,
    kinds: int,
    requests: Floats | None = None,
    heads_from: int = HEADS_FROM,
) -> Learned:
    """The posterior of a model's own part.

    `latents` (n, d) of the labelled requests, `base` (n,) the line's log odds of this model there, `scores` (n,) in
    0..1; n may be 0. The last `kinds` numbers of a latent are its kinds. `requests` (m, d) say what is usual (mean and
    spread of hardness); the labelled ones if not given. Raises ValueError for shapes that do not fit, and for scores
    or log odds that are not finite.
    """
    _check(latents, base, scores, known)
    size = latents.shape[1]
    usual = latents if requests is None else requests
    heads = _heads(usual, size, kinds)
    basis = np.vstack([_intercepts(size, kinds), known.ways, heads])
    sds = np.concatenate([[spread.offset], np.full(kinds, spread.kind), known.sds, np.full(len(heads), spread.head)])
    moving = np.arange(len(sds)) < (len(sds) if len(scores) >= heads_from else len(sds) - len(heads))
    x = _with_one(latents)
    precision = 1.0 / np.square(sds[moving])
    theta, hessian = _maximum(x @ basis[moving].T, base + x @ known.mean, scores, precision)
    covariance = np.diag(np.square(sds))
    covariance[np.ix_(moving, moving)] = np.linalg.inv(hessian)
    return Learned(known.mean + theta @ basis[moving], basis.T @ covariance @ basis, len(scores))


def own_of(learned: Learned, latents: Floats, kinds: int) -> Own:
    """As a panel adds it. Its one `sd` is the root mean square over `latents`, the requests that it is meant for."""
    size = len(learned.weights) - 1
    line = size - kinds - DIRECTIONS
    weights = [round(float(weight), _PLACES) for weight in learned.weights]
    sds = learned.sds(latents)
    return Own(
        offset=weights[0],
        directions=tuple(weights[1 + line : 1 + line + DIRECTIONS]),
        kinds=tuple(weights[1 + line + DIRECTIONS :]),
        sd=round(float(np.sqrt(np.mean(sds**2))) if len(sds) else 0.0, _PLACES),
        labels=learned.labels,
        line=tuple(weights[1 : 1 + line]) if any(weights[1 : 1 + line]) else (),
    )


def weights_of(own: Own, size: int) -> Floats:
    """An own part as weights on (1, latent), of shape (1 + size,)."""
    blank = size - len(own.kinds) - len(own.directions)
    return np.array([own.offset, *(own.line or (0.0,) * blank), *own.directions, *own.kinds])


def line_logits(loading: Loading, latents: Floats) -> Floats:
    """The line's log odds of a model at each request, of shape (n,)."""
    odds: Floats = latents @ np.array(loading.weights) + loading.offset
    return odds


def without(models: Mapping[str, Own], name: str) -> list[Own]:
    """The other models of a source, in the order of their names."""
    return [models[other] for other in sorted(models) if other != name]


def _with_one(latents: Floats) -> Floats:
    return np.hstack([np.ones((len(latents), 1)), latents])


def _intercepts(size: int, kinds: int) -> Floats:
    rows = np.zeros((1 + kinds, 1 + size))
    rows[0, 0] = 1.0
    rows[1:, 1 + size - kinds :] = np.eye(kinds)
    return rows


def _heads(usual: Floats, size: int, kinds: int) -> Floats:
    """Hardness and the lens's directions, each of mean 0 and standard deviation 1 over the usual requests; what does
    not vary there is left out."""
    first = size - kinds - DIRECTIONS
    rows = []
    for at in (0, *range(first, first + DIRECTIONS)):
        spread = float(usual[:, at].std()) if len(usual) > 1 else 0.0
        if spread > 1e-6:
            row = np.zeros(1 + size)
            row[0], row[1 + at] = -float(usual[:, at].mean()) / spread, 1.0 / spread
            rows.append(row)
    return np.array(rows).reshape(len(rows), 1 + size)


def _maximum(design: Floats, base: Floats, scores: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """The maximum of the posterior, and the negative Hessian of its logarithm there."""
    theta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        gradient, hessian = _slopes(design, base, scores, precision, theta)
        step = np.linalg.solve(hessian, gradient)
        largest = float(np.abs(step).max())
        theta -= step * min(1.0, 2.0 / max(largest, 1e-12))
        if largest < _CLOSE:
            break
    return theta, _slopes(design, base, scores, precision, theta)[1]


def _slopes(design: Floats, base: Floats, scores: Floats, precision: Floats, theta: Floats) -> tuple[Floats, Floats]:
    chance = 0.5 * (1.0 + np.tanh(0.5 * (base + design @ theta)))  # the logistic curve, without overflow
    gradient = design.T @ (chance - scores) + precision * theta
    hessian = (design * (chance * (1.0 - chance))[:, None]).T @ design + np.diag(precision)
    return gradient, hessian


def _check(latents: Floats, base: Floats, scores: Floats, known: Crowd) -> None:
    if latents.ndim != 2 or base.shape != (len(latents),) or scores.shape != (len(latents),):
        raise ValueError(f"{latents.shape} latents, {base.shape} log odds and {scores.shape} scores do not fit")
    if known.mean.shape != (1 + latents.shape[1],):
        raise ValueError("the known models have latents of another size")
    if not (np.isfinite(latents).all() and np.isfinite(base).all() and np.isfinite(scores).all()):
        raise ValueError("latents, log odds and scores must be finite")
    if len(scores) and not (float(scores.min()) >= 0.0 and float(scores.max()) <= 1.0):
        raise ValueError("scores must be within 0..1")
