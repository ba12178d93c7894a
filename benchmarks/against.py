"""The cost of this checkout beside another one's. Linux, two cores.

usage: make bench-against OTHER=FOLDER [ARGS="--rounds 12"]

Both run in this environment, each with its own `src/`, all the time, and take turns of a second, so that what else the
machine does falls on both; and so does this one once more, as the control: what it differs from itself by is the
machine's noise. Prints CPU time for a whole answer and for a chunk of 200 paced streams, and the ratios within a turn:
the median of the turns with its 95 % bootstrap interval.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TypeAlias

from msgspec import structs

from benchmarks.cpu import preferred
from benchmarks.measure import Failed, Lengths, Running, mock, paced, started, whole_answers
from benchmarks.targets import TARGETS, Missing, Target, install

_HERE = Path(__file__).resolve().parent.parent
_THIS, _OTHER, _CONTROL = "this", "other", "control"
_DRAWS = 10_000


Row: TypeAlias = Mapping[str, float]  # CPU us by name, in one turn
_TURNS = 3  # of whole answers in a round, for one of paced streams
_LENGTHS = Lengths(warm=0.2, answers=1.0, window=(1.8, 3.8))


def interval(ratios: Sequence[float], draws: int = _DRAWS) -> tuple[float, float, float]:
    """The median, and the 2.5th and 97.5th percentile of the medians of rounds drawn anew."""
    luck = random.Random(1)
    drawn = sorted(median(luck.choices(ratios, k=len(ratios))) for _ in range(draws))
    return median(ratios), drawn[int(0.025 * draws)], drawn[int(0.975 * draws) - 1]


def of(source: Path) -> Target:
    router = TARGETS["router"]
    return structs.replace(router, environment={**router.environment, "PYTHONPATH": str(source)})


def measured(sources: Mapping[str, Path], rounds: int) -> tuple[list[Row], list[Row]]:
    """Whole answers, and chunks. Every source in every turn, in another order each. Raises Failed."""
    answers: list[Row] = []
    chunks: list[Row] = []
    with ExitStack() as running:
        running.enter_context(preferred())
        upstream = running.enter_context(mock())
        place = running.enter_context(tempfile.TemporaryDirectory(prefix="llm-router-bench-"))
        routers: dict[str, Running] = {}
        for name, source in sources.items():
            folder = Path(place) / name
            folder.mkdir()
            routers[name] = running.enter_context(started(of(source), upstream, folder))
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
            answers += [
                {name: whole_answers(one, _LENGTHS)[0] for name, one in _turned(routers, number + turn)}
                for turn in range(_TURNS)
            ]
            chunks.append({name: paced(one, _LENGTHS)[0] for name, one in _turned(routers, number)})
    return answers, chunks


def _turned(routers: Mapping[str, Running], by: int) -> Sequence[tuple[str, Running]]:
    all_of_them = list(routers.items())
    first = by % len(all_of_them)
    return all_of_them[first:] + all_of_them[:first]


def lines(what: str, rows: Sequence[Row]) -> list[str]:
    told = []
    for name, beside, label in (
        (_THIS, _OTHER, "this beside the other"),
        (_CONTROL, _THIS, "  control: this beside itself"),
    ):
        middle, low, high = interval([row[name] / row[beside] for row in rows])
        told.append(f"{what:22} {label:30} {middle:.3f} [{low:.3f} to {high:.3f}]")
    us = {name: median(row[name] for row in rows) for name in (_THIS, _OTHER)}
    told.append(f"{what:22} {'CPU us, this and the other':30} {us[_THIS]:.1f} {us[_OTHER]:.1f}")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench-against", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="the folder of another checkout")
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    source = asked.other.resolve() / "src"
    if not (source / "llm_inference_router").is_dir():
        parser.error(f"{asked.other} is no checkout of the router: it has no src/llm_inference_router")
    here = _HERE / "src"
    try:
        install(["router"])
        answers, chunks = measured({_THIS: here, _OTHER: source, _CONTROL: here}, asked.rounds)
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join([*lines("whole answer", answers), *lines("streamed chunk, paced", chunks)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
