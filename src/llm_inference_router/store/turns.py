"""Answers that later requests go on from: found by the id that the client knows, for the key that asked for them."""

import sqlite3
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from llm_inference_router.types import Turn

MOST: int = 10_000  # turns of one conversation


class Thread(Struct, frozen=True):
    """A conversation, oldest turn first. `missing`: the id of a turn that is not stored (any more). `bytes` of JSON."""

    turns: tuple[Turn, ...]
    missing: str = ""
    bytes: int = 0


Find = Callable[[str], Turn | None]


def thread(find: Find, name: str, most_bytes: int) -> Thread:
    """All turns up to the one of this id. It ends early where they are more than `most_bytes`; `bytes` says so."""
    turns: list[Turn] = []
    seen: set[str] = set()
    size = 0
    while name and len(turns) < MOST and size <= most_bytes:
        turn = None if name in seen else find(name)  # an upstream that calls all its answers the same
        if turn is None:
            return Thread(tuple(reversed(turns)), name, size)
        seen.add(name)
        turns.append(turn)
        size += len(turn.input) + len(turn.output)
        name = turn.previous
    return Thread(tuple(reversed(turns)), name if len(turns) == MOST else "", size)


def named(connection: sqlite3.Connection, key: str, name: str) -> Turn | None:
    """The newest answer that this key knows by this id."""
    row = connection.execute(
        "SELECT response, previous, input, output, coalesce(answer, '') FROM records "
        "WHERE response = ? AND key = ? ORDER BY id DESC LIMIT 1",
        (name, key),
    ).fetchone()
    return None if row is None else Turn(*row)


def forget(connection: sqlite3.Connection, key: str, name: str) -> None:
    """Leaves of the answers that this key knows by this id nothing of what was said."""
    connection.execute(
        "UPDATE records SET response = NULL, previous = NULL, input = NULL, output = NULL, answer = NULL, "
        "prompt = NULL, completion = NULL WHERE response = ? AND key = ?",
        (name, key),
    )


def in_record(record: dict[str, Any], key: str, name: str) -> Turn | None:
    """The same of a record as JSON that waits in the journal."""
    turn = (record.get("content") or {}).get("turn")
    if turn is None or turn["id"] != name or record["decision"].get("key", "") != key:
        return None
    return Turn(turn["id"], turn["previous"], turn["input"], turn["output"], turn.get("answer") or "")
