"""RouterArena's files (Lu et al. 2025, arXiv 2510.00202, github.com/RouteWorks/RouterArena).

Taken from the project's documentation and code (README, `check_config_prediction_files.py`, `llm_evaluation/run.py`,
`prep_datasets.py`), not from copies of its data:

    predictions      one JSON list; an entry has `global index` (or `global_index`), `prompt` (or `prompt_formatted`),
                     `prediction` (the model), and after its evaluation `accuracy` 0..1 and `cost` (USD). Entries of
                     other models for the same index (`for_optimality`) make a table of several models.
    cached results   a folder of MODEL.jsonl; a record has `global_index`, `question` and `evaluation_result` with
                     `score` and `inference_cost`. The file's name is the model's.
    prompts          one JSON list with `global index` and `prompt_formatted` alone: no scores.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from llm_inference_router.evaluation.data import DataError, Placed, decoded, text_of

_INDEX = ("global index", "global_index", "Global Index")
_PROMPT = ("prompt", "prompt_formatted", "question")


def is_entry(value: Mapping[str, Any]) -> bool:
    return any(key in value for key in _INDEX)


def placed(files: Sequence[Path], problems: list[str]) -> list[Placed]:
    """One row for each index, with what every model made of it. Raises `DataError` for a file that is no list."""
    rows: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    for file in files:
        for item in _entries(file, problems):
            value = item.value
            if not isinstance(value, dict) or not is_entry(value):
                problems.append(f"{item.place}: needs `global index`, `prompt` and what became of it")
                continue
            identity = str(_first(value, _INDEX))
            places.setdefault(identity, item.place)
            row = rows.setdefault(identity, _empty(identity, _first(value, _PROMPT)))
            _add(row, value, file.stem, item.place, problems)
    return [Placed(places[identity], row) for identity, row in rows.items()]


def _entries(file: Path, problems: list[str]) -> Iterator[Placed]:
    text = text_of(file)
    if not text.lstrip().startswith("["):
        yield from decoded(text.split("\n"), file.name, problems)
        return
    try:
        values = msgspec.json.decode(text.encode(), type=list[Any])
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise DataError([f"{file.name}: is not a JSON list: {error}"]) from error
    for number, value in enumerate(values):
        yield Placed(f"{file.name}[{number}]", value)


def _empty(identity: str, prompt: Any) -> dict[str, Any]:
    task = identity.rsplit("_", 1)[0]
    return {"id": identity, "prompt": prompt, "task": task, "scores": {}, "cost": {}, "tokens_out": {}}


def _add(row: dict[str, Any], value: Mapping[str, Any], stem: str, place: str, problems: list[str]) -> None:
    result = value.get("evaluation_result")
    if isinstance(result, dict):
        model: Any = stem
        score, cost = result.get("score"), result.get("inference_cost")
    else:
        model = value.get("prediction")
        score, cost = value.get("accuracy"), value.get("cost")
    if model is None:
        return  # a prompt alone
    if score is None:
        problems.append(f"{place}: {row['id']!r} has no accuracy of {model!r}; run RouterArena's evaluation first")
        return
    if model in row["scores"]:
        problems.append(f"{place}: {row['id']!r} has a result of {model!r} already")
        return
    row["scores"][model] = score
    row["cost"][model] = cost
    row["tokens_out"][model] = _tokens(value)


def _tokens(value: Mapping[str, Any]) -> int | None:
    answer = value.get("generated_result")
    usage = answer.get("token_usage") if isinstance(answer, dict) else value.get("token_usage")
    count = usage.get("output_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def _first(value: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)
