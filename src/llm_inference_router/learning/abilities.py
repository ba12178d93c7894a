"""How able a publicly measured model is, in logits on one scale, with the uncertainty of knowing so little.

One factor model over the public table. For model i and benchmark b of group g:

    logit(score) = level_b + slope_b * (general_i + group_ig) + noise_b
    general_i ~ Normal(what size and release date predict, spread),   group_ig ~ Normal(0, group spread)

so that a group is shrunk to the general ability, and a model with few numbers to its size and date. `factor.fit`
estimates the constants from the table alone; they are kept in `data/abilities.json`, and `ability` is then the exact
posterior of a five-dimensional normal distribution. The scale: the slopes of `ANCHORS` have a geometric mean of 1, and
0 is GPT-4 Turbo of November 2023, which no later line of the table moves.
"""

import math
from functools import cache, lru_cache
from importlib.resources import files

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.learning.families import Kind, Match
from llm_inference_router.learning.leaderboard import Family

Array = NDArray[np.float64]

TASKS = ("mathematics", "code", "knowledge", "reasoning")
GROUPS: dict[str, str] = {
    "gsm8k": "mathematics",
    "math": "mathematics",
    "humaneval": "code",
    "mbpp": "code",
    "mmlu": "knowledge",
    "mmlu_pro": "knowledge",
    "arc": "knowledge",
    "gpqa": "reasoning",
    "hellaswag": "reasoning",
    "winogrande": "reasoning",
}
ANCHORS = ("mmlu", "mmlu_pro", "gsm8k", "math", "humaneval", "mbpp", "gpqa")
ELO = math.log(10) / 400  # logits a point
# Standard deviations added to a match that is not exact, in logits; `scripts/fit_families.py --widths` measures them.
WIDENING: dict[Kind, float] = {"exact": 0.0, "variant": 0.35, "family": 0.4}


class Ability(Struct, frozen=True):
    """Logits. `tasks` and `task_sd` hold mathematics, code, knowledge and reasoning; `sd` is that of `general`.
    `sources` are the ids of the table's sources behind it, none when only size and date are known."""

    general: float
    tasks: dict[str, float]
    sd: float
    task_sd: dict[str, float]
    sources: tuple[str, ...]


class Benchmark(Struct, frozen=True):
    level: float
    slope: float
    noise: float


class Constants(Struct, frozen=True):
    """`prior` are the weights of `features`. `spread` is the sd around it of models of known and of unknown size."""

    benchmarks: dict[str, Benchmark]
    prior: tuple[float, ...]
    spread: tuple[float, float]
    groups: dict[str, float]


class Posterior(Struct, frozen=True):
    """General ability and the four group factors: mean of shape (5,) and covariance of shape (5, 5)."""

    mean: Array
    covariance: Array


@lru_cache(maxsize=4096)
def ability(match: Match) -> Ability | None:
    """What the public results say of a match; None when its models have neither results nor a known size.

    The models of a match that leaves several open are averaged, and their disagreement joins the uncertainty. A size
    that differs from the measured one moves the ability along the fitted size slope.
    """
    known = [family for family in match.families if family.results or family.total]
    if not known:
        return None
    constants = shipped()
    posteriors = [posterior(family, constants) for family in known]
    points = np.stack(
        [_tasks(each.mean) + _size_step(match, family) for each, family in zip(posteriors, known, strict=True)]
    )
    own = np.mean([_variances(each.covariance) for each in posteriors], axis=0)
    sd = np.sqrt(own + points.var(axis=0) + WIDENING[match.kind] ** 2)
    general, *tasks = points.mean(axis=0).tolist()
    return Ability(
        general=general,
        tasks=dict(zip(TASKS, tasks, strict=True)),
        sd=float(sd[0]),
        task_sd=dict(zip(TASKS, sd[1:].tolist(), strict=True)),
        sources=tuple(sorted({result.source for family in known for result in family.results})),
    )


@cache
def shipped() -> Constants:
    """The constants that belong to the shipped table."""
    data = files("llm_inference_router.learning").joinpath("data/abilities.json").read_bytes()
    return msgspec.json.decode(data, type=Constants)


def posterior(family: Family, constants: Constants, without: str = "") -> Posterior:
    """What the results of one model say, leaving out those on the benchmark `without`."""
    spread = constants.spread[family.total is None]
    precision = np.diag(1 / np.square([spread, *(constants.groups[task] for task in TASKS)]))
    pull = np.zeros(1 + len(TASKS))
    pull[0] = precision[0, 0] * float(features(family) @ np.array(constants.prior))
    for name, value in scores(family).items():
        if name != without:
            benchmark = constants.benchmarks[name]
            row = benchmark.slope * loading(name)
            precision += np.outer(row, row) / benchmark.noise**2
            pull += row * (value - benchmark.level) / benchmark.noise**2
    covariance: Array = np.linalg.inv(precision).astype(np.float64)
    return Posterior(covariance @ pull, covariance)


def scores(family: Family) -> dict[str, float]:
    """Results in logits, one a benchmark: the mean of its sources. Elo points become logits of a won comparison."""
    found: dict[str, list[float]] = {}
    for result in family.results:
        found.setdefault(result.benchmark, []).append(_logit(result.benchmark, result.value))
    return {benchmark: sum(values) / len(values) for benchmark, values in found.items()}


def _logit(benchmark: str, value: float) -> float:
    if benchmark.startswith("elo"):
        return (value - 1200) * ELO
    share = min(max(value / 100, 0.01), 0.99)
    return math.log(share / (1 - share))


def loading(benchmark: str) -> Array:
    """Which of general ability and the four group factors a benchmark measures, 0 or 1, shape (5,)."""
    group = GROUPS.get(benchmark)
    return np.array([1.0, *(float(task == group) for task in TASKS)])


def features(family: Family) -> Array:
    """Of the regression on size and date: 1, log size, years since 2024, and 1 again and years for an unknown size.

    The size of a mixture of experts is the geometric mean of its total and its active parameters.
    """
    year, month = map(int, family.released.split("-"))
    years = year - 2024 + (month - 1) / 12
    if family.total is None:
        return np.array([0.0, 0.0, 0.0, 1.0, years])
    return np.array([1.0, _log_size(family), years, 0.0, 0.0])


def _log_size(family: Family) -> float:
    assert family.total is not None
    return 0.5 * (math.log(family.total) + math.log(family.active or family.total))


def _size_step(match: Match, family: Family) -> float:
    """How much more able than the measured relative, when the name says another size."""
    if match.kind != "family" or match.size is None or family.total is None:
        return 0.0
    return shipped().prior[1] * math.log(match.size / family.total)


def _tasks(mean: Array) -> Array:
    return np.concatenate([mean[:1], mean[0] + mean[1:]])


def _variances(covariance: Array) -> Array:
    variance = np.diag(covariance)
    return np.concatenate([variance[:1], variance[0] + variance[1:] + 2 * covariance[0, 1:]])
