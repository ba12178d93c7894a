"""The cost of the router beside nginx and LiteLLM, on this machine. Linux, two cores.

One mock upstream, one load program, one gateway at a time on core 0, everything else on core 1; several rounds, the
gateways taking turns, because machines are noisy. Each start is a cold one, in an empty folder. Prints the decision's
own figures first, then the table and whether each target is met.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import decision
from benchmarks.cpu import preferred
from benchmarks.figures import render, render_verdicts, tabulate, verdicts
from benchmarks.measure import QUICK, Failed, Lengths, Sample, measure, mock
from benchmarks.targets import ALWAYS, PEERS, TARGETS, Missing, install


def run(names: list[str], rounds: int, lengths: Lengths) -> list[dict[str, Sample]]:
    """Every gateway in every round, in turns. Raises Failed."""
    found: list[dict[str, Sample]] = []
    with preferred(), mock() as upstream, tempfile.TemporaryDirectory(prefix="llm-router-bench-") as place:
        for number in range(rounds):
            row: dict[str, Sample] = {}
            for name in names:
                print(f"round {number + 1} of {rounds}: {name} ...", file=sys.stderr, flush=True)
                folder = Path(place) / f"{number}-{name}"
                folder.mkdir()
                row[name] = measure(TARGETS[name], upstream, folder, lengths)
            found.append(row)
    return found


def machine() -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": " ".join(sys.version.split()),
        "interpreter": os.path.realpath(sys.executable),
        "load": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%d %H:%M:%S%z"),
    }


def options(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round: a rough look in two minutes")
    parser.add_argument("--rounds", type=int, help="how often each gateway is measured (3; with --quick 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample and figure here as well")
    parser.add_argument("--peers", default="", help=f"more gateways, separated by commas: {', '.join(PEERS)}")
    parser.add_argument("--only", default="", help=f"these gateways instead, of {', '.join(TARGETS)}")
    parser.add_argument("--no-decision", action="store_true", help="leave out the figures of the decision")
    parsed = parser.parse_args(given)
    chosen = parsed.only.split(",") if parsed.only else [*ALWAYS, *filter(None, parsed.peers.split(","))]
    unknown = [name for name in chosen if name not in TARGETS]
    if unknown:
        parser.error(f"there is no gateway {', '.join(unknown)}; known are {', '.join(TARGETS)}")
    parsed.names = list(dict.fromkeys(chosen))
    parsed.rounds = parsed.rounds or (1 if parsed.quick else 3)
    return parsed


def main() -> int:
    asked = options(sys.argv[1:])
    if sys.platform != "linux":
        print("make bench measures processes through Linux's /proc and taskset: run it on Linux", file=sys.stderr)
        return 2
    document: dict[str, Any] = {"machine": machine()}
    print("{cpu}, {cores} cores; {interpreter}, {python}".format_map(document["machine"]), end="\n\n", flush=True)
    if not asked.no_decision:
        table = decision.measure(decision.QUICK if asked.quick else decision.FULL)
        print(decision.render(table), end="\n\n", flush=True)
        document["decision"] = table
    try:
        install(asked.names)
        rounds = run(asked.names, asked.rounds, QUICK if asked.quick else Lengths())
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    figures = tabulate(rounds)
    print(render(figures))
    document |= {"rounds": rounds, "figures": figures}
    if "router" in asked.names:
        found = verdicts(figures)
        print("\n" + render_verdicts(found))
        document["goals"] = found
    if asked.json is not None:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
