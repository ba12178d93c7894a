"""RouteLLM's evaluation files (Ong et al. 2024, github.com/lm-sys/RouteLLM, routellm/evals).

Tables of answers (mmlu/responses/mmlu_SUBJECT.csv, gsm8k/gsm8k_responses.csv): `prompt`, a column a model with True or
False, and perhaps `MODEL_response` with the answer's text. Judgements of MT-bench (mt_bench/judgements.jsonl): one line
a question, model and turn with `score` 1..10; the questions stand in question.jsonl beside. The score of a question is
the mean of its turns, divided by 10; the prompt is the first turn, as RouteLLM routes it. The layouts are taken from
the project's own code (`benchmarks.py`, `generate_responses.py`).
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from llm_inference_router.evaluation.data import DataError, Placed, decoded, text_of
from llm_inference_router.evaluation.grid import grid_of, score_of

_RESPONSE = "_response"
_QUESTIONS = "question.jsonl"
_TOP = 10.0
_INDEX = {"", "Unnamed: 0"}  # what pandas calls an index that was saved with the table


def fits(columns: Collection[str]) -> bool:
    return "prompt" in columns and bool(_models(columns))


def placed(files: Sequence[Path], problems: list[str]) -> list[Placed]:
    """The rows of all files as of our own layout. Raises `DataError` for files that are no such table."""
    found = []
    for file in files:
        grid = grid_of(file)
        models = _models(grid.columns)
        if "prompt" not in grid.columns or not models:
            problems.append(f"{file.name}: needs a column prompt and one for each model")
            continue
        for number, line in enumerate(grid.lines):
            scores = {model: score_of(line.cells[model]) for model in models}
            row = {"id": f"{file.stem}-{number}", "prompt": line.cells["prompt"], "task": file.stem, "scores": scores}
            found.append(Placed(line.place, row))
    return found


def _models(columns: Collection[str]) -> list[str]:
    answers = {f"{column}{_RESPONSE}" for column in columns}
    return [column for column in columns if column not in answers | {"prompt"} | _INDEX]


def is_judgement(value: Mapping[str, Any]) -> bool:
    return {"question_id", "model", "score"} <= value.keys()


def placed_judgements(files: Sequence[Path], problems: list[str]) -> list[Placed]:
    """The questions of judgements as rows. `files` hold the judgements; the questions are read from beside them.

    Raises `DataError` where there is no question.jsonl.
    """
    questions = _questions(files[0].parent / _QUESTIONS, problems)
    scores: dict[object, dict[str, list[float]]] = {}
    first: dict[object, str] = {}
    for file in files:
        if file.name == _QUESTIONS:
            continue
        for item in decoded(text_of(file).split("\n"), file.name, problems):
            value = item.value
            if not isinstance(value, dict) or not is_judgement(value):
                problems.append(f"{item.place}: needs question_id, model and score")
            elif value["question_id"] not in questions:
                problems.append(f"{item.place}: question {value['question_id']!r} is not in {_QUESTIONS}")
            elif not isinstance(value["score"], int | float) or not 1 <= value["score"] <= _TOP:
                problems.append(f"{item.place}: score is {value['score']!r}, not a number within 1..10")
            else:
                first.setdefault(value["question_id"], item.place)
                of_model = scores.setdefault(value["question_id"], {})
                of_model.setdefault(str(value["model"]), []).append(float(value["score"]))
    return [Placed(first[number], _row(number, questions[number], found)) for number, found in scores.items()]


def _row(number: object, question: Mapping[str, Any], scores: Mapping[str, Sequence[float]]) -> dict[str, object]:
    return {
        "id": f"question-{number}",
        "prompt": question["turns"][0],
        "task": question.get("category", ""),
        "scores": {model: sum(turns) / len(turns) / _TOP for model, turns in scores.items()},
    }


def _questions(path: Path, problems: list[str]) -> dict[object, Mapping[str, Any]]:
    if not path.exists():
        raise DataError([f"{path}: is missing; judgements need the questions beside them"])
    questions: dict[object, Mapping[str, Any]] = {}
    for item in decoded(text_of(path).split("\n"), path.name, problems):
        value = item.value
        if isinstance(value, dict) and isinstance(value.get("turns"), list) and value["turns"]:
            questions[value.get("question_id")] = value
        else:
            problems.append(f"{item.place}: needs question_id and turns, a list")
    return questions
