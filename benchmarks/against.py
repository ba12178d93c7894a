"""The cost of this checkout beside another one's. Linux, two cores.

usage: make bench-against OTHER=FOLDER [ARGS="--rounds 12"]

Both run in this environment, each with its own `src/`, and take turns; and so does this one once more, as the control:
what it differs from itself by is the machine's noise. Prints CPU time for a whole answer and for a chunk of 200 paced
streams, and the ratios within a round: the median of the rounds with its 95 % bootstrap interval.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct, structs

from benchmarks.cpu import preferred
from benchmarks.measure import Failed, Lengths, mock, paced, started, whole_answers
from benchmarks.targets import TARGETS, Missing, Target, install

_HERE = Path(__file__).resolve().parent.parent
_THIS, _OTHER, _CONTROL = "this", "other", "control"
_DRAWS = 10_000


class Cost(Struct, frozen=True):
    """CPU us."""

    answer: float
    chunk: float


def interval(ratios: Sequence[float], draws: int = _DRAWS) -> tuple[float, float, float]:
    """The median, and the 2.5th and 97.5th percentile of the medians of rounds drawn anew."""
    luck = random.Random(1)
    drawn = sorted(median(luck.choices(ratios, k=len(ratios))) for _ in range(draws))
    return median(ratios), drawn[int(0.025 * draws)], drawn[int(0.975 * draws) - 1]


def of(source: Path) -> Target:
    router = TARGETS["router"]
    return structs.replace(router, environment={**router.environment, "PYTHONPATH": str(source)})


def cost(target: Target, upstream: int, folder: Path, lengths: Lengths) -> Cost:
    with started(target, upstream, folder) as running:
        answer, _, _ = whole_answers(running, lengths)
        chunk, _, _ = paced(running, lengths)
        return Cost(answer, chunk)


def measured(sources: Mapping[str, Path], rounds: int, lengths: Lengths) -> list[dict[str, Cost]]:
    """Every source in every round, in another order each. Raises Failed."""
    found: list[dict[str, Cost]] = []
    names = list(sources)
    with preferred(), mock() as upstream, tempfile.TemporaryDirectory(prefix="llm-router-bench-") as place:
        for number in range(rounds):
            row: dict[str, Cost] = {}
            first = number % len(names)
            for name in names[first:] + names[:first]:
                print(f"round {number + 1} of {rounds}: {name} ...", file=sys.stderr, flush=True)
                folder = Path(place) / f"{number}-{name}"
                folder.mkdir()
                row[name] = cost(of(sources[name]), upstream, folder, lengths)
            found.append(row)
    return found


def lines(rows: Sequence[Mapping[str, Cost]]) -> list[str]:
    told = []
    for what, field in (("whole answer", "answer"), ("streamed chunk, paced", "chunk")):
        for name in (_THIS, _CONTROL):
            pairs = [
                (getattr(row[name], field), getattr(row[_OTHER if name == _THIS else _THIS], field)) for row in rows
            ]
            middle, low, high = interval([one / other for one, other in pairs])
            label = "this beside the other" if name == _THIS else "  control: this beside itself"
            told.append(f"{what:22} {label:30} {middle:.3f} [{low:.3f} to {high:.3f}]")
        us = {name: median(getattr(row[name], field) for row in rows) for name in (_THIS, _OTHER)}
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
        rows = measured({_THIS: here, _OTHER: source, _CONTROL: here}, asked.rounds, Lengths(warm=1.0, answers=3.0))
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
