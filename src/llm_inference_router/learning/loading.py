"""A model as a vector: how its log odds of a good answer depend on a request's latent numbers.

    z = offset + weights . latent        quality = calibration(z)

Every model stands on one line by its ability, which comes from public results by its name, else from its tier. Where
one source of labels has answers of all the models that are compared, what those say otherwise than the line is added,
for requests of the kinds that the source holds, and only there: sources differ in how strictly they judge, so labels of
different sources cannot be compared, and what a model does on examinations says little of letters.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import mul
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.learning.abilities import ability
from llm_inference_router.learning.families import find
from llm_inference_router.learning.lens import ABILITY_TASKS, DIRECTIONS, latent_size
from llm_inference_router.vocabulary import Tier

Floats: TypeAlias = NDArray[np.float64]
_FEW = 8  # models
Source: TypeAlias = Literal["labels", "public results", "tier"]


class Loading(Struct, frozen=True):
    """Where a model stands on the line. `sd` in logits."""

    offset: float
    weights: tuple[float, ...]
    sd: float
    source: Source


class Own(Struct, frozen=True, omit_defaults=True):
    """What a model's own labels add to the line, in logits: everywhere, along the directions, and by kind. `sd` is what
    is left to doubt where they hold; `labels` is how many there are; `line` is what they change of the line itself
    (along hardness, gain, ease and the ability tasks), empty for nothing."""

    offset: float
    directions: tuple[float, ...]
    kinds: tuple[float, ...]
    sd: float
    labels: int
    line: tuple[float, ...] = ()


class Labelled(Struct, frozen=True):
    """One source of labels: the kinds of request that it holds (indices), and its models."""

    kinds: tuple[int, ...]
    models: Mapping[str, Own]


class Line(Struct, frozen=True):
    """What all models share. Ability in logits, on the scale of `learning.abilities`.

    z = offset + slope x ability - hardness + (ability - middle) x gain + ease
        + by_task x share x (task's - general ability)
    """

    offset: float
    slope: float
    middle: float
    by_task: float
    source_sd: float  # between sources: how strictly answers are judged
    model_sd: float  # between models of the same ability
    everyday: float  # added where a request is like no benchmark: exams are judged more strictly than letters
    tiers: Mapping[Tier, tuple[float, float]]  # ability of a tier's typical model, and sd between its models


class Standing(Struct, frozen=True):
    """A model's ability and where it is known from."""

    general: float
    tasks: tuple[float, ...]  # in the order of ABILITY_TASKS
    sd: float
    source: Source


def standing(line: Line, names: Sequence[str], tier: Tier | None) -> Standing:
    """By the first of `names` that public results know, else by its tier; a medium one's where nothing is known,
    with twice the doubt."""
    for name in names:
        match = find(name)
        found = None if match is None else ability(match)
        if found is not None:
            tasks = tuple(found.tasks[task] for task in ABILITY_TASKS.values())
            return Standing(found.general, tasks, found.sd, "public results")
    general, sd = line.tiers[tier or "medium"]
    return Standing(general, (general,) * len(ABILITY_TASKS), sd if tier else 2.0 * sd, "tier")


def prior(line: Line, known: Standing, kinds: int) -> Loading:
    """The loading of a model without labels."""
    general = known.general
    weights = [-1.0, general - line.middle, 1.0]
    weights += [line.by_task * (task - general) for task in known.tasks]
    weights += [0.0] * (latent_size(kinds) - len(weights))
    if kinds:
        weights[-1] = line.everyday
    sd = (line.source_sd**2 + line.model_sd**2 + (line.slope * known.sd) ** 2) ** 0.5
    return Loading(line.offset + line.slope * general, tuple(weights), sd, known.source)


class Calibration(Struct, frozen=True):
    """An isotonic map from log odds to probability, linear between its knots and flat beyond."""

    logits: tuple[float, ...]
    chances: tuple[float, ...]

    def __call__(self, logits: Floats) -> Floats:
        return np.interp(logits, self.logits, self.chances)

    def curve(self) -> tuple[Floats, Floats]:
        """The knots as arrays: what `np.interp` would make of the tuples at every call."""
        return np.array(self.logits), np.array(self.chances)


class Curve:
    """A calibration, for one number at a time."""

    __slots__ = ("_chances", "_knots", "_last", "_logits", "_slopes")

    def __init__(self, calibration: Calibration) -> None:
        self._logits, self._chances = calibration.logits, calibration.chances
        self._last = len(self._logits) - 1
        rises = zip(pairwise(self._logits), pairwise(self._chances), strict=True)
        self._slopes = [(b - a) / (right - left) if right > left else 0.0 for (left, right), (a, b) in rises]

    def __call__(self, logit: float) -> float:
        at = bisect_right(self._logits, logit) - 1
        if at < 0:
            return self._chances[0]
        if at >= self._last:
            return self._chances[-1]
        return self._slopes[at] * (logit - self._logits[at]) + self._chances[at]


class Estimates(Struct, frozen=True, gc=False):
    """Mean and standard deviation of each model's quality 0..1; `covered` (0..1) is how much of it own labels say."""

    means: list[float]
    sds: list[float]
    covered: float


class Panel:
    """Some models side by side, so that one product serves them all. With `labelled`, it must know every one."""

    __slots__ = (
        "_blind",
        "_blind_curve",
        "_covering",
        "_known",
        "_known_curve",
        "_labelled",
        "_mask",
        "_matrix",
        "_offsets",
        "_own",
        "_own_offsets",
        "_own_rows",
        "_own_sds",
        "_rows",
        "_sds",
        "bases",
        "names",
    )

    def __init__(
        self, loadings: Mapping[str, Loading], labelled: Labelled | None, known: Calibration, blind: Calibration
    ) -> None:
        self.names = tuple(loadings)
        self.bases: tuple[Source, ...] = tuple(row.source for row in loadings.values())
        rows = list(loadings.values())
        self._rows = [(row.offset, row.weights, row.sd) for row in rows]
        self._matrix = np.array([row.weights for row in rows]).T
        self._offsets = np.array([row.offset for row in rows])
        self._sds = np.array([row.sd for row in rows])
        self._known, self._blind = known.curve(), blind.curve()
        self._known_curve, self._blind_curve = Curve(known), Curve(blind)
        self._labelled = labelled is not None
        if labelled is not None:
            own = [labelled.models[name] for name in self.names]
            size = self._matrix.shape[0]
            self._mask: Floats = np.zeros(size)
            self._mask[[size - len(own[0].kinds) + kind for kind in labelled.kinds]] = 1.0
            self._covering: list[float] = self._mask.tolist()
            shared = size - len(own[0].kinds) - DIRECTIONS
            self._own = np.array([(*(row.line or (0.0,) * shared), *row.directions, *row.kinds) for row in own]).T
            self._own_offsets = np.array([row.offset for row in own])
            self._own_sds = np.array([row.sd for row in own])
            self._own_rows = list(
                zip(self._own_offsets.tolist(), self._own.T.tolist(), self._own_sds.tolist(), strict=True)
            )

    def quality(self, latent: Sequence[float]) -> Estimates:
        """`qualities` of one request, in the order of `names`.

        A few models go without NumPy: between two requests its code has left the processor's caches, and products of
        thirty numbers are done sooner than it is back.
        """
        if len(self.names) > _FEW:
            found = self.qualities(np.array(latent))
            return Estimates(found[0].tolist(), found[1].tolist(), float(found[2]))
        blind = self._blind_curve
        if not self._labelled:
            means = [blind(offset + sum(map(mul, weights, latent))) for offset, weights, _ in self._rows]
            sds = [mean * (1.0 - mean) * row[2] for mean, row in zip(means, self._rows, strict=True)]
            return Estimates(means, sds, 0.0)
        known = self._known_curve
        share = sum(map(mul, self._covering, latent))
        rest = 1.0 - share
        means, sds = [], []
        for (offset, weights, sd), (more, own, own_sd) in zip(self._rows, self._own_rows, strict=True):
            logit = offset + sum(map(mul, weights, latent))
            mean = rest * blind(logit) + share * known(logit + more + sum(map(mul, own, latent)))
            means.append(mean)
            sds.append(mean * (1.0 - mean) * (rest * sd + share * own_sd))
        return Estimates(means, sds, share)

    def qualities(self, latents: Floats) -> tuple[Floats, Floats, Floats]:
        """For latents of shape (..., numbers): means and sds of shape (..., models), and how much of each request is
        covered by labels, (...)."""
        logits = latents @ self._matrix + self._offsets
        means = np.interp(logits, *self._blind)
        if not self._labelled:
            return means, means * (1.0 - means) * self._sds, np.zeros(latents.shape[:-1])
        covered = latents @ self._mask
        share = covered[..., None]
        own = latents @ self._own + self._own_offsets
        means = (1.0 - share) * means + share * np.interp(logits + own, *self._known)
        sds = (1.0 - share) * self._sds + share * self._own_sds
        return means, means * (1.0 - means) * sds, covered
