"""What is known of idempotency keys: who has claimed one, and how that ended. Plain SQL, run by the store's writer.

A claim is committed before an upstream is asked, so after `kill -9` a key that was used is still known to be used. How
it ended is written as one with the request's record.
"""

import sqlite3
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

State: TypeAlias = Literal["running", "answered", "interrupted"]
End: TypeAlias = Literal["answered", "interrupted", "free"]
_COLUMN: dict[str, int] = {"running": 0, "answered": 1, "interrupted": 2}  # the column `answered`
_STATES: dict[int, State] = {0: "running", 1: "answered", 2: "interrupted"}


class Answer(Struct, frozen=True):
    """An answer as it was sent: whole, or all frames of a stream."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Claim(Struct, frozen=True):
    """A request with a key. `scope` is the client's API key by name, `digest` tells requests apart, `owner` is this
    claim's own name, `at` is Unix milliseconds. `replaces`: a claim that is known to have ended without an answer,
    though the database may not have been told yet."""

    scope: str
    key: str
    digest: bytes
    owner: str
    at: int
    replaces: str = ""


class Ending(Struct, frozen=True):
    """What became of a claim. `interrupted`: a model was asked, and nobody knows what came of it. `free`: it was told
    that there is no answer. `answer` None although answered: it must not be kept."""

    claim: Claim
    state: End
    decision_id: str = ""
    answer: Answer | None = None


class Found(Struct, frozen=True):
    """What the store knew of a key already."""

    digest: bytes
    owner: str
    at: int
    state: State
    decision_id: str
    answer: Answer | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


def claim(connection: sqlite3.Connection, wish: Claim, expired_before: int) -> Found | None:
    """None: the key is this claim's now. Else what was known, and nothing has changed. A key that was claimed before
    `expired_before`, or by the claim that this one replaces, is free."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(
            "SELECT digest, owner, at, answered, decision_id, answer FROM idempotency WHERE scope = ? AND key = ?",
            (wish.scope, wish.key),
        ).fetchone()
        found = None if row is None else _found(row)
        replaced = found is not None and found.state == "running" and found.owner == wish.replaces
        if found is not None and found.at >= expired_before and not replaced:
            connection.execute("ROLLBACK")
            return found
        connection.execute(
            "INSERT OR REPLACE INTO idempotency (scope, key, digest, owner, at, answered, decision_id, answer)"
            " VALUES (?, ?, ?, ?, ?, 0, '', NULL)",
            (wish.scope, wish.key, wish.digest, wish.owner, wish.at),
        )
        connection.execute("COMMIT")
    except BaseException:  # a cancellation too: nothing may stay half done
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return None


def end(connection: sqlite3.Connection, endings: Sequence[Ending]) -> None:
    """Done twice it changes nothing, and nothing either once a key is another claim's. A claim's row may be gone (an
    expired key is forgotten, a lost file made anew): then it is written again.

    In two statements at most: sqlite3 gives up the interpreter for each.
    """
    free = [one.claim for one in endings if one.state == "free"]
    kept = [one for one in endings if one.state != "free"]
    if free:
        connection.execute(
            f"DELETE FROM idempotency WHERE answered = 0 AND (scope, key, owner) IN (VALUES {_rows(len(free), 3)})",
            [value for wish in free for value in (wish.scope, wish.key, wish.owner)],
        )
    if kept:
        connection.execute(
            "INSERT INTO idempotency (scope, key, digest, owner, at, answered, decision_id, answer)"
            f" VALUES {_rows(len(kept), 8)} ON CONFLICT (scope, key) DO UPDATE SET answered = excluded.answered,"
            " decision_id = excluded.decision_id, answer = excluded.answer WHERE owner = excluded.owner",
            [value for one in kept for value in _ended(one)],
        )


def _ended(one: Ending) -> tuple[object, ...]:
    wish, answer = one.claim, one.answer
    return (
        *(wish.scope, wish.key, wish.digest, wish.owner, wish.at),
        *(_COLUMN[one.state], one.decision_id, None if answer is None else _encode(answer)),
    )


def _rows(count: int, columns: int) -> str:
    return ",".join(["(" + ",".join("?" * columns) + ")"] * count)


def forget(connection: sqlite3.Connection, before: int) -> None:
    """Keys that were claimed before that time, Unix milliseconds."""
    connection.execute("DELETE FROM idempotency WHERE at < ?", (before,))


def _found(row: tuple[bytes, str, int, int, str, bytes | None]) -> Found:
    digest, owner, at, answered, decision_id, answer = row
    return Found(digest, owner, at, _STATES[answered], decision_id, None if answer is None else _read(answer))


def _read(answer: bytes) -> Answer | None:
    """None for what is damaged or of another version: it counts as not kept."""
    try:
        return _decode(answer)
    except msgspec.MsgspecError:
        return None
