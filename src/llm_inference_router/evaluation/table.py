"""One evaluation file as tables: who answered how well, and for how much."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.costs import Price, costs_of
from llm_inference_router.evaluation.data import DataError, Row

Floats: TypeAlias = NDArray[np.float64]


class Table(Struct, frozen=True):
    """`scores` and `cost` (USD, nan where unknown) of shape (rows, models); `length` in characters of the prompt.

    `basis` and `notes` say how costs are counted (`costs.Costs`).
    """

    name: str
    rows: Sequence[Row]
    models: tuple[str, ...]
    scores: Floats
    cost: Floats
    length: Floats
    basis: str
    notes: tuple[str, ...]

    @property
    def priced(self) -> NDArray[np.intp]:
        """The columns of the models whose cost is known."""
        return np.flatnonzero(np.isfinite(self.cost).all(axis=0))


def table_of(
    name: str, rows: Sequence[Row], only: Collection[str] = (), prices: Mapping[str, Price] | None = None
) -> Table:
    """The table of a file's models, or of those in `only` that it has, by name.

    Raises `DataError` where a row lacks the score of a model that others have, and where nothing is left.
    """
    known = sorted({model for row in rows for model in row.scores})
    models = tuple(model for model in known if not only or model in only)
    if not models:
        raise DataError([f"{name}: has none of the models that were asked for; its models are {', '.join(known)}"])
    lacking = [(row.id, model) for row in rows for model in models if model not in row.scores]
    if lacking:
        raise DataError(
            [f"{name}: row {identity!r} has no score of {model!r}" for identity, model in lacking]
            + ["Fill the scores in, or leave such models out: --models NAME,NAME takes those to keep."]
        )
    costs = costs_of(rows, models, prices)
    return Table(
        name=name,
        rows=rows,
        models=models,
        scores=np.array([[row.scores[model] for model in models] for row in rows]),
        cost=costs.usd,
        length=np.array([sum(len(message.text) for message in row.messages) for row in rows], dtype=np.float64),
        basis=costs.basis,
        notes=costs.notes,
    )
