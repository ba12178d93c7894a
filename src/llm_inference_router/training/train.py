"""Fits a predictor to data files: the core that all models share, tasks and kinds, each model's own part, calibration.

Deterministic: every step is convex or a decomposition with a fixed sign, and what is kept is rounded.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import Row
from llm_inference_router.learning.artefact import FORMAT, Artefact
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.lens import ABILITY_TASKS, DIRECTIONS, PARTS, TASKS, Scale
from llm_inference_router.learning.loading import Calibration, Labelled, Line, Own, Standing, prior, standing
from llm_inference_router.signals.complexity import BANDS
from llm_inference_router.signals.features import FEATURES, JUDGED, NAMES
from llm_inference_router.training import core, heads, isotonic, softmax
from llm_inference_router.training.examples import Source, Written, read_written, source_of
from llm_inference_router.training.predictor import ArtefactPredictor
from llm_inference_router.vocabulary import Tier

Floats: TypeAlias = NDArray[np.float64]

PROMPTS = Path(__file__).with_name("prompts.jsonl")

# Chosen on leave-source-out alone; the figures hardly move within a factor of two of any of them.
RIDGE_HARD, RIDGE_GAIN, EMBEDDING_RIDGE = 0.4, 40.0, 3.0
# Weight of the written prompts beside one source: for what models are worth, and for the scale that people read.
# Benchmarks hold next to nothing of everyday traffic, so the scale rests mostly on prompts that were written for it.
WRITTEN, WRITTEN_FOR_SCALE = 4.0, 60.0
TASK_RIDGE, TASK_EMBEDDING_RIDGE = 8e-3, 8e-3
KIND_RIDGE = 1e-3
BY_TASK = 0.25
# How much is believed of the level at which the written prompts put everyday traffic. All of it costs a source that is
# like no other .09 of APGR, a quarter costs .02 and still lets the smallest model answer what is light.
EVERYDAY = 0.25
# What the written prompts' levels stand for: how often a tier's typical model answers well, in log odds, at level 0
# and less for each unit of it.
LEVEL_TOP: float = 3.6
LEVEL_SLOPE: Mapping[Tier, float] = {"small": 5.0, "medium": 4.2, "large": 3.6}
TIER_ABILITY: Mapping[Tier, tuple[float, float]] = {"small": (-1.0, 0.45), "medium": (-0.2, 0.6), "large": (0.7, 0.7)}
# Benchmarks hold next to nothing that people find light, so models by name or tier would be expected to fail at it as
# often as at the easiest examination questions. Where the light band begins, one is easier than its hardness says,
# by judgement; what labels say of a model goes before. It costs a left-out source .003 of APGR.
EASE_STEEPNESS, EASE_MOST = 4.0, 2.0
_SD_FLOOR = 0.05  # of a feature: rarer ones would count for too much
# How much of the calibration is a straight line in log odds. Off the labels there is none: one that was learned from
# the left-out sources made unknown ones worse (calibration error .17 instead of .13), for they differ in level.
_KNOWN_STRAIGHT = 0.25
_FOLDS = 4
QUOTED_CODE = 6.0  # log odds of the task code, by judgement: hardly a written prompt quotes any
LIGHT_LEVEL, HEAVY_LEVEL = 0.3, 0.6
_NO_EASE = (0.0, 0.0, -1.0, *[0.0] * len(ABILITY_TASKS))  # of the line: hardness, gain, ease, tasks
OTHER = "other"  # the kind of a request that is like no benchmark


class Frame(Struct, frozen=True):
    """How columns are standardised: x -> (x - mean) / sd, the embedding with one sd for all its columns."""

    mean: Floats
    sd: Floats

    def __call__(self, x: Floats) -> Floats:
        return (x - self.mean) / self.sd


class Shared(Struct, frozen=True):
    """What a set of sources says of all models."""

    frame: Frame
    core: core.Core
    difficulty: Floats  # how hard requests are on the scale that people read, on standardised columns
    line: Line
    gains: tuple[Floats, ...]  # for each source its models' abilities, less the line's middle


def train(sources: Mapping[str, Sequence[Row]], seed: int = 0) -> ArtefactPredictor:
    """What `llm-router eval` trains with. The seed is part of the interface; nothing here is drawn."""
    del seed
    return ArtefactPredictor(fit([source_of(name, rows) for name, rows in sources.items()], written()))


def written() -> Written:
    return read_written(PROMPTS)


def fit(
    sources: Sequence[Source],
    prompts: Written,
    card: Mapping[str, Any] | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Artefact:
    """Takes sources in any order; sorts them by name. `step` is called as each part begins."""
    sources = sorted(sources, key=lambda source: source.name)
    step("core and tasks")
    shared = _shared(sources, prompts)
    step("kinds")
    names, coefficients, intercepts = _kinds(sources, prompts, shared.frame)
    step("each model's own part")
    own = _heads(sources, shared, prompts, names)
    step("calibration")
    known = _known(sources, shared, prompts, names)
    step("tables")
    weights, bias, scale = _lens(sources, prompts, shared, own, coefficients, intercepts)
    return Artefact(
        format=FORMAT,
        features=NAMES,
        embedding=shipped_embedding().sha256,
        kinds=names,
        weights=weights.astype("<f4").tobytes(),
        bias=bias.astype("<f4").tobytes(),
        scale=scale,
        line=shared.line,
        known=known,
        blind=isotonic.IDENTITY,
        labelled=_labelled(sources, shared, own, names),
        card=card or {},
    )


# --- what all models share ----------------------------------------------------------------------------------------


def _shared(sources: Sequence[Source], prompts: Written) -> Shared:
    frame = _frame(sources, prompts)
    standings = [[_standing(model) for model in source.models] for source in sources]
    middle = float(np.mean([known.general for row in standings for known in row]))
    gains = tuple(np.array([known.general - middle for known in row]) for row in standings)
    shares = [
        core.Share(frame(source.x), source.scores, gain, source.weights)
        for source, gain in zip(sources, gains, strict=True)
    ]
    found = core.fit([*shares, _levels(prompts, frame, middle, WRITTEN)], *_ridges())
    scale = core.fit([*shares, _levels(prompts, frame, middle, WRITTEN_FOR_SCALE)], *_ridges())
    line = _line(standings, found.levels, middle)
    return Shared(frame, found, -scale.hard, line, gains)


def _frame(sources: Sequence[Source], prompts: Written) -> Frame:
    """Every source counts alike, the written prompts as one of them."""
    tables = [source.x for source in sources] + [prompts.x]
    mean = np.mean([table.mean(0) for table in tables], axis=0)
    variance = np.mean([((table - mean) ** 2).mean(0) for table in tables], axis=0)
    variance[len(NAMES) :] = variance[len(NAMES) :].mean()
    return Frame(mean, np.sqrt(variance) + _SD_FLOOR * (np.arange(len(mean)) < len(NAMES)))


def _ridges() -> tuple[Floats, Floats]:
    scale = np.ones(len(NAMES) + shipped_embedding().dims)
    scale[len(NAMES) :] = EMBEDDING_RIDGE
    return RIDGE_HARD * scale, RIDGE_GAIN * scale


def _levels(prompts: Written, frame: Frame, middle: float, weight: float) -> core.Share:
    """The written prompts as one more source: their levels, as three typical models would fare at them."""
    scores = [1.0 / (1.0 + np.exp(LEVEL_SLOPE[tier] * prompts.levels - LEVEL_TOP)) for tier in LEVEL_SLOPE]
    gains = np.array([TIER_ABILITY[tier][0] - middle for tier in LEVEL_SLOPE])
    return core.Share(frame(prompts.x), np.stack(scores, axis=1), gains, np.ones(len(prompts.levels)), weight)


def _standing(model: str) -> Standing:
    blank = Line(0.0, 1.0, 0.0, BY_TASK, 0.0, 0.0, 0.0, TIER_ABILITY)
    return standing(blank, (model,), None)


def _line(standings: Sequence[Sequence[Standing]], levels: Sequence[Floats], middle: float) -> Line:
    """Levels of models on their abilities, with an offset of each source: slope within sources, offset between. The
    last of `levels` is that of the written prompts."""
    *levels, written = levels
    general = [np.array([known.general for known in row]) for row in standings]
    within_x = np.concatenate([x - x.mean() for x in general])
    within_y = np.concatenate([y - y.mean() for y in levels])
    share = np.concatenate([np.full(len(x), 1.0 / len(x)) for x in general])
    # A little of the slope that published scores have, so that one narrow source cannot set it.
    slope = float((share @ (within_x * within_y) + 0.3) / (share @ within_x**2 + 0.3))
    offsets = np.array([y.mean() - slope * x.mean() for x, y in zip(general, levels, strict=True)])
    left = np.concatenate([y - y.mean() - slope * (x - x.mean()) for x, y in zip(general, levels, strict=True)])
    return Line(
        offset=round(float(offsets.mean()), 4),
        slope=round(slope, 4),
        middle=round(middle, 4),
        by_task=round(BY_TASK * slope, 4),
        source_sd=round(float(offsets.std(ddof=1)) if len(offsets) > 1 else 0.7, 4),
        model_sd=round(float(np.sqrt(share @ left**2 / share.sum())), 4),
        everyday=round(EVERYDAY * (float(written.mean()) - slope * _mean_ability() - float(offsets.mean())), 4),
        tiers=TIER_ABILITY,
    )


def _mean_ability() -> float:
    return float(np.mean([general for general, _ in TIER_ABILITY.values()]))


@lru_cache(maxsize=2)
def _tasks(prompts: Written) -> tuple[Floats, Floats]:
    """Weights and bias on raw columns: (tasks, columns), (tasks,). From the written prompts alone, so that every
    benchmark is a test of it."""
    frame = _frame([], prompts)
    labels = np.array([TASKS.index(task) for task in prompts.tasks])
    counts = np.bincount(labels, minlength=len(TASKS))
    weights = 1.0 / counts[labels]
    ridge = np.full(prompts.x.shape[1], TASK_RIDGE)
    ridge[len(NAMES) :] = TASK_EMBEDDING_RIDGE
    found, intercepts = softmax.fit(frame(prompts.x), labels, len(TASKS), weights / weights.sum(), ridge)
    return found / frame.sd, intercepts - (found / frame.sd) @ frame.mean


# --- kinds and heads ----------------------------------------------------------------------------------------------


def _kinds(sources: Sequence[Source], prompts: Written, frame: Frame) -> tuple[tuple[str, ...], Floats, Floats]:
    """The kinds of all sources, and at the end OTHER: what is like none of them, as the written prompts are."""
    names = (*sorted({kind for source in sources for kind in source.kinds if kind}), OTHER)
    rows = [np.array([bool(kind) for kind in source.kinds]) for source in sources]
    x = np.vstack([*(frame(source.x)[mine] for source, mine in zip(sources, rows, strict=True)), frame(prompts.x)])
    labels = np.array(
        [names.index(kind) for source in sources for kind in source.kinds if kind] + [len(names) - 1] * len(prompts.x)
    )
    weights = np.bincount(labels, minlength=len(names))[labels] ** -0.5
    ridge = np.full(x.shape[1], KIND_RIDGE)
    return names, *softmax.fit(x, labels, len(names), weights / weights.sum(), ridge)


def _heads(sources: Sequence[Source], shared: Shared, prompts: Written, names: Sequence[str]) -> heads.Heads:
    return heads.fit([_residual(source, shared, prompts, names) for source in sources], DIRECTIONS)


def _residual(source: Source, shared: Shared, prompts: Written, names: Sequence[str]) -> heads.Residual:
    hot = np.array([[float(kind == name) for name in names] for kind in source.kinds])
    return heads.Residual(shared.frame(source.x), hot, _on_line(source, shared, prompts), source.scores)


def _on_line(source: Source, shared: Shared, prompts: Written) -> Floats:
    """(rows, models): the log odds of the shared line, as serving computes them."""
    x = shared.frame(source.x)
    tasks, bias = _tasks(prompts)
    odds = np.exp(source.x @ tasks.T + bias)
    shares = (odds / odds.sum(1, keepdims=True))[:, [TASKS.index(task) for task in ABILITY_TASKS]]
    ease = np.zeros((len(x), 1))  # a model that has labels goes by them
    latents = np.hstack([-(x @ shared.core.hard)[:, None], (x @ shared.core.gain)[:, None], ease, shares])
    columns = []
    for model in source.models:
        loading = prior(shared.line, _standing(model), 0)
        columns.append(loading.offset + latents @ np.array(loading.weights[: latents.shape[1]]))
    return np.stack(columns, axis=1)


def _labelled(sources: Sequence[Source], shared: Shared, own: heads.Heads, names: Sequence[str]) -> dict[str, Labelled]:
    found = {}
    for index, source in enumerate(sources):
        models = {}
        for column, model in enumerate(source.models):
            labels = int(np.isfinite(source.scores[:, column]).sum())
            models[model] = Own(
                offset=round(float(own.offsets[index][column]), 4),
                directions=tuple(round(float(w), 4) for w in own.loadings[index][column]),
                kinds=tuple(round(float(w), 4) for w in own.kinds[index][column]),
                sd=round((shared.line.model_sd**2 / (1 + labels / 20) + 5.0 / labels) ** 0.5, 4),
                labels=labels,
                line=_NO_EASE,
            )
        found[source.name] = Labelled(tuple(i for i, name in enumerate(names) if name in source.kinds), models)
    return found


# --- calibration --------------------------------------------------------------------------------------------------


def _known(sources: Sequence[Source], shared: Shared, prompts: Written, names: Sequence[str]) -> Calibration:
    """From rows that each model's own part has not seen."""
    logits, scores, weights = [], [], []
    for source in sources:
        residual = _residual(source, shared, prompts, names)
        part = np.arange(len(residual.x)) % _FOLDS
        for fold in range(_FOLDS):
            out = part == fold
            rest = heads.Residual(residual.x[~out], residual.kinds[~out], residual.base[~out], residual.scores[~out])
            found = heads.by_kind(rest)
            z = residual.base[out] + found[:, 0] + residual.kinds[out] @ found[:, 1:].T
            y = residual.scores[out]
            seen = np.isfinite(y)
            logits.append(z[seen])
            scores.append(y[seen])
            weights.append(np.full(int(seen.sum()), 1.0 / max(1, int(np.isfinite(residual.scores).sum()))))
    return isotonic.fit(np.concatenate(logits), np.concatenate(scores), np.concatenate(weights), _KNOWN_STRAIGHT)


