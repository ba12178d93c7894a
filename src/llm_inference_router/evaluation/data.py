"""Reads evaluation data: one JSON object a line, with the scores of several models for one prompt.

    {"id", "prompt" | "messages", "task", "scores": {model: 0..1}, "cost": {model: usd | null},
     "tokens_out": {model: n | null}, "source"}

`cost`, `tokens_out`, `task` and `source` may be absent. Every problem names the file and the line. Readers of
other layouts turn each of their rows into such an object first, so that there is one place that checks.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import Role

_ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
_MAX_PROBLEMS = 20
_NO_NUMBER = re.compile(r"[:,\[]\s*-?(?:NaN|Infinity)\b")


class DataError(ValueError):
    """Evaluation data that cannot be used. `problems` are all that were found, each with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = list(problems[:_MAX_PROBLEMS])
        if len(problems) > _MAX_PROBLEMS:
            shown.append(f"... and {len(problems) - _MAX_PROBLEMS} more")
        super().__init__("\n".join(shown))


class Row(Struct, frozen=True):
    """One prompt with what each model made of it. Costs are USD, `scores` 0..1, empty where nobody scored it."""

    id: str
    messages: tuple[Message, ...]
    task: str
    source: str
    scores: Mapping[str, float]
    cost: Mapping[str, float | None]
    tokens_out: Mapping[str, int | None]

    @property
    def request(self) -> ChatRequest:
        """The row as a client would ask it."""
        return ChatRequest(model="auto", messages=self.messages, body={})


class Placed(Struct, frozen=True):
    """A row before it is checked, as in the file format above, and where it stands."""

    place: str
    value: object


def read_rows(path: Path, models: Collection[str] = ()) -> list[Row]:
    """The rows of a file; with `models`, each row must have a score of each of them.

    Raises `DataError` with every problem: lines that are not JSON objects, no prompt, ids that occur twice,
    no scores, scores that are no numbers or outside 0..1, models that no row or not every row has, fewer
    than two rows.
    """
    return parse_rows(text_of(path).split("\n"), path.name, models)


def text_of(path: Path) -> str:
    """The text of a file. Raises `DataError` where it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise DataError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error


def parse_rows(lines: Iterable[str], name: str = "data", models: Collection[str] = ()) -> list[Row]:
    """As `read_rows`, for lines that have been read already; `name` is what problems call them."""
    problems: list[str] = []
    placed = decoded(lines, name, problems)
    return check_rows(placed, name, models, problems=problems)


def decoded(lines: Iterable[str], name: str, problems: list[str]) -> list[Placed]:
    """The JSON value of each line that is not empty; lines that are not JSON go to `problems`."""
    placed = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            placed.append(Placed(place, msgspec.json.decode(line.encode())))
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            hint = "; JSON knows no NaN and no Infinity" if _NO_NUMBER.search(line) else ""
            problems.append(f"{place}: is not JSON: {error}{hint}")
    return placed


def check_rows(
    placed: Iterable[Placed],
    name: str,
    models: Collection[str] = (),
    *,
    problems: list[str],
    unscored: bool = False,
    complete: bool = False,
) -> list[Row]:
    """The rows, if all of them are good and `problems` (found before) is empty; else raises `DataError` with all.

    With `unscored`, rows may have no `scores`, but then all of them, and `models` is not looked for. With `complete`,
    every row needs a score of every model that some row has, or of those of `models` that some row has.
    """
    rows: list[Row] = []
    places: list[str] = []
    first_seen: dict[str, str] = {}
    for item in placed:
        row = _row(item.value, item.place, problems, unscored=unscored)
        if row is None:
            continue
        if row.id in first_seen:
            problems.append(f"{item.place}: id {row.id!r} was used at {first_seen[row.id]} already")
            continue
        first_seen[row.id] = item.place
        rows.append(row)
        places.append(item.place)
    if any(row.scores for row in rows):
        problems.extend(
            f"{p}: has no `scores`, but others have" for row, p in zip(rows, places, strict=True) if not row.scores
        )
    if complete:
        known = sorted({model for row in rows for model in row.scores})
        models = [model for model in known if not models or model in models]
    if not unscored or any(row.scores for row in rows):
        _check_models(rows, places, name, models, problems)
        if not problems and len(rows) < 2:
            problems.append(f"{name}: has {len(rows)} row; a curve needs two at least")
    if not problems and not rows:
        problems.append(f"{name}: has no rows")
    if problems:
        raise DataError(problems)
    return rows


def _check_models(
    rows: Sequence[Row], places: Sequence[str], name: str, models: Collection[str], problems: list[str]
) -> None:
    known = sorted({model for row in rows for model in row.scores})
    for model in models:
        if rows and model not in known:
            problems.append(f"{name}: no row has a score of {model!r}; its models are {', '.join(known)}")
            continue
        problems.extend(
            f"{place}: no score of {model!r}"
            for row, place in zip(rows, places, strict=True)
            if model not in row.scores
        )


def _row(value: object, place: str, problems: list[str], *, unscored: bool) -> Row | None:
    if not isinstance(value, dict):
        problems.append(f"{place}: is not a JSON object")
        return None
    found: list[str] = []
    identity = value.get("id")
    if not isinstance(identity, str) or not identity:
        found.append(f"{place}: needs an `id`, a text that no other row has")
    messages = _messages(value, place, found)
    bare = unscored and not value.get("scores")
    scores = {} if bare else _scores(value.get("scores"), place, found)
    cost = _figures(value.get("cost"), "cost", place, found)
    tokens = _figures(value.get("tokens_out"), "tokens_out", place, found)
    if found:
        problems.extend(found)
        return None
    return Row(
        id=str(identity),
        messages=messages,
        task=str(value.get("task") or ""),
        source=str(value.get("source") or ""),
        scores=scores,
        cost=cost,
        tokens_out={model: None if count is None else int(count) for model, count in tokens.items()},
    )


def _messages(value: Mapping[str, Any], place: str, problems: list[str]) -> tuple[Message, ...]:
    prompt, turns = value.get("prompt"), value.get("messages")
    if isinstance(prompt, str) and prompt and turns is None:
        return (Message("user", prompt),)
    if isinstance(turns, list) and turns and prompt is None:
        messages = []
        for turn in turns:
            role = _ROLES.get(turn.get("role", "")) if isinstance(turn, dict) else None
            if role is None or not isinstance(turn.get("content"), str):
                problems.append(f"{place}: each of `messages` needs a role and a text as content")
                return ()
            messages.append(Message(role, turn["content"]))
        return tuple(messages)
    problems.append(f"{place}: needs either a `prompt` (a text) or `messages` (a list), not empty")
    return ()


def _scores(value: Any, place: str, problems: list[str]) -> dict[str, float]:
    if not isinstance(value, dict) or not value:
        problems.append(f"{place}: needs `scores`, an object of model: 0..1")
        return {}
    scores = {}
    for model, score in value.items():
        if isinstance(score, bool):
            score = float(score)
        if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
            problems.append(f"{place}: score of {model!r} is {score!r}, not a number within 0..1")
        else:
            scores[str(model)] = float(score)
    return scores


def _figures(value: Any, key: str, place: str, problems: list[str]) -> dict[str, float | None]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"{place}: `{key}` must be an object of model: number or null")
        return {}
    figures: dict[str, float | None] = {}
    for model, figure in value.items():
        if figure is not None and (
            isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure) or figure < 0
        ):
            problems.append(f"{place}: `{key}` of {model!r} is {figure!r}, not a number of at least 0")
        else:
            figures[str(model)] = figure
    return figures
