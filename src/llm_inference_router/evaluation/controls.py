"""What every curve is shown beside: policies that know nothing, next to nothing, or everything.

shuffled   the router's own decisions, dealt to the rows at random, all its points alike: what their mixes are worth
           without judgement. Many deals, each read like the router itself, since picking the best of many points
           finds something in noise too.
length     the longest prompts go to the dearer model, along the hull of single models. It is shown which models
           are on the hull, which flatters it.
oracle     the greatest score - weight x real cost for each row: no policy can do better.
"""

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.evaluation.sweep import by_utility, ties_of

Floats: TypeAlias = NDArray[np.float64]
Choices: TypeAlias = NDArray[np.intp]

_SHARES = np.linspace(0.0, 1.0, 11)


def shares(choices: Choices, models: int) -> Floats:
    """How much of the rows each point gives to each model: (points, models)."""
    counts = np.stack([np.bincount(row, minlength=models) for row in choices])
    result: Floats = counts / choices.shape[1]
    return result


def deals(rows: int, count: int, seed: int) -> NDArray[np.intp]:
    """Orders of the rows at random: (count, rows)."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(rows) for _ in range(count)])


def by_length(length: Floats, corners: NDArray[np.intp]) -> Choices:
    """Points (points, rows) from one corner of the hull (columns of models) to the next, the longest prompts first."""
    rank = np.empty(len(length), dtype=np.intp)
    rank[np.argsort(-length, kind="stable")] = np.arange(len(length))
    points = [np.full(len(length), corners[0])]
    for low, high in pairwise(corners):
        points += [np.where(rank < round(share * len(length)), high, low) for share in _SHARES[1:]]
    return np.stack(points)


def oracle(scores: Floats, cost: Floats, steps: int) -> Choices:
    """Points (points, rows) of one that knows all: the best scores, then `steps` weights, then the least costs."""
    ties = ties_of(scores, cost)
    weights = np.quantile(ties, np.linspace(0, 1, steps)) if ties.size else np.zeros(0)
    best = np.where(scores >= scores.max(axis=1, keepdims=True), -cost, -np.inf).argmax(axis=1)
    return np.stack([best, *(by_utility(scores, cost, float(weight)) for weight in weights), cost.argmin(axis=1)])
