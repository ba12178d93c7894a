"""A line of the journal: a record, how an idempotency key ended, or both at once."""

import msgspec
from msgspec import Struct

from llm_inference_router.store.idempotency import Ending
from llm_inference_router.types import Attempt, Content, Decision, Outcome, Record

UNWRITABLE = (ValueError, OverflowError, msgspec.MsgspecError)  # lone surrogates, integers beyond 64 bits
UNREADABLE = (ValueError, msgspec.MsgspecError)  # another version's, or damaged

_encode = msgspec.json.Encoder().encode


class _Line(Struct, frozen=True):
    decision: Decision | None = None
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    content: Content | None = None
    ending: Ending | None = None


class _Rest(Struct, frozen=True, omit_defaults=True):
    """Of a line, behind the decision."""

    attempts: tuple[Attempt, ...]
    outcome: Outcome
    content: Content | None = None
    ending: Ending | None = None


class _Ended(Struct, frozen=True):
    ending: Ending | None = None


_decode = msgspec.json.Decoder(_Line).decode
_decode_ended = msgspec.json.Decoder(_Ended).decode


def decision_in(record: Record | None) -> bytes:
    """The decision as JSON, in the journal's line and in the database's row; nothing where there is no record. Raises
    what is in `UNWRITABLE`."""
    return b"" if record is None else _encode(record.decision)


def line_of(record: Record | None, ending: Ending | None, decision: bytes) -> bytes:
    """With its newline. `decision`: of `decision_in`. Raises what is in `UNWRITABLE`."""
    if record is None:
        return _encode({"ending": ending}) + b"\n"
    rest = _encode(_Rest(record.attempts, record.outcome, record.content, ending))
    return b'{"decision":%b,%b\n' % (decision, rest[1:])


def read_line(line: bytes) -> tuple[Record | None, Ending | None]:
    """At least one of them. Raises what is in `UNREADABLE`."""
    found = _decode(line)
    if found.decision is not None and found.outcome is not None:
        return Record(found.decision, found.attempts, found.outcome, found.content), found.ending
    if found.ending is None or found.decision is not None:
        raise ValueError("neither a record nor the end of a key")
    return None, found.ending


def ending_in(line: bytes) -> Ending | None:
    """What a line that `read_line` refuses still says of a key."""
    try:
        return _decode_ended(line).ending
    except UNREADABLE:
        return None
