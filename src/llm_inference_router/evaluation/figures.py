"""Every figure of a scorecard, as it is printed with --json: names and order are part of the interface."""

import math
from typing import Any

import msgspec
from msgspec import Struct

from llm_inference_router.evaluation.calibration import Calibration
from llm_inference_router.evaluation.metrics import Interval

VERSION = 1
_DIGITS = 4


class Single(Struct, frozen=True):
    """One model alone. `cost` is USD a row. `known`: the predictor was trained on labels of this very model."""

    quality: Interval
    cost: float | None
    known: bool
    on_hull: bool


class Point(Struct, frozen=True):
    """One policy: what it costs (USD a row), how good it is, how much of the traffic each model gets."""

    policy: str
    setting: float
    cost: Interval
    quality: Interval
    share: dict[str, float]


class Line(Struct, frozen=True):
    """A control's points, from the cheapest on."""

    cost: tuple[float, ...]
    quality: tuple[float, ...]


class Aiq(Struct, frozen=True):
    """RouterBench's AIQ over the costs between the cheapest and the dearest single model.

    `router_less_singles` is flattered, for a hull takes the best of many points; `chance` tells noise from merit: the
    share of shuffled deals that do as well as the router (a permutation test).
    """

    router: Interval
    singles: Interval
    shuffled: Interval
    length: Interval
    oracle: Interval
    router_less_singles: Interval
    router_less_length: Interval
    chance: float


class Equal(Struct, frozen=True):
    """The cost of `model`'s quality: ratios to the cheapest single model, or mix of two, that reaches it.

    `shuffled` is the range over deals. `verdict`: gain where the whole interval is below 1 and the router is better
    than nearly all deals (97.5 %); no gain where it is not below 1; else not certain.
    """

    model: str
    quality: float
    cost: float
    router: Interval
    length: Interval
    shuffled: Interval
    oracle: Interval
    verdict: str


class Money(Struct, frozen=True):
    """Figures with money, over the models whose cost is known."""

    basis: str
    best_single: str
    aiq: Aiq
    quality_max: Interval
    quality_max_shuffled: Interval
    cheap_share: float
    quality_cheap: Interval
    quality_cheap_shuffled: Interval
    quality_cheap_singles: Interval
    quality_cheap_oracle: Interval
    equal_quality: tuple[Equal, ...]
    points: tuple[Point, ...]
    singles: Line
    shuffled: Line
    length: Line
    oracle: Line


class Rates(Struct, frozen=True):
    """One figure of the pair, of the router and its controls."""

    router: Interval
    length: Interval
    shuffled: Interval
    oracle: Interval


class Shares(Struct, frozen=True):
    """Quality by the share of rows that go to the strong model."""

    share: tuple[float, ...]
    router: tuple[Interval, ...]
    length: tuple[float, ...]
    oracle: tuple[float, ...]


class PairFigures(Struct, frozen=True):
    """RouteLLM's figures for two models. `origin` says who chose them."""

    weak: str
    strong: str
    origin: str
    weak_quality: float
    strong_quality: float
    apgr: Rates
    cpt_50: Rates
    cpt_80: Rates
    curve: Shares


class FileFigures(Struct, frozen=True):
    """One file. `complexity_with_failures` is the rank correlation of complexity with the share of models failing."""

    rows: int
    notes: tuple[str, ...]
    models: dict[str, Single]
    pair: PairFigures | None
    money: Money | None
    calibration: Calibration
    calibration_by_model: dict[str, Calibration]
    complexity_with_failures: float


class Means(Struct, frozen=True):
    """Over all files that have the figure, each counting alike."""

    files: int
    apgr: Rates | None
    ece: Interval
    brier: Interval


class Scorecard(Struct, frozen=True):
    """`mode` says what was trained on what."""

    mode: str
    predictor: str
    seed: int
    draws: int
    files: dict[str, FileFigures]
    mean: Means
    version: int = VERSION


def plain(scorecard: Scorecard) -> dict[str, Any]:
    """The scorecard as JSON values: numbers to four digits, null for what is undefined or never reached.

    Below 0.01 four digits are significant ones, else decimals; so that the machine's last bits never show.
    """
    found: dict[str, Any] = _rounded(msgspec.to_builtins(scorecard))
    return {"version": found.pop("version"), **found}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float):
        return rounded(value)
    return value


def rounded(value: float) -> float | None:
    """Four digits, as every figure is printed; None for what is no number."""
    if not math.isfinite(value):
        return None
    if abs(value) < 1e-9:
        return 0.0
    return round(value, _DIGITS) if abs(value) >= 0.01 else float(f"{value:.{_DIGITS}g}")
