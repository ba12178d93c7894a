"""The fastest Python of this machine that can run the router: python3 benchmarks/interpreter.py prints its path.

How an interpreter was built makes a tenth of what a request costs (docs/explain/decisions.md): those of distributions
are optimised with a profile, one that was built from source with the defaults is not. Standard library alone, since
nothing is installed yet.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_NAMES = re.compile(r"python3?(\.\d+)?")
_OLDEST = (3, 11)
_TURNS = 5  # for each; the fastest counts, since what disturbs only ever slows down
_CLEARLY = 0.97  # of the first one's time: a difference below is noise
# What a request does most: calls, attributes, dictionaries, small strings, floats, coroutines. About 0.05 s of CPU.
_WORK = """
import time
class Seen:
    def __init__(self, text, size):
        self.text, self.size = text, size
    def longer(self, other):
        return self.size > other.size
async def answer(seen, limit):
    return seen if seen.longer(limit) else limit
def once(words):
    counts, limit, total = {}, Seen("", 3), 0.0
    for word in words:
        low = word.lower()
        counts[low] = counts.get(low, 0) + 1
        try:
            answer(Seen(low, len(low)), limit).send(None)
        except StopIteration as end:
            total += end.value.size * 0.5
    return sorted([(word, number / total) for word, number in counts.items() if number > 1])
words = "What is the capital of France and on which river does it lie Answer in one short sentence please".split()
began = time.process_time()
for _ in range(4000):
    once(words)
print(time.process_time() - began)
"""
_ABOUT = """
import json, sys, venv, ensurepip
known = sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
print(json.dumps([sys.executable, list(sys.version_info[:2]) if known else [0, 0], " ".join(sys.version.split())]))
"""


def candidates(path: str) -> dict[str, str]:
    """Interpreters of the folders of a PATH by where they lie, and what they say of themselves: releases of CPython,
    new enough, that can make a virtual environment, each once, in the order of the PATH."""
    found: dict[str, str] = {}
    known: set[Path] = set()
    for folder in filter(None, path.split(os.pathsep)):
        for name in sorted(name for name in _listed(Path(folder)) if _NAMES.fullmatch(name)):
            try:
                place, version, about = json.loads(_said([str(Path(folder).absolute() / name), "-I", "-c", _ABOUT]))
            except ValueError:  # whatever it is, it is no Python
                continue
            real = Path(place).resolve()
            if tuple(version) >= _OLDEST and real not in known:
                known.add(real)
                found[place] = about
    return found


def fastest(times: Mapping[str, float]) -> str:
    """The first, unless another one is clearly faster."""
    first = next(iter(times))
    best = min(times, key=times.__getitem__)
    return best if times[best] < _CLEARLY * times[first] else first


def measured(places: Sequence[str]) -> dict[str, float]:
    """CPU seconds of the work, by interpreter."""
    times = dict.fromkeys(places, float("inf"))
    for _ in range(_TURNS):
        for place in places:
            said = _said([place, "-I", "-c", _WORK])
            if said:
                times[place] = min(times[place], float(said))
    return times


def _listed(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except OSError:  # a PATH may name what is not there
        return ()


def _said(command: list[str]) -> str:
    """The last line that a program prints; nothing where it fails, as launchers do that stand for no interpreter."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = ended.stdout.splitlines()
    return lines[-1] if lines and ended.returncode == 0 else ""


def main() -> int:
    found = candidates(os.environ.get("PATH", ""))
    if not found:
        print("no Python of 3.11 or newer with venv is on the PATH", file=sys.stderr)
        return 1
    times = measured(list(found))
    chosen = fastest(times)
    for place, seconds in times.items():
        mark = "->" if place == chosen else "  "
        print(f"{mark} {seconds * 1000:6.1f} ms  {place}  {found[place]}", file=sys.stderr)
    print(chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
