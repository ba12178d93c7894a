"""What a decision costs: python -m benchmarks.decision [--quick] [--json FILE]

Thread CPU time of the one function that the server calls between a parsed request and its plan (view, extract and
decide), for prompts of 10 to 20,000 tokens and for 2, 5 and 20 models. Every prompt is another text, and the cases take
turns, so that neither a cache of ours nor the processor's knows the next one; only the system message stays the same.

Then what the learned predictor adds to a start: fresh processes import it, NumPy with it, load the shipped files and
see one request.
"""

import argparse
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from benchmarks.load import percentile
from benchmarks.prompts import KINDS, Kind, prompts
from llm_inference_router.config.load import load
from llm_inference_router.config.models import catalogue
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.judge import Wishes, judge
from llm_inference_router.routing.catalog import compile_catalog
from llm_inference_router.routing.decide import Snapshot
from llm_inference_router.types import Caller, ChatRequest, Message

TOKENS = (10, 100, 1_000, 5_000, 20_000)
MODELS = (2, 5, 20)
FULL, QUICK = 300, 60  # decisions of each case
SHORT = 100  # tokens
SHORT_US, LONG_US, TAIL_US = 150.0, 350.0, 600.0  # aims: medians up to SHORT and beyond, and the 99th percentile
START_MS, LOAD_MS, ADDED_MB = 150.0, 60.0, 30.0  # aims: import and load, load alone, memory
STARTS = 7  # fresh processes
FLAT_FROM, FLAT = 1_000, 1.25  # beyond so many tokens a median may be this much above the one there
_WARM = 10
_SYSTEM = Message("system", "You are the assistant of a small shipping company. Be brief and say what you do not know.")
_ROOT = Path(__file__).resolve().parent.parent
# What a fresh process runs. Memory before the import is that of a program that has read its configuration.
_FRESH = """
import json, os, time
import llm_inference_router.config.load
from benchmarks.cpu import memory
from llm_inference_router.types import ChatRequest, Message
before, began = memory(os.getpid()).rss_mb, time.perf_counter()
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.sense import shipped
imported = time.perf_counter()
sense = shipped()
loaded = time.perf_counter()
request = ChatRequest(model="auto", messages=(Message("user", "Which of these invoices is still open?"),), body={})
extract(request, view(request), sense)
print(json.dumps({
    "import_ms": (imported - began) * 1e3,
    "load_ms": (loaded - imported) * 1e3,
    "added_mb": memory(os.getpid()).rss_mb - before,
}))
"""
_TIERS = (("small", 0.1), ("medium", 0.6), ("large", 2.5))


class Case(Struct, frozen=True):
    """CPU us of one decision."""

    kind: Kind
    tokens: int
    models: int
    p50_us: float
    p99_us: float


class Decisions(Struct, frozen=True):
    """The slowest medians of the cases up to 100 tokens (0 where there is none) and of all, the slowest 99th
    percentile, and `steepest`, the largest ratio of a median beyond 1,000 tokens to the one there."""

    cases: list[Case]
    slowest_short_us: float
    slowest_p50_us: float
    slowest_p99_us: float
    steepest: float
    fast: bool
    steady: bool
    flat: bool


class Start(Struct, frozen=True):
    """Medians of fresh processes, wall time: the import (NumPy included, on top of a program that has read its
    configuration), the load of the shipped files, and the resident memory that both and one request added."""

    import_ms: float
    load_ms: float
    added_mb: float


