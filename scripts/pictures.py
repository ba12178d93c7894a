"""Draws the pictures of docs/explain/complexity.md. pictures.py LEAVE_SOURCE_OUT.json FOLDS.json

The figures are what `llm-router eval DATA... --json` prints, once with --leave-source-out and once with --folds. Needs
matplotlib, of the extra [train].
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy

matplotlib.use("svg")
from matplotlib import pyplot

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
# Told apart with any colour vision (Okabe and Ito 2008).
COLOURS = {"router": "#0072B2", "length": "#009E73", "shuffled": "#888888"}
CURVES = ("ulab_llmrouter", "routerbench_sub")


def recovered(figures: Mapping[str, Any]) -> None:
    """APGR of each file with its interval, beside length alone and the same decisions dealt at random."""
    names = [name for name, one in figures["files"].items() if one["pair"] is not None]
    rates = [figures["files"][name]["pair"]["apgr"] for name in names] + [figures["mean"]["apgr"]]
    figure, axes = pyplot.subplots(figsize=(7.6, 3.4))
    for offset, (name, colour) in zip((0.22, 0.0, -0.22), COLOURS.items(), strict=True):
        found = [one[name] for one in rates]
        values = [one["value"] for one in found]
        errors = [[v - one["low"] for v, one in zip(values, found, strict=True)]]
        errors.append([one["high"] - v for v, one in zip(values, found, strict=True)])
        places = [number + offset for number in range(len(rates))]
        axes.errorbar(values, places, xerr=errors, fmt="o", color=colour, capsize=2, label=name, markersize=4)
    axes.axvline(0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rates)), [*names, "mean"])
    axes.invert_yaxis()
    axes.set_xlabel("share of the quality gap recovered (APGR); random mixing is 0.5")
    axes.legend(loc="lower right", frameon=False)
    _save(figure, "complexity-recovered.svg")


def bought(figures: Mapping[str, Any]) -> None:
    """Quality against cost, the models and the router, of two files."""
    names = [name for name in CURVES if name in figures["files"]]
    figure, every = pyplot.subplots(1, len(names), figsize=(3.9 * len(names), 3.6), squeeze=False)
    for axes, name in zip(every[0], names, strict=True):
        money = figures["files"][name]["money"]
        x, y = money["singles"]["cost"], money["singles"]["quality"]
        mixed = numpy.geomspace(x[0], x[-1], 200)  # a mix of two is a straight line only where costs are not logarithms
        axes.plot(
            1000 * mixed, numpy.interp(mixed, x, y), color="#D55E00", label="mixes of single models", linewidth=1.3
        )
        for label, kind in (("length alone", "length"), ("router, shuffled", "shuffled")):
            x, y = money[kind]["cost"], money[kind]["quality"]
            axes.plot([1000 * one for one in x], y, ".", color=COLOURS[kind], label=label, markersize=3)
        points = [one for one in money["points"] if one["policy"] == "cheapest_above_bar"]
        x, y = ([one[key]["value"] for one in points] for key in ("cost", "quality"))
        axes.plot([1000 * one for one in x], y, "o", color=COLOURS["router"], label="router", markersize=3)
        axes.set_xscale("log")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("USD a thousand requests")
        axes.set_ylabel("quality")
        axes.legend(loc="lower right", frameon=False, fontsize=8)
    _save(figure, "complexity-bought.svg")


def _save(figure: Any, name: str) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(FOLDER / name, metadata={"Date": None, "Creator": None}, facecolor="white")
    print(f"wrote docs/images/{name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("left_out", type=Path, metavar="LEAVE_SOURCE_OUT.json")
    parser.add_argument("folds", type=Path, metavar="FOLDS.json")
    asked = parser.parse_args()
    pyplot.rcParams |= {"svg.hashsalt": "complexity", "svg.fonttype": "path", "font.size": 9}
    recovered(json.loads(asked.left_out.read_text(encoding="utf-8")))
    bought(json.loads(asked.folds.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
