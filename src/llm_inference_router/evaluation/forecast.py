"""What a predictor says of a file before its scores are looked at, and the ways of keeping it from having seen them.

Whoever is trained here never sees a prompt that shares a passage with one it is scored on, and a prompt that two
sources hold only once, as `llm-router train` does it (`windows`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.predictor import Predictor, Trainer
from llm_inference_router.evaluation.table import Table
from llm_inference_router.evaluation.windows import Flags, Shared, shared_by

Floats: TypeAlias = NDArray[np.float64]
Step: TypeAlias = Callable[[str], None]


class Forecast(Struct, frozen=True):
    """`quality` and `price` (predicted USD, the same for all rows of a fold) of shape (rows, models), `complexity` of
    each row, `known` of each model."""

    quality: Floats
    price: Floats
    complexity: Floats
    known: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def given(tables: Mapping[str, Table], predictor: Predictor, step: Step) -> dict[str, Forecast]:
    """The predictor as it is, on all rows. Predicted cost of a model: its mean over the file, which stands for the
    price list that an owner has."""
    found = {}
    for name, table in tables.items():
        found[name] = _whole(table, predictor)
        step(name)
    return found


def leave_source_out(tables: Mapping[str, Table], trainer: Trainer, seed: int, step: Step) -> dict[str, Forecast]:
    """Each file by a predictor that was trained on the others. Predicted cost as in `given`. Raises `DataError` for
    fewer than two files."""
    if len(tables) < 2:
        raise DataError(["leaving a source out needs two files at least: one to score, one to train on"])
    shared = shared_by({name: table.rows for name, table in tables.items()})
    found = {}
    for name, table in tables.items():
        held = np.ones(len(table.rows), dtype=np.bool_)
        others, left_out = _unseen(tables, shared, name, held)
        found[name] = _whole(table, trainer(others, seed), _notes([left_out]))
        step(name)
    return found


def folds(tables: Mapping[str, Table], trainer: Trainer, count: int, seed: int, step: Step) -> dict[str, Forecast]:
    """Each file in `count` parts, each part by a predictor trained on the file's other parts and all other files.
    Predicted cost of a model: its mean over the file's other parts. Raises `DataError` where a part would be empty."""
    parts = {name: np.array([fold_of(row.id, count) for row in table.rows]) for name, table in tables.items()}
    empty = [
        f"{name}: {len(part)} rows leave one of {count} folds empty; take fewer folds"
        for name, part in parts.items()
        if len(np.unique(part)) < count
    ]
    if empty:
        raise DataError(empty)
    shared = shared_by({name: table.rows for name, table in tables.items()})
    return {name: _folded(tables, shared, name, parts[name], trainer, seed, step) for name in tables}


def fold_of(identity: str, count: int) -> int:
    """The fold of a row, by its id alone: 0 to `count` - 1."""
    return int.from_bytes(hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()[:8]) % count


def _unseen(
    tables: Mapping[str, Table], shared: Shared, name: str, held: Flags
) -> tuple[dict[str, Sequence[Row]], int]:
    """What to train on where the rows of `name` that are `held` are scored, and how many more rows were left out
    because they share a passage with one of them, or with an earlier source. Raises `DataError` where nothing is left.
    """
    touched = shared.touched({name: held})
    kept = {other: ~flags for other, flags in touched.items()}
    kept[name] &= ~held
    rest = {other: np.flatnonzero(flags).tolist() for other, flags in shared.once(kept).items()}
    sources = {other: [tables[other].rows[row] for row in places] for other, places in rest.items() if len(places) > 1}
    if not sources:
        raise DataError([f"{name}: all other prompts share a passage with those to be scored: nothing to train on"])
    everything = sum(len(table.rows) for table in tables.values()) - int(held.sum())
    return dict(sources), everything - sum(len(rows) for rows in sources.values())


def _notes(left_out: Sequence[int]) -> tuple[str, ...]:
    if not any(left_out):
        return ()
    each = f"{min(left_out):,}" if len(set(left_out)) == 1 else f"{min(left_out):,} to {max(left_out):,}"
    times = "" if len(left_out) == 1 else " a fold"
    why = "that share a passage with one that is scored, or across sources with each other"
    return (f"Left out of the training{times}: {each} prompts {why}.",)


def _folded(
    tables: Mapping[str, Table],
    shared: Shared,
    name: str,
    part: NDArray[np.intp],
    trainer: Trainer,
    seed: int,
    step: Step,
) -> Forecast:
    table = tables[name]
    left_out = []
    quality, price = np.empty(table.scores.shape), np.empty(table.scores.shape)
    complexity, known = np.empty(len(part)), np.ones(len(table.models), dtype=np.bool_)
    for fold in range(int(part.max()) + 1):
        held = part == fold
        sources, dropped = _unseen(tables, shared, name, held)
        left_out.append(dropped)
        predictor = trainer(sources, seed)
        requests = [row.request for row, out in zip(table.rows, held, strict=True) if out]
        quality[held] = predictor.predict(requests, table.models).quality
        complexity[held] = predictor.complexity(requests)
        price[held] = table.cost[~held].mean(axis=0)
        known &= np.array([predictor.knows(model) for model in table.models])
        step(f"{name}, fold {fold + 1}")
    return _checked(table, Forecast(quality, price, complexity, known, _notes(left_out)))


def _whole(table: Table, predictor: Predictor, notes: tuple[str, ...] = ()) -> Forecast:
    requests = [row.request for row in table.rows]
    forecast = Forecast(
        quality=predictor.predict(requests, table.models).quality,
        price=np.broadcast_to(table.cost.mean(axis=0), table.scores.shape),
        complexity=predictor.complexity(requests),
        known=np.array([predictor.knows(model) for model in table.models]),
        notes=notes,
    )
    return _checked(table, forecast)


def _checked(table: Table, forecast: Forecast) -> Forecast:
    """Raises ValueError where a predictor breaks its promise: that is a fault of ours, not of the data."""
    quality = forecast.quality
    if quality.shape != table.scores.shape:
        raise ValueError(f"{table.name}: predictions have the shape {quality.shape}, not {table.scores.shape}")
    if not np.isfinite(quality).all() or quality.min() < 0 or quality.max() > 1:
        raise ValueError(f"{table.name}: predicted quality must be numbers within 0..1")
    return forecast
