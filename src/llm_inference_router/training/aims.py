"""The figures that a predictor was meant to reach, and what stands in the way of those that it does not."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, TypeAlias

from msgspec import Struct

Figures: TypeAlias = Mapping[str, Any]  # as `llm-router eval --json` prints them


class Aim(Struct, frozen=True):
    """`figure` gives the value and what is shown, None where the figures hold none. `least` or `most` is the aim;
    `why` is said where it is missed."""

    name: str
    figure: Callable[[Figures, Figures], tuple[float, str] | None]
    why: str
    least: float | None = None
    most: float | None = None

    @property
    def bound(self) -> str:
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def met(self, value: float) -> bool:
        return value >= self.least if self.least is not None else value <= (self.most or 0.0)


def spread(interval: Mapping[str, float | None] | None) -> str:
    """0.512 [0.488 0.536]; - where it is undefined."""
    if interval is None or interval["value"] is None:
        return "-"
    low, high = (("-" if interval[end] is None else f"{interval[end]:.3f}") for end in ("low", "high"))
    return f"{interval['value']:.3f} [{low} {high}]"


def _shown(interval: Mapping[str, float | None] | None) -> tuple[float, str] | None:
    value = None if interval is None else interval["value"]
    return None if value is None else (value, spread(interval))


def _money(figures: Figures, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = figures["files"].get(name, {}).get("money")
    return found


def _quality(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    money = _money(folds, "ulab_llmrouter")
    return None if money is None else _shown(money["quality_max"])


def _cheap(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    money = _money(folds, "ulab_llmrouter")
    if money is None:
        return None
    best = next((one for one in money["equal_quality"] if one["model"] == money["best_single"]), None)
    if best is None:
        return None
    return _shown(best["router"]) or (inf, "never reached")


def _aiq(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    money = _money(folds, "routerbench_sub")
    return None if money is None else _shown(money["aiq"]["router"])


def _apgr(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    rates = left_out["mean"]["apgr"]
    return None if rates is None else _shown(rates["router"])


def _worst(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    rates = {
        name: found
        for name, one in left_out["files"].items()
        if one["pair"] is not None and (found := _shown(one["pair"]["apgr"]["router"])) is not None
    }
    if not rates:
        return None
    name = min(rates, key=lambda one: rates[one][0])
    return rates[name][0], f"{rates[name][1]} ({name})"


def _ece(folded: bool) -> Callable[[Figures, Figures], tuple[float, str] | None]:
    return lambda left_out, folds: _shown((folds if folded else left_out)["mean"]["ece"])


def _cold(left_out: Figures, folds: Figures) -> tuple[float, str] | None:
    for figures in (left_out, folds):
        for one in figures.get("cold_start", {}).get("ulab_llmrouter", {}).get("at", ()):
            if one["labels"] == 50:
                return _shown(one["excess"])
    return None


AIMS = (
    Aim(
        "In domain, ulab_llmrouter: best quality at any cost",
        _quality,
        "Many low scores there are answers in a wrong format, which a prompt does not foretell. Labels that tell wrong "
        "answers from wrong formats would help.",
        least=0.65,
    ),
    Aim(
        "In domain, ulab_llmrouter: the best single model's quality, at this share of its cost",
        _cheap,
        "The share of questions that a prompt shows to be easy enough for the cheaper models is smaller than the aim "
        "supposes. More labels of each kind of question would help.",
        most=0.45,
    ),
    Aim(
        "In domain, routerbench_sub: AIQ",
        _aiq,
        "Two benchmarks make up four fifths of the file, and within a benchmark prompts are too much alike to tell "
        "which model fails on which.",
        least=0.83,
    ),
    Aim(
        "Source left out: APGR, mean of the files",
        _apgr,
        "What makes a question hard differs between benchmarks, and only what holds in all of them can be learned. "
        "More sources would help.",
        least=0.55,
    ),
    Aim(
        "Source left out: APGR, the worst file",
        _worst,
        "The questions of that file are hard for other reasons than those of the files that were learned from.",
        least=0.50,
    ),
    Aim(
        "In domain: calibration error (ECE), mean of the files",
        _ece(True),
        "Files with few rows have an error even for perfect predictions (see `perfect ECE` of `llm-router eval`), and "
        "the files differ in size.",
        most=0.03,
    ),
    Aim(
        "Source left out: calibration error (ECE), mean of the files",
        _ece(False),
        "How strictly a source judges answers shifts all its scores, and neither a prompt nor a model's name tells it. "
        "Labels of the traffic itself would.",
        most=0.08,
    ),
    Aim(
        "New model, 50 labels, ulab_llmrouter: Brier score above that of a model with all labels",
        _cold,
        "Fifty answers do not show in which kinds of question the model differs from the others.",
        most=0.02,
    ),
)