# --- the lens -----------------------------------------------------------------------------------------------------


def _lens(
    sources: Sequence[Source],
    prompts: Written,
    shared: Shared,
    own: heads.Heads,
    kind_coefficients: Floats,
    kind_intercepts: Floats,
) -> tuple[Floats, Floats, Scale]:
    """Everything that is linear in a request as one table on raw columns, rounded, and the scale of complexity."""
    tables = [*(source.x for source in sources), prompts.x]
    parts = _by_part(shared.difficulty, tables, shared.frame)
    tasks, task_bias = _tasks(prompts)
    tasks = tasks.copy()
    tasks[TASKS.index("code"), NAMES.index("quoted_code")] = QUOTED_CODE
    before = np.vstack([parts, -shared.core.hard, shared.core.gain, own.directions]) / shared.frame.sd
    after = kind_coefficients / shared.frame.sd
    weights = np.vstack([before, tasks, after])
    bias = np.concatenate([-before @ shared.frame.mean, task_bias, kind_intercepts - after @ shared.frame.mean])
    weights, bias = np.round(weights, 4).astype(np.float64), np.round(bias, 4).astype(np.float64)
    values = prompts.x @ weights[: len(PARTS)].T + bias[: len(PARTS)]
    middle, steepness = _scaled(values.sum(1), prompts.levels)
    plain = _plain(middle + steepness * values.sum(1), prompts.x @ weights[len(PARTS)] + bias[len(PARTS)])
    for name, odds in JUDGED.items():
        column = NAMES.index(name)
        weights[: len(PARTS) + 1, column] = 0.0
        weights[PARTS.index(FEATURES[column].part), column] = round(odds / steepness, 4)
        weights[len(PARTS), column] = round(odds * plain[1], 4)
    everything = np.vstack([table @ weights[: len(PARTS)].T + bias[: len(PARTS)] for table in tables])
    low, high = np.percentile(everything, [2, 98], axis=0)
    return (
        weights,
        bias,
        Scale(
            middle,
            steepness,
            tuple(round(float(v), 4) for v in low),
            tuple(round(float(v) + 0.05, 4) for v in high),
            plain,
            (round(float(np.log(BANDS[0] / (1.0 - BANDS[0]))), 4), EASE_STEEPNESS, EASE_MOST),
        ),
    )


