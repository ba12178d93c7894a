"""A CSV file as named columns, with the line where each row stands."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from llm_inference_router.evaluation.data import DataError, text_of

_LONGEST = 1 << 27  # characters of a field: answers can be long
_WORDS = {"true": 1.0, "false": 0.0}


class Line(Struct, frozen=True):
    place: str
    cells: Mapping[str, str]


class Grid(Struct, frozen=True):
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def grid_of(path: Path) -> Grid:
    """A CSV file with a head. Raises `DataError` where it has none, or rows of another width."""
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text_of(path), newline=""))
    problems: list[str] = []
    lines: list[Line] = []
    try:
        columns = tuple(next(reader, ()))
        for cells in reader:
            place = f"{path.name}:{reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(columns):
                problems.append(f"{place}: has {len(cells)} fields, the head has {len(columns)}")
            else:
                lines.append(Line(place, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        problems.append(f"{path.name}:{reader.line_num}: is not CSV: {error}")
        columns = ()
    if not problems and (not columns or len(set(columns)) < len(columns)):
        problems.append(f"{path.name}: needs a first line with the names of its columns, each once")
    if problems:
        raise DataError(problems)
    return Grid(columns, tuple(lines))


def score_of(cell: str) -> float | str | None:
    """A cell as a score: true and false are 1 and 0, an empty one is None, and what is no number stays a text, for the
    check of the rows to name."""
    cell = cell.strip()
    if not cell:
        return None
    if cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    try:
        value = float(cell)
    except ValueError:
        return cell
    return value if math.isfinite(value) else cell
