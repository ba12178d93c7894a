"""Hours in minutes: load, faults, reloads, kills and clients that leave; then the books.

usage: python -m tests.support.soak [--minutes 30] [--kills 200] [--cancels 1000] [--reloads 1000] [--seed 1]

One router in a process of its own, on loopback, before an upstream that breaks on purpose. At 60 % of the load that it
and this client can do, 1 % of the requests meet a fault; the configuration is read again every minute.

1. `kills` times: load, kill -9 in the middle of it, start again.
2. `cancels` streams whose client leaves.
3. `reloads` of the configuration under load, one after the other.
4. For the rest of the time: load, faults, reloads, and the memory of the process.

Ends with 1 when an answered request has no record or two, when the books do not balance, when a request failed that
should not have, when something stays open, or when memory grows by more than 1 MB an hour and that is certain. Memory
is judged by the second half of the last part, when that part lasted 10 minutes: in the first half a process still takes
what it then keeps.
"""

import argparse
import json
import math
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from scipy.stats import theilslopes

from tests.serving.router import Router, parse, start
from tests.support.conserved import Held, assert_conserved, assert_given_back, held
from tests.support.faults.server import FaultServer, running

FAULTS = (
    "error-500",
    "rate-limit",
    "reset",
    "cut-before-content",
    "garbage",
    "error-in-stream",
    "bytewise",
    "comments",
)
CLIENTS = 4
SHARE_OF_FAULTS = 0.01
LOAD = 0.6
MB = 1024 * 1024
MOST_MB_AN_HOUR = 1.0
SHORTEST_SPAN_S = 600
WARM = 0.5  # of the last part: by then caches are full and the allocator has what it keeps


@dataclass
class Seen:
    """What the clients saw. `answered` are the decisions whose last byte arrived."""

    answered: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def configuration(server: FaultServer, turn: int) -> str:
    """`turn` changes what the file says without changing what it means."""
    rest = "tier: small, location: local, context: 32768, price: {input: 1, output: 2}, health: none, breaker: none"
    where = f"backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {rest}, timeouts: {{first_token: 2s}}"
    models = "\n".join(f"  - {{name: {name}, {where}}}" for name in ("ok", "fb-ok", *FAULTS))
    routes = "\n".join(
        f"  r-{name}: {{models: [{name}, fb-ok], policy: {{kind: fixed}}, retry: {{budget: 1}}}}"
        for name in ("ok", *FAULTS)
    )
    return f"# {turn}\nmodels:\n{models}\nroutes:\n{routes}\n"


