"""What is known of idempotency keys: who has claimed one, and how that ended. Plain SQL, run by the store's writer.

A claim is committed before an upstream is asked, so after `kill -9` a key that was used is still known to be used.
"""

import sqlite3
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

State: TypeAlias = Literal["running", "answered"]


class Answer(Struct, frozen=True):
    """An answer as it was sent: whole, or all frames of a stream."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Claim(Struct, frozen=True):
    """A request with a key. `scope` is the client's API key by name, `digest` tells bodies apart, `owner` is the
    process that claimed it, `at` is Unix milliseconds."""

    scope: str
    key: str
    digest: bytes
    owner: str
    at: int


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
    `expired_before`, or by a request of the same process that is forgotten there, is free."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(
            "SELECT digest, owner, at, answered, decision_id, answer FROM idempotency WHERE scope = ? AND key = ?",
            (wish.scope, wish.key),
        ).fetchone()
        found = None if row is None else _found(row)
        mine = found is not None and found.owner == wish.owner and found.state == "running"
        if found is not None and found.at >= expired_before and not mine:
            connection.execute("ROLLBACK")
            return found
        connection.execute(
            "INSERT OR REPLACE INTO idempotency (scope, key, digest, owner, at, answered, decision_id, answer)"
            " VALUES (?, ?, ?, ?, ?, 0, '', NULL)",
            (wish.scope, wish.key, wish.digest, wish.owner, wish.at),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return None


def finish(connection: sqlite3.Connection, wish: Claim, decision_id: str, answer: Answer | None) -> None:
    """The request was answered. `answer` None: it must not be kept."""
    connection.execute(
        "UPDATE idempotency SET answered = 1, decision_id = ?, answer = ? WHERE scope = ? AND key = ? AND owner = ?",
        (decision_id, None if answer is None else _encode(answer), wish.scope, wish.key, wish.owner),
    )


def release(connection: sqlite3.Connection, wish: Claim) -> None:
    """The request was not answered: its key can be used again."""
    connection.execute(
        "DELETE FROM idempotency WHERE scope = ? AND key = ? AND owner = ? AND answered = 0",
        (wish.scope, wish.key, wish.owner),
    )


def forget(connection: sqlite3.Connection, before: int) -> None:
    """Keys that were claimed before that time, Unix milliseconds."""
    connection.execute("DELETE FROM idempotency WHERE at < ?", (before,))


def _found(row: tuple[bytes, str, int, int, str, bytes | None]) -> Found:
    digest, owner, at, answered, decision_id, answer = row
    state: State = "answered" if answered else "running"
    return Found(digest, owner, at, state, decision_id, None if answer is None else _decode(answer))