def snapshot(models: int) -> Snapshot:
    """One route over so many models of three tiers, as the server sees it."""
    lines = ["models:"]
    for number in range(models):
        tier, price = _TIERS[number % len(_TIERS)]
        lines.append(
            f"  - {{name: m{number}, backend: openai_compatible, tier: {tier}, location: cloud, context: 131072, "
            f"endpoints: [{{url: http://127.0.0.1:9/v1}}], price: {{input: {price}, output: {4 * price}}}}}"
        )
    names = ", ".join(f"m{number}" for number in range(models))
    lines.append(f"routes: {{auto: {{models: [{names}], policy: {{kind: cheapest_above_bar, bar: 0.9}}}}}}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "router.yaml"
        path.write_text("\n".join(lines))
        config = load(str(path))
    return Snapshot(catalog=compile_catalog(config, catalogue(config)))


def measure(count: int) -> Decisions:
    """`count` decisions of each case, after a few that are not counted."""
    requests = {
        (kind, tokens): [_request(text) for text in prompts(kind, tokens, count + _WARM)]
        for kind in KINDS
        for tokens in TOKENS
    }
    snapshots = {models: snapshot(models) for models in MODELS}
    taken: dict[tuple[Kind, int, int], list[float]] = {
        (kind, tokens, models): [] for kind, tokens in requests for models in MODELS
    }
    clock, caller, wishes, now = SystemClock(), Caller(), Wishes(), time.thread_time_ns
    texts = range(count + _WARM)
    gc.collect()
    gc.freeze()
    for number in texts:
        for (kind, tokens, models), figures in taken.items():
            # The same text comes again for other models a third of the rounds later, when no cache of the processor
            # has it any more.
            shift = MODELS.index(models) * len(texts) // len(MODELS)
            request, seen = requests[kind, tokens][(number + shift) % len(texts)], snapshots[models]
            before = now()
            judge(request, caller, wishes, seen, clock)
            after = now()
            if number >= _WARM:
                figures.append((after - before) / 1e3)
    gc.unfreeze()
    return judged([Case(*key, percentile(us, 0.5), percentile(us, 0.99)) for key, us in taken.items()])


def judged(cases: Sequence[Case]) -> Decisions:
    """Whether the medians hold the limit, and whether they stay flat."""
    there = {(case.kind, case.models): case.p50_us for case in cases if case.tokens == FLAT_FROM}
    short = max((case.p50_us for case in cases if case.tokens <= SHORT), default=0.0)
    slowest = max(case.p50_us for case in cases)
    tail = max(case.p99_us for case in cases)
    steepest = max(case.p50_us / there[case.kind, case.models] for case in cases if case.tokens > FLAT_FROM)
    return Decisions(
        cases=list(cases),
        slowest_short_us=short,
        slowest_p50_us=slowest,
        slowest_p99_us=tail,
        steepest=steepest,
        fast=short <= SHORT_US and slowest <= LONG_US,
        steady=tail <= TAIL_US,
        flat=steepest <= FLAT,
    )


def started(count: int = STARTS) -> Start:
    """Each process starts, measures itself and ends before the next one. Linux only: memory is read from /proc."""
    found = []
    for _ in range(count):
        ended = subprocess.run([sys.executable, "-c", _FRESH], cwd=_ROOT, capture_output=True, text=True, check=True)
        found.append(msgspec.json.decode(ended.stdout, type=Start))
    return Start(*(median(getattr(one, name) for one in found) for name in Start.__struct_fields__))


def render(decisions: Decisions) -> str:
    kinds = "".join(f"{kind + ' p50 / p99':>22s}" for kind in KINDS)
    lines = [f"{'decision, CPU us':>16s}  {'models':>6s}{kinds}"]
    cells = {(case.kind, case.tokens, case.models): case for case in decisions.cases}
    for tokens in TOKENS:
        for models in MODELS:
            found = [cells[kind, tokens, models] for kind in KINDS]
            figures = "".join(f"{case.p50_us:14.0f} /{case.p99_us:6.0f}" for case in found)
            lines.append(f"{tokens:9,d} tokens  {models:6d}{figures}")
    lines.append(
        f"\n{_word(decisions.fast)}  slowest median, CPU us: to {SHORT} tokens {decisions.slowest_short_us:.0f}, "
        f"target at most {SHORT_US:.0f}; beyond {decisions.slowest_p50_us:.0f}, target at most {LONG_US:.0f}\n"
        f"{_word(decisions.steady)}  slowest 99th percentile, CPU us: {decisions.slowest_p99_us:.0f}, "
        f"target at most {TAIL_US:.0f}\n"
        f"{_word(decisions.flat)}  steepest rise beyond {FLAT_FROM:,d} tokens: {decisions.steepest:.2f} times, "
        f"target at most {FLAT}"
    )
    return "\n".join(lines)


def render_start(start: Start) -> str:
    both = start.import_ms + start.load_ms
    return (
        f"{_word(both <= START_MS and start.load_ms <= LOAD_MS)}  predictor in a fresh process: import "
        f"{start.import_ms:.0f} ms, load {start.load_ms:.0f} ms; target for both at most {START_MS:.0f}, "
        f"for the load {LOAD_MS:.0f}\n"
        f"{_word(start.added_mb <= ADDED_MB)}  memory that it adds: {start.added_mb:.1f} MB, "
        f"target at most {ADDED_MB:.0f}"
    )


def _word(met: bool) -> str:
    return "met   " if met else "missed"


def _request(text: str) -> ChatRequest:
    return ChatRequest(model="auto", messages=(_SYSTEM, Message("user", text)), body={})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer decisions of each case")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    decisions = measure(QUICK if asked.quick else FULL)
    print(render(decisions))
    start = started()
    print(render_start(start))
    if asked.json is not None:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode({"decision": decisions, "start": start})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
