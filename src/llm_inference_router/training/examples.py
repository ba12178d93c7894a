"""What training learns from, as tables: the files' rows, and the prompts that were written and labelled for it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.lens import TASKS
from llm_inference_router.signals.base import around, view
from llm_inference_router.signals.features import NAMES, features
from llm_inference_router.signals.reading import read
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import Role, TaskLabel

Floats: TypeAlias = NDArray[np.float64]

_LEAST_OF_A_KIND = 40
_SAME: Mapping[str, str] = {
    "grade-school-math": "gsm8k", "math_l5": "math", "openbook_qa": "openbookqa", "arc-challenge": "arc_challenge",
}  # fmt: skip


class Source(Struct, frozen=True):
    """One file. `x` of shape (rows, features + dims), `scores` of shape (rows, models), nan where there is none;
    `kinds` the sort of benchmark of each row, "" where it is too rare to be one; `weights` of mean 1, so that a
    common kind does not drown the others."""

    name: str
    x: Floats
    models: tuple[str, ...]
    scores: Floats
    kinds: tuple[str, ...]
    weights: Floats


class Written(Struct, frozen=True, eq=False):
    """The labelled prompts: `tasks` by label, `levels` 0..1 how hard they are."""

    x: Floats
    tasks: tuple[TaskLabel, ...]
    levels: Floats


class Turn(Struct, frozen=True):
    role: Role
    content: str


class Prompt(Struct, frozen=True):
    """A labelled prompt: `text`, perhaps with `system`, or `messages`; `level` 0..1."""

    task: TaskLabel
    level: Annotated[float, Meta(ge=0.0, le=1.0)]
    id: str = ""
    text: str = ""
    system: str = ""
    messages: tuple[Turn, ...] = ()

    @property
    def request(self) -> ChatRequest:
        turns = [Message(turn.role, turn.content) for turn in self.messages]
        if not turns:
            turns = [Message("system", self.system)] if self.system else []
            turns.append(Message("user", self.text))
        return ChatRequest(model="auto", messages=tuple(turns), body={})


def table_of(requests: Sequence[ChatRequest]) -> Floats:
    """Hand features and the embedding, of unit length or zero, of each request."""
    embedding = shipped_embedding()
    x = np.zeros((len(requests), len(NAMES) + embedding.dims))
    for row, request in zip(x, requests, strict=True):
        seen = view(request)
        reading = read(seen.window)
        for index, value in features(seen.window, reading, around(request, seen)).items():
            row[index] = value
        place = embedding.of(reading.words).astype(np.float64)
        length = float(np.sqrt(place @ place))
        if length > 0:
            row[len(NAMES) :] = place / length
    return x


def source_of(name: str, rows: Sequence[Row]) -> Source:
    models = tuple(sorted({model for row in rows for model in row.scores}))
    kinds = _kinds(rows)
    counts = Counter(kinds)
    weights = np.array([max(counts[kind], 10) ** -0.5 for kind in kinds])
    return Source(
        name=name,
        x=table_of([row.request for row in rows]),
        models=models,
        scores=np.array([[row.scores.get(model, np.nan) for model in models] for row in rows]),
        kinds=tuple("" if counts[kind] < _LEAST_OF_A_KIND else kind for kind in kinds),
        weights=weights / weights.mean(),
    )


def _kinds(rows: Sequence[Row]) -> list[str]:
    """A benchmark's subject (`mmlu:law`, `mmlu-law`, `bbh/web_of_lies`) is no kind of its own unless it is common."""
    counts = Counter(row.task for row in rows)
    found = []
    for row in rows:
        kind = row.task
        if counts[kind] < _LEAST_OF_A_KIND or ":" in kind:
            for mark in (":", "/", "-"):
                kind = kind.split(mark)[0]
        found.append(_SAME.get(row.task, kind))
    return found


def read_prompts(path: Path) -> list[Prompt]:
    """One JSON object a line. Raises `DataError` with every problem: fields that are wrong, no text, a task without a
    prompt, which could never be told."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError([f"{path}: cannot be read: {error.strerror}"]) from error
    decoder = msgspec.json.Decoder(Prompt)
    found: list[Prompt] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            prompt = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}:{number}: {error}")
            continue
        if bool(prompt.text) == bool(prompt.messages):
            problems.append(f"{path.name}:{number}: needs either a `text` or `messages`, not empty")
        found.append(prompt)
    missing = [task for task in TASKS if not any(prompt.task == task for prompt in found)]
    if missing and not problems:
        problems.append(f"{path.name}: has no prompt of the task {', '.join(missing)}")
    if problems:
        raise DataError(problems)
    return found


def written_of(prompts: Sequence[Prompt]) -> Written:
    return Written(
        x=table_of([prompt.request for prompt in prompts]),
        tasks=tuple(prompt.task for prompt in prompts),
        levels=np.array([prompt.level for prompt in prompts]),
    )


def read_written(path: Path) -> Written:
    """Raises DataError."""
    return written_of(read_prompts(path))