def _by_part(hard: Floats, tables: Sequence[Floats], frame: Frame) -> Floats:
    """(parts, columns): the hardness shared out. A hand feature speaks for its own part. The embedding's share goes to
    the parts whose hand features it resembles, and what resembles none is knowledge: what the text is about."""
    columns = len(NAMES)
    parts = np.zeros((len(PARTS), len(hard)))
    for index, feature in enumerate(FEATURES):
        parts[PARTS.index(feature.part), index] = hard[index]
    x = frame(np.vstack(tables))
    e = x[:, columns:]
    gram = e.T @ e + len(e) * np.eye(e.shape[1])
    likeness = np.linalg.solve(gram, e.T @ (x[:, :columns] @ parts[:, :columns].T)).T
    shares = np.linalg.lstsq(
        np.vstack([likeness.T, 0.1 * np.eye(len(PARTS))]),
        np.concatenate([hard[columns:], np.zeros(len(PARTS))]),
        rcond=None,
    )[0]
    parts[:, columns:] = np.clip(shares, 0.0, None)[:, None] * likeness
    parts[PARTS.index("knowledge"), columns:] += hard[columns:] - parts[:, columns:].sum(0)
    return parts


def _scaled(hardness: Floats, levels: Floats) -> tuple[float, float]:
    """From difficulty to the scale: written prompts of level 0.3, where the easy ones end, come to the edge of light,
    those of 0.6, where the demanding ones end, to that of heavy; the spread in log odds is kept. A regression would
    pull both ends to the middle, and nothing would be light or heavy."""
    light, heavy = (float(np.log(edge / (1.0 - edge))) for edge in BANDS)
    odds = light + (heavy - light) * (levels - LIGHT_LEVEL) / (HEAVY_LEVEL - LIGHT_LEVEL)
    steepness = float(odds.std() / hardness.std())
    return round(float(odds.mean()) - steepness * float(hardness.mean()), 4), round(steepness, 4)


def _plain(odds: Floats, hardness: Floats) -> tuple[float, float]:
    """Intercept and slope of the hardness on the log odds of complexity."""
    slope = float(np.cov(odds, hardness)[0, 1] / odds.var(ddof=1))
    return round(float(hardness.mean()) - slope * float(odds.mean()), 4), round(slope, 4)