class Client(threading.Thread):
    """Asks one thing after another until it is told to stop. `pause` is seconds between two."""

    def __init__(self, port: int, seen: Seen, seed: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.seen = seen
        self.random = random.Random(seed)
        self.pause = pause
        self.over = threading.Event()
        self.dying = threading.Event()  # the router is being killed: what breaks now is explained

    def run(self) -> None:
        while not self.over.is_set():
            self.one()
            if self.pause:
                self.over.wait(self.random.expovariate(1 / self.pause))

    def one(self) -> None:
        faulty = self.random.random() < SHARE_OF_FAULTS
        name = self.random.choice(FAULTS) if faulty else "ok"
        stream = self.random.random() < 0.5
        try:
            raw = exchange(self.port, f"r-{name}", stream)
            answer = parse(raw)
            whole = raw.endswith(b"0\r\n\r\n") if stream else len(answer.body) == int(answer.headers["content-length"])
        except (OSError, ValueError, IndexError, KeyError) as error:
            if not self.dying.is_set():
                self.seen.unexplained.append(f"{name}: {type(error).__name__}: {error}")
            return
        if not whole:
            if not self.dying.is_set():
                self.seen.unexplained.append(f"{name}: an answer that is not whole")
            return
        self.seen.statuses[str(answer.status)] += 1
        if answer.status == 200 and b'"error"' not in answer.body:
            self.seen.answered.append(answer.headers["x-router-decision-id"])
        elif not self.dying.is_set():
            self.seen.unexplained.append(f"{name}: status {answer.status}: {answer.body[-200:]!r}")


def exchange(port: int, model: str, stream: bool, leave_after: int | None = None) -> bytes:
    """All bytes of an answer; `leave_after` so many bytes the client is gone."""
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    parts = bytearray()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(head.encode() + body)
        while part := connection.recv(65536):
            parts += part
            if leave_after is not None and len(parts) >= leave_after:
                break
    return bytes(parts)


class Load:
    """Clients that run until the block ends."""

    def __init__(self, port: int, seen: Seen, seed: int, pause: float) -> None:
        self.clients = [Client(port, seen, seed * 1000 + number, pause) for number in range(CLIENTS)]

    def __enter__(self) -> "Load":
        for one in self.clients:
            one.start()
        return self

    def dying(self) -> None:
        for one in self.clients:
            one.dying.set()

    def __exit__(self, *_: object) -> None:
        for one in self.clients:
            one.over.set()
        for one in self.clients:
            one.join(60)


def slope(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Theil and Sen's slope of the minutes' means in units a second, with its 95 % interval.

    Seconds are no independent readings: memory moves in steps, and what it is in one second it is in the next.
    """
    minutes = [[one for one in points if one[0] // 60 == minute] for minute in {x // 60 for x, _ in points}]
    means = sorted((fmean(x for x, _ in one), fmean(y for _, y in one)) for one in minutes)
    if len(means) < 3:
        return 0.0, -math.inf, math.inf
    rate, _, low, high = theilslopes([y for _, y in means], [x for x, _ in means])
    return float(rate), float(low), float(high)


def memory(router: Router) -> int:
    fields = Path(f"/proc/{router.process.pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) * 1024


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Soak:
    def __init__(self, folder: Path, server: FaultServer, minutes: float, seed: int) -> None:
        self.folder = folder
        self.server = server
        self.ends = time.monotonic() + 60 * minutes
        self.seed = seed
        self.seen = Seen()
        self.killed = 0
        self.left = 0
        self.starts: list[float] = []
        self.router = self._start()

    def _start(self) -> Router:
        began = time.monotonic()
        router = start(self.folder, configuration(self.server, 0))
        self.starts.append(time.monotonic() - began)
        return router

    def kills(self, times: int) -> None:
        luck = random.Random(self.seed)
        for number in range(times):
            with Load(self.router.port, self.seen, self.seed + number, 0.0) as load:
                time.sleep(luck.uniform(0.05, 0.6))
                load.dying()
                self.router.process.send_signal(signal.SIGKILL)
                self.router.process.wait()
            self.killed += 1
            self.router = self._start()
            if number % 20 == 19:
                say(f"  {number + 1} kills, {len(self.seen.answered)} answers")

    def cancels(self, times: int) -> None:
        luck = random.Random(self.seed)
        for _ in range(times):
            with suppress(OSError):
                exchange(self.router.port, "r-ok", stream=True, leave_after=luck.choice((0, 1, 700, 2000)))
            self.left += 1

    def reloads(self, times: int) -> None:
        """As fast as the router takes them up, under load."""
        with Load(self.router.port, self.seen, self.seed + 5, 0.0):
            for turn in range(times):
                (self.folder / "router.yaml").write_text(configuration(self.server, turn + 1000))
                answer = self.router.ask("/admin/reload", method="POST")
                if answer.status != 200:
                    self.seen.unexplained.append(f"reload {turn}: {answer.status}: {answer.body[-200:]!r}")

    def capacity(self) -> float:
        """Requests a second of clients that never pause."""
        before = len(self.seen.answered)
        with Load(self.router.port, self.seen, self.seed, 0.0):
            time.sleep(3)
        return (len(self.seen.answered) - before) / 3

    def steady(self) -> list[tuple[float, float]]:
        """Seconds and bytes."""
        rate = self.capacity()
        pause = max(0.0, CLIENTS / (LOAD * rate) - CLIENTS / rate)
        say(f"  {rate:.0f} requests a second at most, {LOAD * rate:.0f} from now on")
        points: list[tuple[float, float]] = []
        began, turn = time.monotonic(), 0
        with Load(self.router.port, self.seen, self.seed + 7, pause):
            while (now := time.monotonic()) < self.ends:
                points.append((now - began, memory(self.router)))
                if (now - began) // 60 > turn:
                    turn += 1
                    (self.folder / "router.yaml").write_text(configuration(self.server, turn))
                    say(f"  minute {turn}: {points[-1][1] / MB:.1f} MB, {len(self.seen.answered)} answers")
                time.sleep(1)
        return points

    def books(self, before: Held) -> list[str]:
        """What is wrong. `before`: what the last process held when it had started; its memory is judged apart."""
        wrong = [f"unexplained: {one}" for one in self.seen.unexplained[:10]]
        with closing(sqlite3.connect(self.router.database)) as database:
            kept = [row[0] for row in database.execute("SELECT id FROM decisions")]
        lost = set(self.seen.answered) - set(kept)
        if lost:
            wrong.append(f"{len(lost)} answered requests have no record")
        if len(kept) != len(set(kept)):
            wrong.append(f"{len(kept) - len(set(kept))} records are there twice")
        slack = CLIENTS * 2 * self.killed + self.left
        try:
            assert_conserved(
                self.router.database,
                lambda: self.router.ask("/metrics").body.decode(),
                admitted=len(self.seen.answered),
                seen=sum(self.server.requests.values()),
                slack=slack,
            )
        except AssertionError as error:
            wrong.append(f"the books do not balance: {error}")
        try:
            assert_given_back(self.router, before, at_once=2 * CLIENTS, grown=1024 * MB)
        except AssertionError as error:
            wrong.append(str(error))
        return wrong


def run(minutes: float, kills: int, cancels: int, reloads: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, running() as server:
        soak = Soak(Path(folder), server, minutes, seed)
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
            time.sleep(2)
            wrong = soak.books(before)
            open_now = held(soak.router, server.port).descriptors
        finally:
            status = soak.router.stop() if soak.router.process.poll() is None else -1
    warm = [one for one in points if one[0] > WARM * points[-1][0]]
    rate, low, high = (3600 * one / MB for one in slope(warm))
    judged = points[-1][0] >= SHORTEST_SPAN_S
    if judged and low > MOST_MB_AN_HOUR:
        wrong.append(f"memory grows by {rate:.2f} MB an hour [{low:.2f} to {high:.2f}]")
    if status != 0:
        wrong.append(f"the router ended with {status}")
    say(f"answers     {len(soak.seen.answered)}, by status {dict(soak.seen.statuses)}")
    say(f"unexplained {len(soak.seen.unexplained)}")
    say(f"kills       {soak.killed}; the slowest start took {max(soak.starts):.2f} s")
    say(f"left        {soak.left}; {open_now} descriptors open, {before.descriptors} before")
    say(
        f"memory      {points[-1][1] / MB:.1f} MB; {rate:+.2f} MB an hour [{low:+.2f} to {high:+.2f}]"
        + ("" if judged else f"; not judged: watched for less than {SHORTEST_SPAN_S / 60:.0f} minutes")
    )
    for one in wrong:
        say(f"WRONG: {one}")
    say("failed" if wrong else "passed")
    return 1 if wrong else 0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="in all, the kills included")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cancels", type=int, default=1000)
    parser.add_argument("--reloads", type=int, default=1000, help="at once; one a minute comes afterwards")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.exit(run(asked.minutes, asked.kills, asked.cancels, asked.reloads, asked.seed))


if __name__ == "__main__":
    main()
