"""Fits the constants of the ability model to the table: offline (`scripts/fit_families.py`), never while serving."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct, structs

from llm_inference_router.learning.abilities import (
    ANCHORS,
    GROUPS,
    TASKS,
    Array,
    Benchmark,
    Constants,
    Posterior,
    features,
    loading,
    posterior,
    scores,
)
from llm_inference_router.learning.leaderboard import BENCHMARKS, Family

ROUNDS = 150
DIGITS = 4
ORIGIN = "gpt-4-1106"
# Each estimate is pulled to its starting value as if by this many models: a benchmark with few numbers stays sane.
PULL = 4.0
NOISE = 0.4
GROUP = 0.3
SPREAD = 0.8


class _Evidence(Struct, frozen=True):
    family: Family
    scores: dict[str, float]
    posterior: Posterior


def fit(families: Sequence[Family]) -> Constants:
    """Expectation maximisation from fixed starting values: the same table gives the same constants, to `DIGITS`.

    Models without results tell nothing and are left out. ValueError when a benchmark of the table has no numbers.
    """
    measured = [family for family in families if family.results]
    absent = [name for name in BENCHMARKS if not any(name in scores(family) for family in measured)]
    if absent:
        raise ValueError(f"the table has no numbers for {', '.join(absent)}")
    constants = Constants(
        benchmarks={name: Benchmark(0.0, 1.0, NOISE) for name in BENCHMARKS},
        prior=(0.0,) * 5,
        spread=(SPREAD, SPREAD),
        groups=dict.fromkeys(TASKS, GROUP),
    )
    for _ in range(ROUNDS):
        evidence = [_Evidence(family, scores(family), posterior(family, constants)) for family in measured]
        constants = _scaled(_maximised(evidence))
    constants = _centred(constants, measured)
    return _rounded(constants)


def _maximised(evidence: list[_Evidence]) -> Constants:
    prior, spread = _regression(evidence)
    return Constants(
        benchmarks={name: _benchmark(name, evidence) for name in BENCHMARKS},
        prior=prior,
        spread=spread,
        groups={task: _group_spread(task, evidence) for task in TASKS},
    )


def _benchmark(name: str, evidence: list[_Evidence]) -> Benchmark:
    """Level and slope by least squares on the expected abilities, their variance included; the slope pulled to 1."""
    row = loading(name)
    seen = [each for each in evidence if name in each.scores]
    scored = np.array([each.scores[name] for each in seen])
    mean = np.array([row @ each.posterior.mean for each in seen])
    variance = np.array([row @ each.posterior.covariance @ row for each in seen])
    left = np.array([[len(seen), mean.sum()], [mean.sum(), (mean**2 + variance).sum() + PULL]])
    level, slope = np.linalg.solve(left, np.array([scored.sum(), mean @ scored + PULL]))
    squares = ((scored - level - slope * mean) ** 2 + slope**2 * variance).sum()
    return Benchmark(float(level), float(slope), math.sqrt((squares + PULL * NOISE**2) / (len(seen) + PULL)))


def _regression(evidence: list[_Evidence]) -> tuple[tuple[float, ...], tuple[float, float]]:
    """General ability on size and date, by ridge, and what it leaves unexplained, for known and unknown sizes."""
    design = np.stack([features(each.family) for each in evidence])
    general = np.array([each.posterior.mean[0] for each in evidence])
    variance = np.array([each.posterior.covariance[0, 0] for each in evidence])
    weights = np.linalg.solve(design.T @ design + 0.1 * np.eye(5), design.T @ general)
    squares = (general - design @ weights) ** 2 + variance
    hidden = np.array([each.family.total is None for each in evidence])
    known, unknown = (
        math.sqrt((squares[rows].sum() + PULL * SPREAD**2) / (rows.sum() + PULL)) for rows in (~hidden, hidden)
    )
    return tuple(weights.tolist()), (known, unknown)


def _group_spread(task: str, evidence: list[_Evidence]) -> float:
    at = 1 + TASKS.index(task)
    seen = [each.posterior for each in evidence if any(GROUPS.get(name) == task for name in each.scores)]
    squares = sum(float(each.mean[at] ** 2 + each.covariance[at, at]) for each in seen)
    return math.sqrt((squares + PULL * GROUP**2) / (len(seen) + PULL))


def _scaled(constants: Constants) -> Constants:
    """The scale on which the anchors' slopes average 1. Abilities, and so what they are made of, stretch by `unit`."""
    unit = math.exp(float(np.mean([math.log(constants.benchmarks[name].slope) for name in ANCHORS])))
    return Constants(
        benchmarks={
            name: structs.replace(each, slope=each.slope / unit) for name, each in constants.benchmarks.items()
        },
        prior=tuple(weight * unit for weight in constants.prior),
        spread=(constants.spread[0] * unit, constants.spread[1] * unit),
        groups={task: sd * unit for task, sd in constants.groups.items()},
    )


def _centred(constants: Constants, measured: Sequence[Family]) -> Constants:
    """Moves the origin to the ability of `ORIGIN`, or leaves it where the table has no such model."""
    for family in measured:
        if family.name == ORIGIN:
            origin = float(posterior(family, constants).mean[0])
            return Constants(
                benchmarks={
                    name: structs.replace(each, level=each.level + each.slope * origin)
                    for name, each in constants.benchmarks.items()
                },
                prior=tuple(
                    weight - origin * one for weight, one in zip(constants.prior, (1, 0, 0, 1, 0), strict=True)
                ),
                spread=constants.spread,
                groups=constants.groups,
            )
    return constants


def _rounded(constants: Constants) -> Constants:
    return Constants(
        benchmarks={
            name: Benchmark(round(each.level, DIGITS), round(each.slope, DIGITS), round(each.noise, DIGITS))
            for name, each in constants.benchmarks.items()
        },
        prior=tuple(round(weight, DIGITS) for weight in constants.prior),
        spread=(round(constants.spread[0], DIGITS), round(constants.spread[1], DIGITS)),
        groups={task: round(sd, DIGITS) for task, sd in constants.groups.items()},
    )


def held_out(families: Sequence[Family], constants: Constants) -> Array:
    """Each number foretold from the other benchmarks of its model: rows of (error, its expected sd) in logits."""
    rows = []
    for family in families:
        for name, value in scores(family).items():
            benchmark = constants.benchmarks[name]
            rest = posterior(family, constants, without=name)
            row = benchmark.slope * loading(name)
            expected = math.sqrt(float(row @ rest.covariance @ row) + benchmark.noise**2)
            rows.append((value - benchmark.level - float(row @ rest.mean), expected))
    return np.array(rows)
