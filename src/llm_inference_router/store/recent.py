"""The newest answers, as a page shows them."""

from contextlib import closing
from pathlib import Path

from msgspec import Struct, convert

from llm_inference_router.store.schema import open_reader

_QUERY = """
    SELECT id, ended_at AS at, route, model, tier, reason, complexity, band, task, status, error, attempts, cost,
           ttft_ms, total_ms, simulated
    FROM records ORDER BY id DESC LIMIT ?"""


class Recent(Struct, frozen=True):
    """One answer. `cost` in picodollars, `at` Unix milliseconds."""

    id: str
    at: int
    route: str
    model: str
    tier: str
    reason: str
    complexity: float
    band: str
    task: str
    status: int
    error: str | None
    attempts: int
    cost: int
    ttft_ms: float | None
    total_ms: float
    simulated: bool


def recent(path: Path, count: int) -> tuple[Recent, ...]:
    """The last `count` answers, newest first. Raises StoreFault when the database cannot be read."""
    with closing(open_reader(path)) as connection:
        cursor = connection.execute(_QUERY, (count,))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return tuple(convert(row, Recent, strict=False) for row in rows)
