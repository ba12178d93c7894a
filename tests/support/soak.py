"""Hours in minutes: load, faults, reloads, kills and clients that leave; then the books.

usage: python -m tests.support.soak [--minutes 30] [--kills 200] [--cancels 1000] [--reloads 1000] [--kill-every 0]
                                    [--seed 1]

One router in a process of its own, on loopback, before an upstream that breaks on purpose. At 60 % of the load that it
and this client can do, 1 % of the requests meet a fault, before or after content, on routes with and without breakers,
hedging and continuation; 1 % are left by their client; 2 % share idempotency keys; a fifth each are Messages and
Responses, the rest chat; half come on connections that are kept; the configuration is read again every minute.

1. `kills` times: load, kill -9 in the middle of it, start again.
2. `cancels` clients that leave: at once, while the model is silent, after the head, in the middle.
3. `reloads` of the configuration under load, one after the other.
4. For the rest of the time: load, faults, reloads, and the memory of the process; every `kill-every` minutes kill -9
   and a start, where that is not 0.

Ends with 1 when an answer is not the model's text, when a record is missing or there twice, when the upstream saw a try
that no record holds, when something stays open, when starting again takes too long, or when memory certainly grows by
more than 1 MB an hour. Where it seems to, and the interval holds less as well, the run is undecided and ends with 3: a
longer one tells. Memory is judged by the second half of the last part (of its last life), when that lasted 10 minutes:
in the first half a process still takes what it then keeps. A start is too long when the median of
those after kills is above 2 s, or above twice the very first one where that took more than 1 s. It is timed as on an
idle machine: without what the router waited for a processor that others had.
"""

import argparse
import math
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from statistics import fmean, median

from tests.serving.router import Router, start
from tests.support.conserved import Held, assert_conserved, assert_given_back, eventually, held
from tests.support.faults.server import FaultServer, running
from tests.support.visitor import ROUTES, Load, Seen, goes

CLIENTS = 4
LOAD = 0.6
MB = 1024 * 1024
MOST_MB_AN_HOUR = 1.0
SHORTEST_SPAN_S = 600
WARM = 0.5  # of the last part: by then caches are full and the allocator has what it keeps
START_S = 2.0

_SETTINGS = {
    "plain": "retry: {budget: 1}",
    "default": "",
    "continue": "retry: {budget: 1}, on_cut_stream: continue",
    "hedge": "retry: {budget: 1, hedge: 200ms}",
}


def configuration(server: FaultServer, turn: int) -> str:
    """`turn` changes what the file says without changing what it means."""
    rest = "tier: small, location: local, context: 32768, price: {input: 1, output: 2}, health: none"
    limits = "timeouts: {first_token: 2s, idle: 2s, total: 20s}"
    where = f"backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {rest}, {limits}"
    names = {name for names in ROUTES.values() for name in names}
    lines = [f"# {turn}", "models:", f"  - {{name: fb-ok, {where}}}"]
    for name in sorted(names):
        lines.append(f"  - {{name: {name}, {where}, breaker: none}}")
        lines.append(f"  - {{name: '{name}@default', upstream_model: '{name}@default', {where}}}")
    lines.append("routes:")
    for kind, settings in _SETTINGS.items():
        for name in ROUTES[kind]:
            model = f"'{name}@default'" if kind == "default" else name
            lines.append(f"  {kind}-{name}: {{models: [{model}, fb-ok], policy: {{kind: fixed}}, {settings}}}")
    return "\n".join(lines) + "\n"


