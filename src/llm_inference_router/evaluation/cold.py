"""How good a predictor is for a model of which it has seen few labels, or none: one model is left out at a time.

    excess Brier = Brier score of the cold predictor - Brier score of one trained with all the model's labels

on rows that neither has seen: a fifth of a file, by its rows' ids. The cold predictor is trained without a single score
of the left-out model, and then given a few drawn labels of it (`learning.cold`). Excess is averaged over models and
draws of labels. Its interval resamples both rows and models, for another file would hold others of both.

Two controls stand beside it: the line alone (what a name says), and the labels without the other models' example.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import resample, summary
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.forecast import fold_of
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.predictor import Trainer
from llm_inference_router.evaluation.table import Table
from llm_inference_router.learning.artefact import Artefact
from llm_inference_router.learning.cold import (
    HEADS_FROM,
    Crowd,
    Learned,
    Spread,
    crowd,
    learn,
    line_logits,
    nobody,
    without,
)
from llm_inference_router.learning.cold import own_of as own
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.loading import Labelled, Panel, prior, standing
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.sense import Sense

Floats: TypeAlias = NDArray[np.float64]
Step: TypeAlias = Callable[[str], None]

LABELS = (0, 10, 50, 200)
DRAWS = 20
_PARTS = 5  # one of them is held out
_FEWEST_MODELS = 3


class Plan(Struct, frozen=True):
    """`labels` of the left-out model, drawn `draws` times from `seed`; `samples` of the bootstrap."""

    labels: tuple[int, ...] = LABELS
    draws: int = DRAWS
    seed: int = 0
    samples: int = 1000
    heads_from: int = HEADS_FROM


class Excess(Struct, frozen=True):
    """At one number of labels. `excess` and `alone` (without the other models' example) are differences of Brier
    scores; `spread` the standard deviation of the excess between draws; `by_model` its mean."""

    labels: int
    excess: Interval
    alone: Interval
    spread: float
    by_model: Mapping[str, float]


class ColdStart(Struct, frozen=True):
    """Of one file. `trained` is the Brier score with all labels, `line` the excess of the line alone."""

    rows: int
    held: int
    models: int
    draws: int
    trained: Interval
    line: Interval
    at: tuple[Excess, ...]


class _Scene(Struct, frozen=True, eq=False):
    """One left-out model: what the cold predictor may use, and what it is measured against (held rows)."""

    artefact: Artefact
    name: str
    labelled: Labelled
    latents: Floats
    scores: Floats
    held: NDArray[np.bool_]


def cold_start(
    tables: Mapping[str, Table], trainer: Trainer, plan: Plan | None = None, step: Step = lambda _: None
) -> dict[str, ColdStart]:
    """Of each file, the others in the training. `step` is called once for a file and once for each of its models.
    Raises `DataError` for a file with fewer than three models or too few rows, and for a trainer whose predictors
    have no artefact."""
    plan = plan or Plan()
    problems = [problem for table in tables.values() for problem in _problems(table, plan)]
    if problems:
        raise DataError(problems)
    return {name: _file(tables, name, trainer, plan, step) for name in tables}


def _problems(table: Table, plan: Plan) -> list[str]:
    held = _held(table)
    most = max(plan.labels)
    found = []
    if len(table.models) < _FEWEST_MODELS:
        found.append(f"{table.name}: a cold start needs {_FEWEST_MODELS} models at least, it has {len(table.models)}")
    if int((~held).sum()) < most or int(held.sum()) < 2:
        found.append(f"{table.name}: {len(held)} rows are too few for {most} labels and a fifth held out")
    return found


def _file(tables: Mapping[str, Table], name: str, trainer: Trainer, plan: Plan, step: Step) -> ColdStart:
    table, held = tables[name], _held(tables[name])
    sources: dict[str, Sequence[Row]] = {other: one.rows for other, one in tables.items() if other != name}
    rest = [row for row, out in zip(table.rows, held, strict=True) if not out]
    trained = _squared_when_trained(table, held, _artefact(trainer({**sources, name: rest}, plan.seed)))
    step(name)
    lines, found, alone = [], [], []
    for column, model in enumerate(table.models):
        less = {other: _less(rows, model) for other, rows in {**sources, name: rest}.items()}
        artefact = _artefact(trainer({other: rows for other, rows in less.items() if rows}, plan.seed))
        scene = _Scene(
            artefact, model, artefact.labelled[name], _latents(artefact, table), table.scores[:, column], held
        )
        line, cold, own_only = _squared_when_cold(scene, plan)
        lines.append(line - trained[:, column])
        found.append(cold - trained[:, column])
        alone.append(own_only - trained[:, column])
        step(f"{name} without {model}")
    sample = _Sample(int(held.sum()), len(table.models), plan.samples, zlib.crc32(name.encode()) + plan.seed)
    stacked, singly = np.array(found), np.array(alone)  # (models, labels, draws, held rows)
    return ColdStart(
        rows=len(table.rows),
        held=int(held.sum()),
        models=len(table.models),
        draws=plan.draws,
        trained=sample(trained.T),
        line=sample(np.array(lines)),
        at=tuple(
            Excess(
                labels=count,
                excess=sample(stacked[:, at].mean(1)),
                alone=sample(singly[:, at].mean(1)),
                spread=float(stacked[:, at].mean(2).std(axis=1).mean()),
                by_model={model: float(stacked[column, at].mean()) for column, model in enumerate(table.models)},
            )
            for at, count in enumerate(plan.labels)
        ),
    )


def _squared_when_trained(table: Table, held: NDArray[np.bool_], artefact: Artefact) -> Floats:
    """Squared errors of shape (held rows, models)."""
    panel = _panel(artefact, artefact.labelled[table.name], table.models)
    quality = panel.qualities(_latents(artefact, table)[held])[0]
    squared: Floats = (quality - table.scores[held]) ** 2
    return squared


def _squared_when_cold(scene: _Scene, plan: Plan) -> tuple[Floats, Floats, Floats]:
    """Squared errors on the held rows: of the line alone (rows,), with the other models' example and without it
    (labels, draws, rows)."""
    artefact, latents, name = scene.artefact, scene.latents, scene.name
    kinds = len(artefact.kinds)
    known = standing(artefact.line, (name,), None)
    loading = prior(artefact.line, known, kinds)
    base = line_logits(loading, latents)
    pool = np.flatnonzero(~scene.held)
    usual = latents[pool]
    near, far = _spreads(artefact, known.sd)
    example = crowd(without(scene.labelled.models, name), usual)
    rng = np.random.default_rng(zlib.crc32(name.encode()) + plan.seed)
    drawn = [rng.permutation(pool)[: max(plan.labels)] for _ in range(plan.draws)]

    def squared(others: Crowd, spread: Spread, chosen: NDArray[np.intp]) -> Floats:
        learned = learn(
            latents[chosen],
            base[chosen],
            scene.scores[chosen],
            others,
            spread,
            kinds=kinds,
            requests=usual,
            heads_from=plan.heads_from,
        )
        return _errors(scene, learned, usual)

    def every(others: Crowd, spread: Spread) -> Floats:
        return np.array([[squared(others, spread, one[:count]) for one in drawn] for count in plan.labels])

    blind = (artefact.blind(base[scene.held]) - scene.scores[scene.held]) ** 2
    return blind, every(example, near), every(nobody(latents.shape[1]), far)


def _spreads(artefact: Artefact, sd: float) -> tuple[Spread, Spread]:
    """Of a model's offset beside known models of its source, and where how strictly the source judges is unknown."""
    line = artefact.line
    model = line.model_sd**2 + (line.slope * sd) ** 2
    return Spread(model**0.5), Spread((model + line.source_sd**2) ** 0.5)


def _errors(scene: _Scene, learned: Learned, usual: Floats) -> Floats:
    mine = Labelled(scene.labelled.kinds, {scene.name: own(learned, usual, len(scene.artefact.kinds))})
    quality = _panel(scene.artefact, mine, (scene.name,)).qualities(scene.latents[scene.held])[0]
    squared: Floats = (quality[:, 0] - scene.scores[scene.held]) ** 2
    return squared


def _panel(artefact: Artefact, labelled: Labelled, models: Sequence[str]) -> Panel:
    """By the labels of this one source, whatever others know of the models."""
    line, kinds = artefact.line, len(artefact.kinds)
    loadings = {model: prior(line, standing(line, (model,), None), kinds) for model in models}
    return Panel(loadings, labelled, artefact.known, artefact.blind)


def _artefact(predictor: object) -> Artefact:
    artefact = getattr(predictor, "artefact", None)
    if not isinstance(artefact, Artefact):
        raise DataError(["a cold start can be measured of trained predictors only"])
    return artefact


def _latents(artefact: Artefact, table: Table) -> Floats:
    sense = Sense(artefact, shipped_embedding())
    requests = [row.request for row in table.rows]
    return np.array([extract(request, view(request), sense).latent for request in requests])


def _held(table: Table) -> NDArray[np.bool_]:
    return np.array([fold_of(row.id, _PARTS) == 0 for row in table.rows])


def _less(rows: Sequence[Row], model: str) -> list[Row]:
    """Without any score of one model, and without rows that have none left."""
    less = [structs.replace(row, scores={m: s for m, s in row.scores.items() if m != model}) for row in rows]
    return [row for row in less if row.scores]


class _Sample:
    """The mean of a (models, rows) table, with the 95 % interval of resampling both."""

    def __init__(self, rows: int, models: int, samples: int, seed: int) -> None:
        self._rows = resample(rows, samples, seed)
        self._models = resample(models, samples, seed + 1)

    def __call__(self, values: Floats) -> Interval:
        of_model = self._rows @ values.T / values.shape[1]
        return summary((of_model * self._models).sum(1) / values.shape[0])
