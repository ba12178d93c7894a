"""Pictures of a scorecard, by matplotlib, which is imported inside: only those who draw need it.

Colours are told apart by people with any colour vision (Okabe and Ito 2008) and stand on light and dark ground. For
the page, lines of axes and words take the page's own colour.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from llm_inference_router.evaluation.figures import FileFigures, Money, PairFigures, Scorecard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw: TypeAlias = "Callable[[Axes], None]"

_INK = "#010203"  # stands for the page's own colour, which replaces it
_ROUTER, _SINGLE, _LENGTH, _ORACLE, _SHUFFLED, _RANDOM = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888", "#E69F00",
)  # fmt: skip
_SIZE = (6.4, 5.2)
_STEPS = 24
_NAMED = 9  # single models with a name beside their point
_STYLE: Mapping[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.parse_math": False,  # names are names, whatever signs are in them
    "svg.fonttype": "none",  # letters stay text: the page's font, and a fraction of the size
    "svg.hashsalt": "llm-router",  # the same figures give the same bytes
}


def pictures(scorecard: Scorecard) -> dict[str, Draw]:
    """Every picture by its name: FILE.curve, FILE.pair and calibration."""
    found: dict[str, Draw] = {}
    for name, one in scorecard.files.items():
        found |= _of_file(name, one)
    found["calibration"] = lambda axes: _calibration(axes, scorecard)
    return found


def _of_file(name: str, one: FileFigures) -> dict[str, Draw]:
    found: dict[str, Draw] = {}
    money, pair = one.money, one.pair
    if money is not None:
        found[f"{name}.curve"] = lambda axes: _curve(axes, name, one, money)
    if pair is not None:
        found[f"{name}.pair"] = lambda axes: _pair(axes, name, pair)
    return found


def svg(draw: Draw) -> str:
    """A picture to stand inside a page: it scales with its place and takes its colours from there."""
    with _figure(draw) as figure:
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 role="img" xmlns:xlink="http://www.w3.org/1999/xlink">',
                  text, count=1)  # fmt: skip
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)


def png(draw: Draw) -> bytes:
    """A picture on white."""
    with _figure(draw) as figure:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def _figure(draw: Draw) -> "Iterator[Figure]":
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(dict(_STYLE)):
        figure = Figure(figsize=_SIZE, layout="constrained")  # no pyplot: nothing global, no display
        draw(figure.subplots())
        yield figure


def _curve(axes: "Axes", name: str, one: FileFigures, money: Money) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    priced = [(model, 1000 * s.cost, s.quality.value) for model, s in one.models.items() if s.cost is not None]
    axes.plot(_kilo(money.oracle.cost), money.oracle.quality, color=_ORACLE, lw=1.2, ls="-.", label="oracle")
    _router(axes, money)
    axes.plot(_kilo(money.length.cost), money.length.quality, color=_LENGTH, lw=1.4, label="prompt length only")
    axes.plot(
        _kilo(money.shuffled.cost), money.shuffled.quality, ".", color=_SHUFFLED, ms=3, label="router's mix, shuffled"
    )
    axes.plot(
        *_mixed(money.singles.cost, money.singles.quality), color=_SINGLE, lw=1.4, ls="--", label="mix of single models"
    )
    axes.plot([c for _, c, _ in priced], [q for _, _, q in priced], "o", color=_SINGLE, ms=4, label="single models")
    ends = [one.models[model] for model in (one.pair.weak, one.pair.strong)] if one.pair is not None else []
    costs = [end.cost for end in ends if end.cost is not None]
    if len(costs) == 2:
        axes.plot(
            *_mixed(costs, [end.quality.value for end in ends]),
            color=_RANDOM,
            lw=1,
            ls=":",
            label="random mix of the pair",
        )
    for number, (model, cost, quality) in enumerate(sorted(_named(one, priced), key=lambda item: item[1])):
        place, side = ((4, -9), "left") if number % 2 else ((-3, 5), "right")  # in turn, so that names seldom meet
        axes.annotate(_short(model), (cost, quality), place, textcoords="offset points", fontsize=7, ha=side)
    lowest = min(cost for _, cost, _ in priced)
    if lowest > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(lowest * 0.6, max(cost for _, cost, _ in priced) * 2)
    low = min(quality for _, _, quality in priced)
    axes.set_ylim(low - 0.03, min(1.02, max(max(money.oracle.quality), max(q for _, _, q in priced)) + 0.03))
    axes.set(title=f"{name}: quality and cost", xlabel="USD for 1,000 queries", ylabel="quality")
    _legend(axes)


def _router(axes: "Axes", money: Money) -> None:
    styles = {"utility": ("-", "router: quality less weighted cost"), "cheapest_above_bar": ("--", "router: bar")}
    for policy, (style, label) in styles.items():
        points = sorted((p for p in money.points if p.policy == policy), key=lambda p: (p.cost.value, p.quality.value))
        cost = _kilo([point.cost.value for point in points])
        axes.plot(cost, [p.quality.value for p in points], style, marker=".", ms=3, color=_ROUTER, lw=2, label=label)
        low, high = [p.quality.low for p in points], [p.quality.high for p in points]
        axes.fill_between(cost, low, high, color=_ROUTER, alpha=0.15, lw=0)


def _kilo(costs: Sequence[float]) -> list[float]:
    return [1000 * cost for cost in costs]


def _mixed(cost: Sequence[float], quality: Sequence[float]) -> tuple[list[float], list[float]]:
    """Lines from point to point through points between: mixes are straight in money, not on a logarithmic axis."""
    xs, ys = _kilo(cost[:1]), list(quality[:1])
    for (c0, c1), (q0, q1) in zip(pairwise(cost), pairwise(quality), strict=True):
        for step in range(1, _STEPS + 1):
            share = (step / _STEPS) ** 2  # more points at the cheap end, where the axis is stretched
            xs.append(1000 * (c0 + share * (c1 - c0)))
            ys.append(q0 + share * (q1 - q0))
    return xs, ys


def _named(one: FileFigures, priced: Sequence[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """All single models, or those on the hull where all would be a thicket."""
    if len(priced) <= _NAMED:
        return list(priced)
    return [item for item in priced if one.models[item[0]].on_hull]


def _pair(axes: "Axes", name: str, pair: PairFigures) -> None:
    share = [100 * value for value in pair.curve.share]
    axes.plot(share, pair.curve.oracle, color=_ORACLE, lw=1.2, ls="-.", label=f"oracle {pair.apgr.oracle.value:.2f}")
    axes.plot(share, [i.value for i in pair.curve.router], color=_ROUTER, lw=2,
              label=f"router {pair.apgr.router.value:.2f} [{pair.apgr.router.low:.2f} {pair.apgr.router.high:.2f}]",
              )  # fmt: skip
    axes.fill_between(share, [i.low for i in pair.curve.router], [i.high for i in pair.curve.router], color=_ROUTER,
                      alpha=0.15, lw=0)  # fmt: skip
    axes.plot(share, pair.curve.length, color=_LENGTH, lw=1.4, label=f"prompt length only {pair.apgr.length.value:.2f}")
    axes.plot([0, 100], [pair.weak_quality, pair.strong_quality], color=_RANDOM, lw=1.2, ls=":",
              label="random mix 0.50")  # fmt: skip
    axes.set(
        title=f"{name}: {_short(pair.weak)} or {_short(pair.strong)}",
        xlabel=f"% of queries to {_short(pair.strong)}",
        ylabel="quality",
    )
    _legend(axes, "APGR")


def _calibration(axes: "Axes", scorecard: Scorecard) -> None:
    colours = (_ROUTER, _SINGLE, _LENGTH, _ORACLE, _RANDOM, _SHUFFLED)
    axes.plot([0, 1], [0, 1], color=_INK, lw=0.8, ls=":")
    for number, (name, one) in enumerate(scorecard.files.items()):
        bins = one.calibration.bins
        colour, label = colours[number % len(colours)], f"{name} (ECE {one.calibration.ece.value:.3f})"
        points = [b.predicted for b in bins], [b.score for b in bins]
        axes.plot(*points, "o-", ms=3, lw=1.2, color=colour, label=label)
    axes.set(title="Calibration", xlabel="predicted quality", ylabel="mean score", xlim=(0, 1), ylim=(0, 1))
    _legend(axes)


def _legend(axes: "Axes", title: str | None = None) -> None:
    """Below the picture, where no curve can run into it."""
    figure = axes.get_figure()
    if figure is not None:
        figure.legend(loc="outside lower center", ncols=2, title=title)


def _short(model: str) -> str:
    return model.rpartition("/")[2]
