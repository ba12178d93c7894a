"""The files that complexity is fitted to and measured on, and how they are read from a data folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from llm_inference_router.evaluation.data import DataError, Row, read_rows
from llm_inference_router.evaluation.fitting import TASKS_OF_KIND, Anchor, Labelled, Source, source_of
from llm_inference_router.evaluation.tiers import Scores
from llm_inference_router.signals.base import extract, view
from llm_inference_router.types import TaskLabel

# file -> (weak, strong): the pair whose mixing APGR judges
PAIRS: Mapping[str, tuple[str, str]] = {
    "routerbench_sub": ("mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview"),
    "ulab_llmrouter": ("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
    "paretobandit": ("meta-llama/llama-3.1-8b-instruct", "google/gemini-2.5-flash"),
    "zeroeval": ("Meta-Llama-3-8B-Instruct", "gemini-1.5-pro"),
    "routellm_mmlu": ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"),
}
PROMPTS = "tasktype_prompts"
_EACH = 60  # rows of one benchmark task that are used as examples of its label

_TASKS: Mapping[str, TaskLabel] = {
    "gsm8k": "mathematics", "math": "mathematics", "math_l5": "mathematics",
    "grade-school-math": "mathematics", "mbpp": "code",
    "human_eval": "code", "natural_qa": "question_answering", "trivia_qa": "question_answering",
    "arc_challenge": "question_answering", "mmlu": "question_answering",
    "openbook_qa": "question_answering", "openbookqa": "question_answering",
    "commonsense_qa": "question_answering", "truthful_qa": "question_answering",
    "agentverse-logicgrid": "reasoning",
    "bbh/web_of_lies": "reasoning", "bbh/formal_fallacies": "reasoning", "commongen": "writing",
}  # fmt: skip
_PROMPT_LABELS: Mapping[str, TaskLabel] = {
    "task:coding": "code", "task:math": "mathematics", "task:creative_writing": "writing",
    "task:writing": "writing",
    "task:roleplay": "writing", "task:extraction": "extraction", "task:reasoning": "reasoning",
    "task:stem": "question_answering", "task:humanities": "question_answering",
}  # fmt: skip


def read_file(folder: Path, name: str) -> list[Row]:
    """The rows of one of the five files. Raises `DataError`."""
    return read_rows(folder / f"{name}.jsonl", PAIRS[name])


def read_sources(folder: Path) -> dict[str, Source]:
    """All five files. Raises `DataError` for what is missing or wrong."""
    return {name: source_of(name, read_file(folder, name), *pair) for name, pair in PAIRS.items()}


def scores_of(rows: Sequence[Row]) -> Scores:
    """A file for `tiers.fit_tiers`: the shipped complexity of each row, and the models that every row has a
    score of."""
    values = np.array([extract(row.request, view(row.request)).complexity.value for row in rows])
    models = sorted(set.intersection(*(set(row.scores) for row in rows)))
    return Scores(values, {model: np.array([row.scores[model] for row in rows]) for model in models})


def anchors_of(path: Path) -> list[Anchor]:
    """The hand-labelled prompts. Raises `DataError`."""
    return [msgspec.convert(value, Anchor) for value in _objects(path)]


def labelled_of(folder: Path, sources: Mapping[str, Source], anchors: Sequence[Anchor]) -> list[Labelled]:
    """Prompts with a task: the labelled file, examples of the sources' tasks, and the anchors that are not
    held out."""
    items = [
        Labelled(value["prompt"], _PROMPT_LABELS[value["label"]], f"{value['source']}:{value['label']}", 2.0)
        for value in _objects(folder / f"{PROMPTS}.jsonl")
        if value.get("label") in _PROMPT_LABELS
    ]
    for name in sources:
        counts: dict[str, int] = {}
        for row in read_file(folder, name):
            label = _TASKS.get(row.task)
            if label is None or counts.get(row.task, 0) >= _EACH:
                continue
            counts[row.task] = counts.get(row.task, 0) + 1
            items.append(Labelled(row.messages[-1].text, label, f"{name}:{row.task}"))
    items.extend(
        Labelled(anchor.text, TASKS_OF_KIND[anchor.group], f"anchor:{anchor.group}", 1.5)
        for anchor in anchors
        if anchor.fit and anchor.group in TASKS_OF_KIND
    )
    return items


def _objects(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError([f"{path}: cannot be read: {error.strerror}"]) from error
    try:
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in text.split("\n") if line]
    except msgspec.DecodeError as error:
        raise DataError([f"{path}: is not one JSON object a line: {error}"]) from error
