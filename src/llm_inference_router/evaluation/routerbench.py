"""RouterBench's wide table (Hu et al. 2024, github.com/withmartian/routerbench), saved as CSV.

Columns: `sample_id`, `prompt`, `eval_name`, then for each model `MODEL` (score 0..1), `MODEL|model_response` and
`MODEL|total_cost` (USD). A prompt may be a list of texts, written as in Python. The layout is taken from the project's
own `convertors/common.py`, not from a copy of the data.
"""

import ast
from collections.abc import Collection, Sequence
from pathlib import Path

from llm_inference_router.evaluation.data import Placed
from llm_inference_router.evaluation.grid import Line, grid_of, score_of

_COST = "|total_cost"
_FIXED = {"sample_id", "prompt", "eval_name"}


def fits(columns: Collection[str]) -> bool:
    return set(columns) >= _FIXED and any(column.endswith(_COST) for column in columns)


def placed(files: Sequence[Path], problems: list[str]) -> list[Placed]:
    """The rows of all files as of our own layout. Raises `DataError` for files that are no such table."""
    found = []
    for file in files:
        grid = grid_of(file)
        models = [column for column in grid.columns if f"{column}{_COST}" in grid.columns]
        if not fits(grid.columns) or not models:
            problems.append(f"{file.name}: needs the columns sample_id, prompt, eval_name, MODEL and MODEL{_COST}")
            continue
        found += [Placed(line.place, _row(line, models, file.stem)) for line in grid.lines]
    return found


def _row(line: Line, models: Sequence[str], source: str) -> dict[str, object]:
    cells = line.cells
    return {
        "id": cells["sample_id"],
        "prompt": _prompt(cells["prompt"]),
        "task": cells["eval_name"],
        "source": source,
        "scores": {model: score_of(cells[model]) for model in models},
        "cost": {model: score_of(cells[f"{model}{_COST}"]) for model in models},
    }


def _prompt(text: str) -> str:
    """A list of texts, as Python writes it, becomes its parts; anything else stays."""
    if not (text.startswith("[") and text.endswith("]")):
        return text
    try:
        parts = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text  # a prompt that only looks like a list
    if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
        return "\n\n".join(parts)
    return text
