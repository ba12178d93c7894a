"""What must hold after anything: nothing is lost, counted twice, or left open."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.serving.router import Router

# Of these nothing reached the upstream.
_UNSENT = ("connect", "dns", "tls", "timeout.connect")


def assert_conserved(
    database: Path, metrics: Callable[[], str], *, admitted: int, seen: int, unknown: int = 0, lost: int = 0
) -> None:
    """`admitted`: requests that reached a decision; `seen`: requests that the upstreams counted. Where the router was
    killed, or a client left before it knew: `unknown` requests may have reached a decision or not, and the records of
    `lost` tries may be gone."""
    eventually(lambda: set(_gauges(metrics(), "llm_router_inflight")) <= {0.0}, "requests still run")
    eventually(lambda: _one(database, "SELECT count(*) FROM outcomes") >= admitted, "a request left no record")
    decisions = _one(database, "SELECT count(*) FROM decisions")
    outcomes = _one(database, "SELECT count(*) FROM outcomes")
    both = _one(database, "SELECT count(DISTINCT d.id) FROM decisions d JOIN outcomes o ON o.decision_id = d.id")
    assert decisions == outcomes == both, f"{decisions} decisions have {outcomes} outcomes; {both} belong together"
    assert admitted <= outcomes <= admitted + unknown, f"{admitted} requests and {unknown} more left {outcomes} records"
    marks = ", ".join(f"'{one}'" for one in _UNSENT)
    recorded = f"SELECT count(*) FROM attempts WHERE outcome NOT IN ({marks})"
    eventually(lambda: _one(database, recorded) >= seen - lost, "a try left no record")
    tries = _one(database, recorded)
    # What is stopped at once is recorded and may not have been read.
    stopped = _one(database, "SELECT count(*) FROM attempts WHERE outcome IN ('cancelled', 'hedged')")
    assert tries <= seen + stopped, f"the upstreams saw {seen} tries; {tries} are recorded, {stopped} of them stopped"
    spent = _one(database, "SELECT coalesce(sum(cost), 0) FROM outcomes")
    assert spent == _one(database, "SELECT coalesce(sum(cost), 0) FROM attempts"), (
        "an outcome costs what its tries cost"
    )


def tries(router: Router, name: str) -> list[sqlite3.Row]:
    """A record is in the database a moment after its answer."""
    with closing(sqlite3.connect(router.database)) as database:
        database.row_factory = sqlite3.Row
        for _ in range(200):
            if found := database.execute("SELECT * FROM attempts WHERE decision_id = ?", (name,)).fetchall():
                return found
            time.sleep(0.025)
    raise AssertionError(f"decision {name} left no attempt")


MIB = 1024 * 1024
PROC = Path("/proc/self/fd").exists()  # elsewhere nobody tells what a process holds
_ESTABLISHED = "01"  # in /proc/net/tcp


@dataclass(frozen=True)
class Held:
    """What a router's process holds. `sockets` to upstreams by their state; an idle connection is kept for the next
    request, so those that are established are no more than once ran at the same time."""

    descriptors: int
    resident: int  # bytes
    tasks: int
    sockets: Counter[str]
    ports: tuple[int, ...]


def held(router: Router, *ports: int) -> Held:
    """`ports`: of its upstreams."""
    folder = Path(f"/proc/{router.process.pid}")
    tasks = int(sum(_gauges(router.ask("/metrics").body.decode(), "llm_router_tasks")))
    if not PROC:
        return Held(0, 0, tasks, Counter(), ports)
    names = []
    for one in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(one))
    mine = {name[8:-1] for name in names if name.startswith("socket:[")}
    rows = [line.split() for line in (folder / "net/tcp").read_text().splitlines()[1:]]
    ends = tuple(f":{port:04X}" for port in ports)
    sockets = Counter(row[3] for row in rows if row[9] in mine and row[2].endswith(ends))
    resident = int((folder / "status").read_text().split("VmRSS:")[1].split()[0]) * 1024
    return Held(len(names), resident, tasks, sockets, ports)


def assert_given_back(router: Router, before: Held, *, at_once: int = 1, grown: int = 32 * MIB) -> None:
    """`before`: what it held when it had started. `at_once`: how many tries ran beside each other; so many connections
    may wait for the next. `grown`: bytes that a process may come to keep, such as its caches."""
    now = before

    def back() -> bool:
        nonlocal now
        now = held(router, *before.ports)
        idle = now.sockets[_ESTABLISHED]
        return (
            idle <= at_once
            and set(now.sockets) <= {_ESTABLISHED}
            and now.descriptors <= before.descriptors * 1.05 + idle + 1
            and now.tasks <= before.tasks
            and now.resident <= before.resident + grown
        )

    with suppress(AssertionError):
        eventually(back, "")
        return
    raise AssertionError(f"not given back: {before} before, {now} now")


def _one(database: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _gauges(metrics: str, name: str) -> list[float]:
    return [
        float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith((name + "{", name + " "))
    ]


def eventually(holds: Callable[[], bool], otherwise: str, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)
