"""What a record costs: python -m benchmarks.records [--quick] [--json FILE]

CPU time of the process, event loop and writer thread together, for requests that are decided and recorded, less that of
the same requests decided alone: encoding, waiting, commit, wake-ups and checkpoints are all in it. They take turns on
one core; the requests are 4,000 different texts.
"""

import argparse
import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop

from benchmarks.decision import snapshot
from benchmarks.load import percentile
from benchmarks.prompts import prompts
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.judge import Wishes, judge
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Attempt, Caller, ChatRequest, Decision, Message, Outcome, Record, Usage

RATES: tuple[int | None, ...] = (None, 3_000, 1_000, 100)  # requests a second; None: as fast as they go
MODELS = 5
_AT_ONCE = 32  # requests under way in the saturated case, as many as the gateway benchmark has connections
_FULL_S, _QUICK_S = 3.0, 1.0
_ROUNDS, _QUICK_ROUNDS = 7, 3
_SATURATED_RATE = 5_000  # how many requests make a saturated round last about as long as the others
_SWITCH_INTERVAL_S = 0.0005  # as the server sets it
_GC_THRESHOLD = 20_000
_TEXTS = 4_000
_USAGE = Usage(128, 19)


class Cost(msgspec.Struct, frozen=True):
    """CPU us of one record: the median of the rounds, the least and the most. Milliseconds that `append` took.
    `late` is the share that the database would not take from memory."""

    rate: int | None
    us: float
    least_us: float
    most_us: float
    wait_p50_ms: float
    wait_p99_ms: float
    late: float


class Work:
    """Requests that are decided one after the other, and recorded where there is a store."""

    def __init__(self) -> None:
        self._snapshot = snapshot(MODELS)
        self._requests = [
            ChatRequest(model="auto", messages=(Message("user", text),), body={})
            for text in prompts("prose", 100, _TEXTS)
        ]
        self._clock, self._caller, self._wishes = SystemClock(), Caller(), Wishes()

    async def one(self, number: int, store: SqliteStore | None, waits: list[float]) -> None:
        request = self._requests[number % _TEXTS]
        decision = judge(request, self._caller, self._wishes, self._snapshot, self._clock)
        await asyncio.sleep(0)  # the model answers
        record = _record(decision)
        if store is not None:
            before = time.perf_counter()
            await store.append(record)
            waits.append((time.perf_counter() - before) * 1e3)

    async def saturated(self, count: int, store: SqliteStore | None, waits: list[float]) -> None:
        numbers = iter(range(count))

        async def work(own: Iterator[int]) -> None:
            for number in own:
                await self.one(number, store, waits)

        await asyncio.gather(*(work(numbers) for _ in range(_AT_ONCE)))

    async def paced(self, rate: int, count: int, store: SqliteStore | None, waits: list[float]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                pause = began + number / rate - loop.time()
                if pause > 0:
                    await asyncio.sleep(pause)
                tasks.create_task(self.one(number, store, waits))


def _record(decision: Decision) -> Record:
    name, at = decision.id, decision.at
    attempt = Attempt(name, 1, decision.chosen, f"{decision.chosen}@127.0.0.1:9", at, "ok", 200, 31.25, 812.5, _USAGE)
    return Record(
        decision,
        (attempt,),
        Outcome(
            *(name, at + 812, decision.route, decision.chosen, 200, None, "stop", True, 1, _USAGE),
            *(0, 510_000_000, 31.5, 812.75, 0.25, False, "small"),
        ),
    )


async def _round(work: Work, rate: int | None, seconds: float, store: SqliteStore | None, waits: list[float]) -> float:
    """CPU us of one request."""
    count = round((rate or _SATURATED_RATE) * seconds)
    gc.collect()
    before = time.process_time()
    if rate is None:
        await work.saturated(count, store, waits)
    else:
        await work.paced(rate, count, store, waits)
    if store is not None:
        await store.close()
    return (time.process_time() - before) * 1e6 / count


async def measure(rates: Sequence[int | None], rounds: int, seconds: float) -> list[Cost]:
    work = Work()
    costs = []
    for rate in rates:
        await _round(work, rate, seconds / 4, None, [])
        waits: list[float] = []
        taken: list[float] = []
        late = 0
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                store = SqliteStore.open(f"sqlite:///{folder}/router.db")
                alone = await _round(work, rate, seconds, None, [])
                taken.append(await _round(work, rate, seconds, store, waits) - alone)
                late += store.late
        waited = percentile(waits, 0.5), percentile(waits, 0.99)
        costs.append(Cost(rate, statistics.median(taken), min(taken), max(taken), *waited, late / len(waits)))
    return costs


def render(costs: Sequence[Cost]) -> str:
    lines = [f"{'records a second':>18s}{'CPU us a record':>22s}{'append p50 / p99, ms':>24s}{'late':>9s}"]
    for one in costs:
        rate = "saturated" if one.rate is None else f"{one.rate:,d}"
        span = f"[{one.least_us:.0f}-{one.most_us:.0f}]"
        lines.append(
            f"{rate:>18s}{one.us:12.0f} {span:>9s}{one.wait_p50_ms:17.2f} /{one.wait_p99_ms:5.2f}{one.late:9.1%}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    rounds, seconds = (_QUICK_ROUNDS, _QUICK_S) if asked.quick else (_ROUNDS, _FULL_S)
    costs = uvloop.run(measure(RATES, rounds, seconds))
    print(render(costs))
    if asked.json is not None:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
