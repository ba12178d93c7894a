"""The newest answers of every model, as far as their lengths go: what a router learns again when it starts."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.schema import open_reader
from llm_inference_router.types import Quantiles, Usage

_ROWS = 4000
_PART = 64  # rows between two looks at the clock
_QUERY = """
    SELECT model, status, error, finish_reason, input_tokens, output_tokens, reasoning_tokens, usage_source, json
    FROM records ORDER BY id DESC LIMIT ?"""


class Answered(Struct, frozen=True):
    """One complete answer; `guess` is of each of its `choices`, `usage` of all."""

    model: str
    guess: Quantiles
    usage: Usage
    finish_reason: str | None
    choices: int = 1


class _Signals(Struct):
    output_tokens: Quantiles


class _Decision(Struct):
    signals: _Signals
    choices: int = 1


_decode = msgspec.json.Decoder(_Decision).decode


def answers(path: Path, each: int, rows: int = _ROWS, within_s: float = 0.04) -> list[Answered]:
    """Up to `each` answers of every model among the last `rows` records, oldest first.

    After `within_s` seconds it is content with what it has found by then. Raises StoreFault when the database cannot be
    read.
    """
    until = time.monotonic() + within_s
    with closing(open_reader(path)) as connection:
        try:
            found = list(_newest(connection, each, rows, until))
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: {error}") from error
    found.reverse()
    return found


def _newest(connection: sqlite3.Connection, each: int, rows: int, until: float) -> Iterator[Answered]:
    seen: Counter[str] = Counter()
    for number, row in enumerate(connection.execute(_QUERY, (rows,)), start=1):
        model, status, error, finish_reason, prompt, output, reasoning, source, text = row
        if status == 200 and error is None and output is not None and seen[model] < each:
            try:
                decision = _decode(text)
            except msgspec.DecodeError:
                continue  # another version's record: it tells nothing about lengths, and is no trouble of the start
            seen[model] += 1
            usage = Usage(prompt, output, reasoning_tokens=reasoning, source=source)
            yield Answered(model, decision.signals.output_tokens, usage, finish_reason, decision.choices)
        if not number % _PART and time.monotonic() > until:
            return
