"""What must hold after anything: nothing is lost, counted twice, or left open."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

# Of these nothing reached the upstream.
_UNSENT = ("connect", "dns", "tls", "timeout.connect")


def assert_conserved(database: Path, metrics: Callable[[], str], *, admitted: int, seen: int, slack: int = 0) -> None:
    """`admitted`: requests that reached a decision; `seen`: requests that the upstreams counted. `slack`: tries that
    may have been seen and not recorded, because the router was killed in the middle of them."""
    _eventually(lambda: set(_gauges(metrics(), "llm_router_inflight")) <= {0.0}, "requests still run")
    _eventually(lambda: _one(database, "SELECT count(*) FROM outcomes") >= admitted, "a request left no record")
    decisions = _one(database, "SELECT count(DISTINCT id) FROM decisions")
    outcomes = _one(database, "SELECT count(*) FROM outcomes")
    assert decisions == outcomes, "one request makes one decision and one outcome"
    assert admitted <= outcomes <= admitted + slack, (admitted, outcomes)
    marks = ", ".join(f"'{one}'" for one in _UNSENT)
    tries = _one(database, f"SELECT count(*) FROM attempts WHERE outcome NOT IN ({marks})")
    assert seen - slack <= tries <= seen, f"{tries} tries are recorded and the upstreams saw {seen}"
    spent = _one(database, "SELECT coalesce(sum(cost), 0) FROM outcomes")
    assert spent == _one(database, "SELECT coalesce(sum(cost), 0) FROM attempts"), (
        "an outcome costs what its tries cost"
    )


def _one(database: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _gauges(metrics: str, name: str) -> list[float]:
    return [float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name + "{")]


def _eventually(holds: Callable[[], bool], otherwise: str, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)
