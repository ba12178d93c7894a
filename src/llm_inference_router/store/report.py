"""What the records say: distribution, spend, saving and latency, as exact sums and exact percentiles.

Rules:
- A record belongs to the window in which its request came.
- Money is summed as whole picodollars; no float is involved before a ratio.
- Percentiles are of nearest rank: the smallest value that at least p percent of the values do not exceed.
- The saving is `1 - spend / baseline`, where the baseline prices the same tokens on the route's strongest
  model. Its interval is the normal 95 % interval of a ratio of sums (linearised, requests taken as
  independent).
"""

import math
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.schema import floor_id, open_reader

Dimension: TypeAlias = Literal["route", "model", "tier"]
MIN_FOR_INTERVAL = 30
_Z = 1.959963984540054
_MILLION = 10**6
_FOREVER = 2**48 - 1
_WINDOW = "decision_id >= ? AND decision_id < ?"


class Latency(Struct, frozen=True):
    """Milliseconds, of `count` requests that have the figure; None without any."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Saving(Struct, frozen=True):
    """`amount` in picodollars, `ratio` of the baseline; `low` and `high` bound the ratio, None below 30
    requests."""

    amount: int
    ratio: float | None
    low: float | None
    high: float | None


class Group(Struct, frozen=True):
    """All requests, or those of one route, model or tier. The name is "" where no model answered.

    `errors` ended with an error, `left` are clients that went away first (status 499). `spend` and
    `baseline` are picodollars. Of the requests with usage, `estimated` rest on our own count of tokens.
    """

    name: str
    requests: int
    share: float
    errors: int
    left: int
    streams: int
    with_usage: int
    estimated: int
    simulated: int
    input_tokens: int
    output_tokens: int
    spend: int
    baseline: int
    saving: Saving
    ttft: Latency
    total: Latency


class Attempts(Struct, frozen=True):
    """Upstream tries. A retry is a further try on the same model, a fallback the first on another one."""

    total: int
    failed: int
    retries: int
    fallbacks: int


class Count(Struct, frozen=True):
    name: str
    requests: int


class Report(Struct, frozen=True):
    """`first_ms` and `last_ms` are when the first and the last request of the window ended; None without
    any."""

    since_ms: int
    until_ms: int | None
    first_ms: int | None
    last_ms: int | None
    all: Group
    routes: tuple[Group, ...]
    models: tuple[Group, ...]
    tiers: tuple[Group, ...]
    reasons: tuple[Count, ...]
    bands: tuple[Count, ...]
    tasks: tuple[Count, ...]
    attempts: Attempts


def report(source: Path | sqlite3.Connection, since_ms: int = 0, until_ms: int | None = None) -> Report:
    """The figures of a window, from a database file or from a connection to one.

    Everything is read in one transaction, so that the parts agree. Raises StoreFault.
    """
    if isinstance(source, sqlite3.Connection):
        return _read(source, since_ms, until_ms)
    with closing(open_reader(source)) as connection:
        try:
            connection.execute("BEGIN")
            return _read(connection, since_ms, until_ms)
        except sqlite3.Error as error:
            raise StoreFault(f"{source}: {error}") from error


def _read(connection: sqlite3.Connection, since_ms: int, until_ms: int | None) -> Report:
    window = (floor_id(since_ms), floor_id(_FOREVER) if until_ms is None else floor_id(until_ms))
    reading = _Reading(connection, window)
    (everything,) = reading.groups("''") or (_EMPTY,)
    first, last = connection.execute(f"SELECT min(at), max(at) FROM outcomes WHERE {_WINDOW}", window).fetchone()
    return Report(
        since_ms=since_ms,
        until_ms=until_ms,
        first_ms=first,
        last_ms=last,
        all=everything,
        routes=reading.groups("route"),
        models=reading.groups("model"),
        tiers=reading.groups("tier"),
        reasons=reading.counts("reason"),
        bands=reading.counts("band"),
        tasks=reading.counts("task"),
        attempts=reading.attempts(),
    )


def total_of(parts: Iterable[tuple[int, int]]) -> int:
    """The sum of money that was summed in two halves, millions and the rest: SQLite's 64 bits hold no
    large total."""
    return sum(millions * _MILLION + rest for millions, rest in parts)


def _money(column: str) -> str:
    return f"SUM({column} / {_MILLION}), SUM({column} % {_MILLION})"


class _Reading:
    def __init__(self, connection: sqlite3.Connection, window: tuple[str, str]) -> None:
        self._connection = connection
        self._window = window
        self._requests = connection.execute(f"SELECT count(*) FROM outcomes WHERE {_WINDOW}", window).fetchone()[0]

    def groups(self, by: str) -> tuple[Group, ...]:
        """The groups of one dimension (a column, or a constant for all in one), the largest first."""
        ttft, total = self._latencies(by, "ttft_ms"), self._latencies(by, "total_ms")
        found = self._connection.execute(
            f"SELECT {by}, count(*), SUM(error IS NOT NULL AND status <> 499), SUM(status = 499), "
            "SUM(stream), count(usage_source), SUM(usage_source IS 'estimated'), SUM(simulated), "
            f"TOTAL(input_tokens), TOTAL(output_tokens), {_money('cost')}, {_money('baseline_cost')} "
            f"FROM outcomes WHERE {_WINDOW} GROUP BY 1 ORDER BY 2 DESC, 1",
            self._window,
        ).fetchall()
        groups = []
        for name, count, errors, left, streams, with_usage, estimated, simulated, *sums in found:
            spend, baseline = total_of([(sums[2], sums[3])]), total_of([(sums[4], sums[5])])
            group = Group(
                name=name,
                requests=count,
                share=count / self._requests,
                errors=errors,
                left=left,
                streams=streams,
                with_usage=with_usage,
                estimated=estimated,
                simulated=simulated,
                input_tokens=int(sums[0]),
                output_tokens=int(sums[1]),
                spend=spend,
                baseline=baseline,
                saving=self._saving(by, name, count, spend, baseline),
                ttft=ttft.get(name, Latency()),
                total=total.get(name, Latency()),
            )
            groups.append(group)
        return tuple(groups)

    def counts(self, column: str) -> tuple[Count, ...]:
        found = self._connection.execute(
            f"SELECT {column}, count(*) FROM decisions WHERE id >= ? AND id < ? GROUP BY 1 ORDER BY 2 DESC, 1",
            self._window,
        )
        return tuple(Count(name, requests) for name, requests in found)

    def attempts(self) -> Attempts:
        found = self._connection.execute(
            "SELECT count(*), TOTAL(outcome <> 'ok'), TOTAL(model = before), TOTAL(model <> before) FROM ("
            "SELECT outcome, model, lag(model) OVER (PARTITION BY decision_id ORDER BY number) AS before "
            f"FROM attempts WHERE {_WINDOW})",
            self._window,
        ).fetchone()
        return Attempts(*(int(value) for value in found))

    def _saving(self, by: str, name: str, count: int, spend: int, baseline: int) -> Saving:
        if baseline == 0:
            return Saving(-spend, None, None, None)
        ratio = spend / baseline
        if count < MIN_FOR_INTERVAL:
            return Saving(baseline - spend, 1 - ratio, None, None)
        squares = self._connection.execute(
            "SELECT SUM((cost - :ratio * baseline_cost) * (cost - :ratio * baseline_cost)) FROM outcomes "
            f"WHERE decision_id >= :first AND decision_id < :after AND {by} = :name",
            {"ratio": ratio, "name": name, "first": self._window[0], "after": self._window[1]},
        ).fetchone()[0]
        margin = _Z * math.sqrt(squares * count / (count - 1)) / baseline
        return Saving(baseline - spend, 1 - ratio, 1 - ratio - margin, 1 - ratio + margin)

    def _latencies(self, by: str, column: str) -> dict[str, Latency]:
        ranks = "(n * 50 + 99) / 100", "(n * 95 + 99) / 100", "(n * 99 + 99) / 100"
        picks = ", ".join(f"max(CASE WHEN rank = {rank} THEN value END)" for rank in ranks)
        found = self._connection.execute(
            f"SELECT name, max(n), {picks} FROM ("
            f"SELECT {by} AS name, {column} AS value, "
            f"row_number() OVER (PARTITION BY {by} ORDER BY {column}) AS rank, "
            f"count(*) OVER (PARTITION BY {by}) AS n FROM outcomes WHERE {_WINDOW} AND {column} IS NOT NULL) "
            f"WHERE rank IN ({', '.join(ranks)}) GROUP BY name",
            self._window,
        )
        return {name: Latency(*figures) for name, *figures in found}


_EMPTY = Group("", 0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Saving(0, None, None, None), Latency(), Latency())
