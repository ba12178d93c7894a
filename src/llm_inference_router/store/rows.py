"""Records as rows, and rows as records.

A record is one row of one table. A batch of records becomes one multi-row INSERT: one statement is one transaction,
and sqlite3 gives up the interpreter once for it instead of once for each row: beside a busy event loop that is the
difference between microseconds and milliseconds.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from llm_inference_router.store.lines import UNWRITABLE
from llm_inference_router.store.schema import TRY
from llm_inference_router.types import Attempt, Content, Decision, Record, Usage

Row: TypeAlias = tuple[Any, ...]

_USAGE = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage_source")
_DECISION = ("id", "at", "route", "reason", "chosen", "complexity", "band", "task", "key", "user", "session")
_OUTCOME = (
    *["ended_at", "model", "tier", "status", "error", "finish_reason", "stream", "attempts"],
    *_USAGE,
    *["cost", "baseline_cost", "ttft_ms", "total_ms", "overhead_ms", "simulated"],
)
_TURN = ("response", "previous", "input", "output", "answer")
_ALWAYS = (*_DECISION, *_OUTCOME, "tries", "json")
COLUMNS = (*_ALWAYS, "prompt", "completion", *_TURN)
MOST = 32  # rows a statement; a larger one saves little more, and each size that occurs is kept prepared

_NO_USAGE: Row = (None,) * len(_USAGE)
_NO_TURN: Row = (None,) * len(_TURN)
_NO_CONTENT: Row = (None, None, *_NO_TURN)
_encode = msgspec.json.Encoder().encode


def _inserts(columns: Sequence[str]) -> tuple[str, ...]:
    """By the number of rows. Not OR IGNORE: that would also swallow a NULL where none may be."""
    row = "(" + ",".join("?" * len(columns)) + ")"
    return tuple(
        f"INSERT INTO records ({','.join(columns)}) VALUES {','.join([row] * size)} ON CONFLICT DO NOTHING"
        for size in range(MOST + 1)
    )


_INSERTS = _inserts(COLUMNS)
# sqlite3 asks each None whether it can be adapted, which costs more than to bind a text: so the columns of the content
# are left out where no row has any, as is the rule.
_SHORT_INSERTS = _inserts(_ALWAYS)
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM records "


def row_of(record: Record, json: bytes) -> Row:
    """The row of `records` for one record, in the order of `COLUMNS`; it ends before the content where none is kept.
    `json`: its decision (`lines.decision_in`).

    Raises ValueError, OverflowError or msgspec's errors for what JSON cannot hold.
    """
    decision, outcome, content = record.decision, record.outcome, record.content
    signals = decision.signals
    return (
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
        outcome.at,
        outcome.model,
        outcome.tier,
        outcome.status,
        outcome.error,
        outcome.finish_reason,
        int(outcome.stream),  # to sqlite3 a bool is as slow as a None
        outcome.attempts,
        *_usage(outcome.usage),
        outcome.cost,
        outcome.baseline_cost,
        outcome.ttft_ms,
        outcome.total_ms,
        outcome.overhead_ms,
        int(outcome.simulated),
        _encode([_try(attempt) for attempt in record.attempts]).decode(),
        json.decode(),
        *(_content(content) if content else ()),
    )


def rows_of(records: Sequence[Record | None], json: Sequence[bytes]) -> tuple[list[Row | None], dict[int, str]]:
    """The rows of a batch, and by position why some records cannot be one. None where there is no row.

    All at once, and not each as its record comes: run together, the same code costs a third of what it costs between
    two requests, when the processor's caches are full of something else.
    """
    rows: list[Row | None] = []
    unwritable: dict[int, str] = {}
    for number, (record, decision) in enumerate(zip(records, json, strict=True)):
        row: Row | None = None
        if record is not None:
            try:
                row = row_of(record, decision)
            except UNWRITABLE as error:
                unwritable[number] = f"it cannot be written as JSON: {error}"
        rows.append(row)
    return rows, unwritable


def statements(rows: Sequence[Row]) -> Iterable[tuple[str, list[Any]]]:
    """The INSERTs for some rows, with their parameters: one for every `MOST` of them."""
    inserts = _SHORT_INSERTS
    if any(len(row) > len(_ALWAYS) for row in rows):
        inserts = _INSERTS
        rows = [row if len(row) > len(_ALWAYS) else row + _NO_CONTENT for row in rows]
    for start in range(0, len(rows), MOST):
        part = rows[start : start + MOST]
        yield inserts[len(part)], list(chain.from_iterable(part))


def records_where(connection: sqlite3.Connection, condition: str, value: str) -> Iterable[dict[str, Any]]:
    """Records as plain JSON values (the fields of `types.Record`, ready to be converted back). `condition` is SQL with
    one parameter."""
    for row in connection.execute(_SELECT + condition, (value,)):
        fields = dict(zip(COLUMNS, row, strict=True))
        name, route = fields["id"], fields["route"]
        ended = _folded({column: fields[column] for column in _OUTCOME})
        ended |= {"decision_id": name, "route": route, "at": ended.pop("ended_at")}
        ended |= {"stream": bool(ended["stream"]), "simulated": bool(ended["simulated"])}
        tries = [
            {"decision_id": name, **_folded(dict(zip(TRY, one, strict=True)))}
            for one in msgspec.json.decode(fields["tries"])
        ]
        said = None if fields["prompt"] is None else {key: fields[key] for key in ("prompt", "completion")}
        if said is not None:
            turn = {"id": fields["response"], **{key: fields[key] for key in _TURN[1:]}}
            turn["answer"] = turn["answer"] or ""
            said["turn"] = None if fields["response"] is None else turn
        yield {"decision": msgspec.json.decode(fields["json"]), "attempts": tries, "outcome": ended, "content": said}


def _content(content: Content) -> Row:
    turn = content.turn
    kept = (turn.id, turn.previous, turn.input, turn.output, turn.answer) if turn else _NO_TURN
    return (content.prompt, content.completion, *kept)


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


def _try(attempt: Attempt) -> Row:
    return (
        attempt.number,
        attempt.model,
        attempt.endpoint,
        attempt.at,
        attempt.outcome,
        attempt.status,
        attempt.ttft_ms,
        attempt.total_ms,
        attempt.cost,
        attempt.detail,
        *_usage(attempt.usage),
    )


def _folded(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with its usage columns folded into one field, as in the structs."""
    usage = {name: fields.pop(name) for name in _USAGE}
    usage["source"] = usage.pop("usage_source")
    return {**fields, "usage": None if usage["source"] is None else usage}


def decision_from(text: str) -> Decision:
    """A stored decision as it was decided, for replay. Raises msgspec.ValidationError for another version's."""
    return msgspec.json.decode(text, type=Decision)
