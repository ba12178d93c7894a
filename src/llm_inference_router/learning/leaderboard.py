"""The table of public results by model (`data/families.tsv`): aggregates that developers and leaderboards published.

Read at the first call, not at import. docs/explain/families.md says where the numbers come from and how to add some.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from msgspec import Struct

BENCHMARKS = (
    "mmlu", "mmlu_pro", "gsm8k", "math", "humaneval", "mbpp", "gpqa", "arc", "hellaswag", "winogrande", "ifeval",
    "elo", "elo26",
)  # fmt: skip


class Source(Struct, frozen=True):
    id: str
    date: str
    title: str
    address: str


class Result(Struct, frozen=True):
    """`value` in percent, or points for `elo`; `recalled` when it was not looked up again as the line was written."""

    benchmark: str
    value: float
    source: str
    recalled: bool


class Family(Struct, frozen=True):
    """One line of the table: parameters in billions, `active` those used for one token, None where they are not
    published; `released` as YYYY-MM."""

    name: str
    also: tuple[str, ...]
    developer: str
    total: float | None
    active: float | None
    released: str
    results: tuple[Result, ...]


class Table(Struct, frozen=True):
    sources: dict[str, Source]
    families: tuple[Family, ...]


@cache
def table() -> Table:
    """The whole table. ValueError names the line that cannot be read."""
    text = files("llm_inference_router.learning").joinpath("data/families.tsv").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Table:
    sources: dict[str, Source] = {}
    families: list[Family] = []
    for number, line in enumerate(text.splitlines(), 1):
        kind, *cells = line.split("\t")
        if kind == "source" and len(cells) == 4:
            sources[cells[0]] = Source(*cells)
        elif kind == "model" and len(cells) == 7:
            try:
                families.append(_family(cells))
            except (ValueError, IndexError) as error:
                raise ValueError(f"families.tsv line {number}: {error}") from error
        elif line and not line.startswith("#"):
            raise ValueError(f"families.tsv line {number}: a source has 4 cells and a model 7, this has {len(cells)}")
    return Table(sources, tuple(families))


def _family(cells: list[str]) -> Family:
    name, also, developer, total, active, released, results = cells
    return Family(
        name=name,
        also=tuple(part.strip() for part in also.split(";") if part.strip()),
        developer=developer,
        total=float(total) if total else None,
        active=float(active) if active else None,
        released=released,
        results=tuple(_results(results)),
    )


def _results(cell: str) -> Iterator[Result]:
    for group in filter(None, cell.split("; ")):
        source, _, numbers = group.partition(": ")
        for number in numbers.split(", "):
            benchmark, _, value = number.partition(" ")
            if benchmark not in BENCHMARKS:
                raise ValueError(f"{benchmark!r} is no benchmark of the table (source {source})")
            yield Result(benchmark, float(value), source.lstrip("~"), source.startswith("~"))
