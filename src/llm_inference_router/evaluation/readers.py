"""Reads a source in any of the layouts that public benchmarks of routing come in, and in our own.

    jsonl        our own (`data.py`)
    routerbench  RouterBench's wide table as CSV (`routerbench.py`)
    routellm     RouteLLM's tables of answers as CSV, one file or a folder of them (`routellm.py`)
    mtbench      judgements of MT-bench as RouteLLM keeps them, with question.jsonl beside (`routellm.py`)
    routerarena  RouterArena's predictions, cached results of a folder, or prompts (`routerarena.py`)

A source is a file, or a folder whose files are parts of one table. Its layout is told by its columns.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from llm_inference_router.evaluation import routellm, routerarena, routerbench
from llm_inference_router.evaluation.data import DataError, Placed, Row, check_rows, decoded, text_of
from llm_inference_router.evaluation.grid import Grid, grid_of

_PICKLES = (".pkl", ".pickle")
_FROM_PICKLE = (
    "is a pickle, which can run any code when it is opened, so it is not read. If you trust where it comes from, "
    "convert it once:  python -c \"import pandas; pandas.read_pickle('{name}').to_csv('{stem}.csv', index=False)\""
)


def _jsonl(files: Sequence[Path], problems: list[str]) -> list[Placed]:
    if len(files) > 1:
        raise DataError([f"{files[0].parent}: is a folder of our own layout; name its files, each is a source"])
    return decoded(text_of(files[0]).split("\n"), files[0].name, problems)


_READ: Mapping[str, Callable[[Sequence[Path], list[str]], list[Placed]]] = {
    "jsonl": _jsonl,
    "routerbench": routerbench.placed,
    "routellm": routellm.placed,
    "mtbench": routellm.placed_judgements,
    "routerarena": routerarena.placed,
}
FORMATS = tuple(_READ)


def name_of(path: Path) -> str:
    """What a source is called in figures: its file's name without the ending, or its folder's."""
    return path.stem if path.is_file() else path.resolve().name


def read_source(
    path: Path, form: str | None = None, models: Collection[str] = (), *, unscored: bool = False
) -> list[Row]:
    """The checked rows of a source; `form` is one of `FORMATS`, or None to find out.

    Every row has a score of every model of the source, or of those of `models` that it has. With `unscored`, rows may
    lack scores altogether. Raises `DataError` with every problem, each with its file and line.
    """
    files = files_of(path)
    form = form or _form_of(files)
    problems: list[str] = []
    placed = _READ[form](files, problems)
    return check_rows(placed, path.name, models, problems=problems, unscored=unscored, complete=True)


def files_of(path: Path) -> list[Path]:
    """The files that make up a source. Raises `DataError` for a pickle, and for a folder without any."""
    if not path.is_dir():
        if path.suffix.lower() in _PICKLES:
            raise DataError([f"{path}: {_FROM_PICKLE.format(name=path.name, stem=path.stem)}"])
        return [path]
    files = sorted(one for one in path.iterdir() if one.suffix.lower() in {".csv", ".json", ".jsonl"})
    if not files:
        raise DataError([f"{path}: is a folder without .csv, .json or .jsonl files"])
    return files


def _form_of(files: Sequence[Path]) -> str:
    first = files[0]
    if first.suffix.lower() == ".csv":
        return _form_of_grid(grid_of(first), first)
    head = next((line for line in text_of(first).split("\n") if line.strip()), "")
    if head.lstrip().startswith("["):
        return "routerarena"
    problems: list[str] = []
    value = next((one.value for one in decoded([head], first.name, problems)), None)
    if isinstance(value, dict):
        if routerarena.is_entry(value):
            return "routerarena"
        if routellm.is_judgement(value) or (len(files) > 1 and "turns" in value):
            return "mtbench"
    return "jsonl"


def _form_of_grid(grid: Grid, path: Path) -> str:
    if routerbench.fits(grid.columns):
        return "routerbench"
    if routellm.fits(grid.columns):
        return "routellm"
    columns = ", ".join(grid.columns[:8])
    known = "RouterBench has sample_id, prompt, eval_name and MODEL|total_cost; RouteLLM prompt and one column a model"
    raise DataError([f"{path}: the columns {columns} are of no known layout ({known})"])
