"""Records as rows, and rows as records.

A batch of records becomes one SQL statement: a multi-row INSERT into the view `intake`, whose trigger spreads
each row over the tables. One statement is one transaction, and sqlite3 gives up the interpreter once for it
instead of once for each row: beside a busy event loop that is the difference between microseconds and
milliseconds.

A row of `intake` is one record with its first attempt; each further attempt is a row of its own whose
other columns are NULL. All-NULL rows fill a batch up to the next size for which there is a statement.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from llm_inference_router.types import Attempt, Decision, Record, Usage

Row: TypeAlias = tuple[Any, ...]

_USAGE = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_source",
)
DECISION = (
    "id",
    "at",
    "route",
    "reason",
    "chosen",
    "complexity",
    "band",
    "task",
    "key",
    "user",
    "session",
    "json",
)
OUTCOME = (
    *[
        "decision_id",
        "at",
        "route",
        "model",
        "tier",
        "status",
        "error",
        "finish_reason",
        "stream",
        "attempts",
    ],
    *_USAGE,
    *["cost", "baseline_cost", "ttft_ms", "total_ms", "overhead_ms", "simulated"],
)
ATTEMPT = (
    *["decision_id", "number", "model", "endpoint", "at", "outcome", "status", "ttft_ms", "total_ms"],
    *_USAGE,
    *["cost", "detail"],
)
CONTENT = ("decision_id", "prompt", "completion")
_TABLES = {"decisions": DECISION, "outcomes": OUTCOME, "attempts": ATTEMPT, "contents": CONTENT}

SIZES = (1, 2, 4, 8, 16, 32)  # rows a statement; a larger one saves little more and each keeps memory
_COLUMNS = sum(len(columns) for columns in _TABLES.values())
_NONE: Row = (None,) * _COLUMNS
_NO_USAGE: Row = (None,) * len(_USAGE)
_NO_ATTEMPT: Row = (None,) * len(ATTEMPT)
_NO_CONTENT: Row = (None,) * len(CONTENT)
_NO_RECORD: Row = (None,) * (len(DECISION) + len(OUTCOME))

_encode = msgspec.json.Encoder(decimal_format="number").encode
_ONE_ROW = "(" + ",".join("?" * _COLUMNS) + ")"
INSERTS = {size: "INSERT INTO intake VALUES " + ",".join([_ONE_ROW] * size) for size in SIZES}


def prepare(connection: sqlite3.Connection) -> None:
    """Creates `intake` on a connection; it lives in the connection, not in the file."""
    connection.execute(
        "CREATE TEMP VIEW intake AS SELECT " + ", ".join(f"NULL AS c{number}" for number in range(_COLUMNS))
    )
    steps = []
    start = 0
    for table, columns in _TABLES.items():
        values = ", ".join(f"NEW.c{number}" for number in range(start, start + len(columns)))
        # Not OR IGNORE: that would also swallow a NULL where none may be.
        steps.append(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "
            f"WHERE NEW.c{start} IS NOT NULL ON CONFLICT DO NOTHING;"
        )
        start += len(columns)
    connection.execute(f"CREATE TEMP TRIGGER spread INSTEAD OF INSERT ON intake BEGIN {' '.join(steps)} END")


def rows_of(record: Record) -> tuple[Row, ...]:
    """The rows of `intake` for one record: one, and one more for each attempt after the first."""
    decision, outcome, attempts, content = record.decision, record.outcome, record.attempts, record.content
    signals = decision.signals
    first = (
        decision.id,
        decision.at,
        decision.route,
        decision.reason,
        decision.chosen,
        signals.complexity.value,
        signals.complexity.band,
        signals.task.label,
        decision.key,
        decision.user,
        decision.session,
        _encode(decision).decode(),
        outcome.decision_id,
        outcome.at,
        outcome.route,
        outcome.model,
        outcome.tier,
        outcome.status,
        outcome.error,
        outcome.finish_reason,
        outcome.stream,
        outcome.attempts,
        *_usage(outcome.usage),
        outcome.cost,
        outcome.baseline_cost,
        outcome.ttft_ms,
        outcome.total_ms,
        outcome.overhead_ms,
        outcome.simulated,
        *(_attempt(attempts[0]) if attempts else _NO_ATTEMPT),
        *((decision.id, content.prompt, content.completion) if content else _NO_CONTENT),
    )
    if len(attempts) < 2:
        return (first,)
    return (first, *((*_NO_RECORD, *_attempt(attempt), *_NO_CONTENT) for attempt in attempts[1:]))


def statements(rows: Sequence[Row]) -> Iterable[tuple[str, list[Any]]]:
    """The INSERTs for some rows, with their parameters: one up to the greatest size, then one for each
    such part."""
    for start in range(0, len(rows), SIZES[-1]):
        part = rows[start : start + SIZES[-1]]
        size = next(size for size in SIZES if size >= len(part))
        values: list[Any] = []
        for row in part:
            values += row
        values += _NONE * (size - len(part))
        yield INSERTS[size], values


def record_of(connection: sqlite3.Connection, decision_id: str, decision_json: str) -> dict[str, Any]:
    """The record of one decision as plain JSON values: the fields of `types.Record`, ready to be converted
    back."""
    outcome = _named(OUTCOME, _select(connection, "outcomes", decision_id).fetchone())
    content = _select(connection, "contents", decision_id).fetchone()
    outcome["stream"] = bool(outcome["stream"])
    outcome["simulated"] = bool(outcome["simulated"])
    return {
        "decision": msgspec.json.decode(decision_json),
        "attempts": [_named(ATTEMPT, row) for row in _select(connection, "attempts", decision_id)],
        "outcome": outcome,
        "content": None if content is None else {"prompt": content[1], "completion": content[2]},
    }


def _select(connection: sqlite3.Connection, table: str, decision_id: str) -> sqlite3.Cursor:
    return connection.execute(_SELECTS[table], (decision_id,))


_SELECTS = {
    table: f"SELECT {', '.join(columns)} FROM {table} WHERE decision_id = ?"
    + (" ORDER BY number" if table == "attempts" else "")
    for table, columns in _TABLES.items()
    if table != "decisions"
}


def _usage(usage: Usage | None) -> Row:
    if usage is None:
        return _NO_USAGE
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.source,
    )


def _attempt(attempt: Attempt) -> Row:
    return (
        attempt.decision_id,
        attempt.number,
        attempt.model,
        attempt.endpoint,
        attempt.at,
        attempt.outcome,
        attempt.status,
        attempt.ttft_ms,
        attempt.total_ms,
        *_usage(attempt.usage),
        attempt.cost,
        attempt.detail,
    )


def _named(columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    """A row as a mapping, its usage columns folded into one field, as in the structs."""
    fields = dict(zip(columns, row, strict=True))
    usage = {name: fields.pop(name) for name in _USAGE}
    usage["source"] = usage.pop("usage_source")
    fields["usage"] = None if usage["source"] is None else usage
    return fields


def decision_from(text: str) -> Decision:
    """A stored decision as it was decided, for replay. Raises msgspec.ValidationError for another
    version's."""
    return msgspec.json.decode(text, type=Decision)