def slope(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Theil and Sen's slope of the minutes' means in units a second, with its 95 % interval.

    Seconds are no independent readings: memory moves in steps, and what it is in one second it is in the next.
    """
    minutes = [[one for one in points if one[0] // 60 == minute] for minute in {x // 60 for x, _ in points}]
    means = sorted((fmean(x for x, _ in one), fmean(y for _, y in one)) for one in minutes)
    if len(means) < 3:
        return 0.0, -math.inf, math.inf
    from scipy.stats import theilslopes  # two seconds to import, and short runs judge no memory

    rate, _, low, high = theilslopes([y for _, y in means], [x for x, _ in means])
    return float(rate), float(low), float(high)


def grows(rate: float, low: float) -> bool | None:
    """Whether memory grows by more than is allowed, by MB an hour and their lower bound; None: it may."""
    if low > MOST_MB_AN_HOUR:
        return True
    return None if rate > MOST_MB_AN_HOUR else False


def memory(router: Router) -> int:
    fields = Path(f"/proc/{router.process.pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) * 1024


def waited(router: Router) -> float:
    """Seconds in which its main thread could have run and had no processor; 0 where the kernel does not count them."""
    try:
        return int(Path(f"/proc/{router.process.pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Soak:
    def __init__(self, folder: Path, server: FaultServer, minutes: float, seed: int, kill_every: float = 0.0) -> None:
        self.folder = folder
        self.server = server
        self.ends = time.monotonic() + 60 * minutes
        self.seed = seed
        self.kill_every = 60 * kill_every
        self.seen = Seen()
        self.killed = 0
        self.starts: list[float] = []
        self.router = self._start()

    def _start(self) -> Router:
        began = time.monotonic()
        router = start(self.folder, configuration(self.server, 0))
        self.starts.append(time.monotonic() - began - waited(router))
        return router

    def kills(self, times: int) -> None:
        luck = random.Random(self.seed)
        for number in range(times):
            with Load(self.router.port, self.seen, self.seed + number, 0.0, CLIENTS) as load:
                time.sleep(luck.uniform(0.05, 0.6))
                self._kill(load)
            self.router = self._start()
            if number % 20 == 19:
                say(f"  {number + 1} kills, {len(self.seen.answered)} answers")

    def _kill(self, load: Load) -> None:
        load.dying()
        self.router.process.send_signal(signal.SIGKILL)
        self.router.process.wait()
        self.seen.killed()
        self.killed += 1

    def cancels(self, times: int) -> None:
        luck = random.Random(self.seed)
        for _ in range(times):
            goes(self.router.port, self.seen, luck, threading.Event())

    def reloads(self, times: int) -> None:
        """As fast as the router takes them up, under load."""
        with Load(self.router.port, self.seen, self.seed + 5, 0.0, CLIENTS):
            for turn in range(times):
                (self.folder / "router.yaml").write_text(configuration(self.server, turn + 1000))
                answer = self.router.ask("/admin/reload", method="POST")
                if answer.status != 200:
                    self.seen.unexplained.append(f"reload {turn}: {answer.status}: {answer.body[-200:]!r}")

    def capacity(self) -> float:
        """Requests a second of clients that never pause."""
        before = len(self.seen.answered)
        with Load(self.router.port, self.seen, self.seed, 0.0, CLIENTS):
            time.sleep(3)
        return (len(self.seen.answered) - before) / 3

    def steady(self) -> list[tuple[float, float]]:
        """Seconds and bytes, of the router's last life."""
        rate = max(1.0, self.capacity())
        pause = max(0.0, CLIENTS / (LOAD * rate) - CLIENTS / rate)
        say(f"  {rate:.0f} requests a second at most, {LOAD * rate:.0f} from now on")
        points: list[tuple[float, float]] = []
        began, turn, lives = time.monotonic(), 0, 1
        with Load(self.router.port, self.seen, self.seed + 7, pause, CLIENTS) as load:
            while (now := time.monotonic()) < self.ends:
                points.append((now - began, memory(self.router)))
                if (now - began) // 60 > turn:
                    turn += 1
                    (self.folder / "router.yaml").write_text(configuration(self.server, turn))
                    say(f"  minute {turn}: {points[-1][1] / MB:.1f} MB, {len(self.seen.answered)} answers")
                if self.kill_every and now - began > lives * self.kill_every:
                    lives += 1
                    self._kill(load)
                    self.router = self._start()
                    load.moved(self.router.port)
                    points.clear()
                time.sleep(1)
        return points

    def books(self) -> list[str]:
        """What is wrong."""
        seen = self.seen
        wrong = [f"unexplained: {one}" for one in seen.unexplained[:10]]
        known = set(seen.known())
        try:
            assert_conserved(
                self.router.database,
                lambda: self.router.ask("/metrics").body.decode(),
                admitted=len(known),
                seen=sum(self.server.requests.values()),
                unknown=seen.blind + seen.interrupted,
                lost=seen.tries_lost,
            )
            eventually(lambda: not self.server.running, f"the upstream still answers {self.server.running} requests")
        except AssertionError as error:
            wrong.append(str(error))
        with closing(sqlite3.connect(f"file:{self.router.database}?mode=ro", uri=True)) as database:
            outcomes = {row[0] for row in database.execute("SELECT decision_id FROM outcomes")}
        if missing := known - outcomes:
            wrong.append(f"{len(missing)} requests that clients know of have no record")
        if shared := len(seen.known()) - len(known):
            wrong.append(f"{shared} answers share a record")
        return wrong

    def kept(self, before: Held) -> list[str]:
        """What the last process did not give back; its memory is judged apart."""
        try:
            assert_given_back(self.router, before, at_once=2 * CLIENTS, grown=1024 * MB)
        except AssertionError as error:
            return [str(error)]
        return []

    def slow_start(self) -> str | None:
        first, *later = self.starts
        limit = max(START_S, 2 * first)
        if not later or median(later) <= limit:
            return None
        return f"starting again takes {median(later):.2f} s; the limit is {limit:.2f} s, the first took {first:.2f} s"


def run(minutes: float, kills: int, cancels: int, reloads: int, seed: int, kill_every: float = 0.0) -> int:
    with tempfile.TemporaryDirectory() as folder, running() as server:
        soak = Soak(Path(folder), server, minutes, seed, kill_every)
        try:
            say(f"{kills} kills under load")
            soak.kills(kills)
            before = held(soak.router, server.port)
            say(f"{cancels} clients that leave")
            soak.cancels(cancels)
            say(f"{reloads} reloads under load")
            soak.reloads(reloads)
            say("load, faults and reloads")
            points = soak.steady()
            wrong = soak.books()
            wrong += soak.kept(before)
            open_now = held(soak.router, server.port).descriptors
        finally:
            status = soak.router.stop() if soak.router.process.poll() is None else -1
    span = points[-1][0] - points[0][0] if points else 0.0
    warm = [one for one in points if one[0] > points[0][0] + WARM * span]
    rate, low, high = (3600 * one / MB for one in slope(warm))
    judged = span >= SHORTEST_SPAN_S
    growing = grows(rate, low) if judged else False
    if growing:
        wrong.append(f"memory grows by {rate:.2f} MB an hour [{low:.2f} to {high:.2f}]")
    if slow := soak.slow_start():
        wrong.append(slow)
    if status != 0:
        wrong.append(f"the router ended with {status}")
    seen = soak.seen
    say(f"answers     {len(seen.answered)}, by status {dict(seen.statuses)}; {seen.replayed} by key")
    say(f"spoken      {dict(seen.spoken)}; {seen.on_kept} on a connection that had brought an answer before")
    say(f"broken      {len(seen.broken)} streams ended with an honest error, {len(seen.unexplained)} unexplained")
    say(f"kills       {soak.killed} came into {seen.interrupted} requests")
    say(f"starts      the first took {soak.starts[0]:.2f} s, the slowest {max(soak.starts):.2f} s")
    say(f"left        {seen.gone}, {seen.blind} of them without an id")
    say(f"open        {open_now} descriptors, {before.descriptors} after the start")
    say(
        (f"memory      {points[-1][1] / MB:.1f} MB; " if points else "memory      ")
        + f"{rate:+.2f} MB an hour [{low:+.2f} to {high:+.2f}]"
        + ("" if judged else f"; not judged: watched for less than {SHORTEST_SPAN_S / 60:.0f} minutes")
    )
    for one in wrong:
        say(f"WRONG: {one}")
    say("failed" if wrong else "undecided: watch the memory for longer" if growing is None else "passed")
    return 1 if wrong else 3 if growing is None else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="in all, the kills included")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cancels", type=int, default=1000)
    parser.add_argument("--reloads", type=int, default=1000, help="at once; one a minute comes afterwards")
    parser.add_argument("--kill-every", type=float, default=0.0, help="minutes, in the last part; 0: never")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.exit(run(asked.minutes, asked.kills, asked.cancels, asked.reloads, asked.seed, asked.kill_every))


if __name__ == "__main__":
    main()
