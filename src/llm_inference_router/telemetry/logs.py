"""The log: one line for an answer and one for an event, JSON or text, on standard error.

A line holds names, numbers and codes only. There is no way to pass a prompt, an answer, a key or a header into it:
`Log.answer` takes an Outcome, `Log.event` takes words of ours and short values.
"""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import orjson

from llm_inference_router.money import to_usd
from llm_inference_router.types import Decision, Outcome

_MOST_BUFFERED = 200
_NO_DECIMALS = 1.5 * 2.0**52


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class Log:
    """Lines are gathered and written together by `flush`, which the engine calls a few times a second."""

    def __init__(self, style: Literal["json", "text"], write: Callable[[str], None] = _write) -> None:
        self._style = style
        self._write = write
        self._lines: list[str] = []

    def answer(self, decision: Decision, outcome: Outcome) -> None:
        fields: dict[str, str | int | float | bool | None] = {
            "at": _stamp(outcome.at),
            "event": "answer",
            "id": decision.id,
            "request_id": decision.request_id,
            "route": outcome.route,
            "model": outcome.model,
            "reason": decision.reason,
            "complexity": _round(decision.signals.complexity.value, 1000.0),
            "status": outcome.status,
            "error": outcome.error,
            "attempts": outcome.attempts,
            "cost_usd": to_usd(outcome.cost),
            "ttft_ms": _round(outcome.ttft_ms, 100.0),
            "total_ms": _round(outcome.total_ms, 100.0),
        }
        self._add(fields)

    def event(self, event: str, at: int, /, **values: str | int | float | bool | None) -> None:
        """Something other than an answer; `at` in Unix milliseconds. Written at once."""
        self._add({"at": _stamp(at), "event": event, **values})
        self.flush()

    def warning(self, module: str, at: int, message: str) -> None:
        """From any thread; `message` in words of ours. Past the lines that are gathered, which belong to one thread."""
        self._write(self._line({"at": _stamp(at), "event": "warning", "module": module, "message": message}) + "\n")

    def flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            self._write("\n".join(lines) + "\n")

    def _add(self, fields: dict[str, str | int | float | bool | None]) -> None:
        self._lines.append(self._line(fields))
        if len(self._lines) >= _MOST_BUFFERED:
            self.flush()

    def _line(self, fields: dict[str, str | int | float | bool | None]) -> str:
        if self._style == "json":
            return orjson.dumps(fields).decode()
        rest = " ".join(f"{k}={v}" for k, v in fields.items() if k not in ("at", "event") and v is not None)
        return f"{fields['at']} {fields['event']} {rest}"


class Warnings(logging.Handler):
    """What our modules warn of below the engine (the store's thread does), as events of the log, each at once."""

    def __init__(self, log: Log, now_ms: Callable[[], int]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._now_ms = now_ms

    def emit(self, record: logging.LogRecord) -> None:
        self._log.warning(record.name.rpartition(".")[2], self._now_ms(), record.getMessage())


def _round(value: float | None, parts: float) -> float | None:
    """To so many parts of one, in the way of `learning.lens.rounded`, which says why."""
    return None if value is None else (value * parts + _NO_DECIMALS - _NO_DECIMALS) / parts


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def _stamp(ms: int) -> str:
    return f"{_second(ms // 1000)}.{ms % 1000:03}Z"
