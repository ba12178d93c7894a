"""Rasch's model: one difficulty for each question, one ability for each model, from a table of scores.

    logit P(model m answers question q well) = ability[m] - difficulty[q]

Fitted by penalised likelihood with normal priors (Rasch 1960; maximum a posteriori by alternating Newton
steps). Scores between 0 and 1 count as that share of a success; missing ones (nan) do not count.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray


class Rasch(Struct, frozen=True):
    """`difficulty` (questions) with its standard error, `ability` (models); the mean difficulty is 0."""

    difficulty: NDArray[np.float64]
    error: NDArray[np.float64]
    ability: NDArray[np.float64]


def rasch(scores: ArrayLike, *, prior_sd: float = 1.5, steps: int = 60) -> Rasch:
    """Fits a table of scores 0..1 of shape (questions, models). Raises ValueError for other shapes."""
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 1:
        raise ValueError(f"scores must be a table of questions by models, not of shape {table.shape}")
    seen = np.isfinite(table)
    known = np.where(seen, table, 0.0)
    difficulty = np.zeros(table.shape[0])
    ability = np.zeros(table.shape[1])
    precision = 1.0 / prior_sd**2
    information = np.ones(table.shape[0])
    for _ in range(steps):
        chance = 1.0 / (1.0 + np.exp(difficulty[:, None] - ability[None, :]))
        gradient = np.where(seen, known - chance, 0.0)
        curvature = np.where(seen, chance * (1.0 - chance), 0.0)
        ability += np.clip((gradient.sum(0) - 0.01 * ability) / (curvature.sum(0) + 0.01), -1.0, 1.0)
        chance = 1.0 / (1.0 + np.exp(difficulty[:, None] - ability[None, :]))
        gradient = np.where(seen, known - chance, 0.0)
        curvature = np.where(seen, chance * (1.0 - chance), 0.0)
        information = curvature.sum(1) + precision
        difficulty += np.clip((-gradient.sum(1) - precision * difficulty) / information, -1.0, 1.0)
        shift = difficulty.mean()
        difficulty -= shift
        ability -= shift
    return Rasch(difficulty=difficulty, error=1.0 / np.sqrt(information), ability=ability)
