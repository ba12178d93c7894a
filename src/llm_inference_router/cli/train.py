"""`llm-router train`: fits a predictor to data with known answers, and writes it as one file."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click
from msgspec import structs

from llm_inference_router.cli.pinned import pin
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.readers import FORMATS, name_of, read_source
from llm_inference_router.learning.artefact import Artefact, encode
from llm_inference_router.learning.families import find
from llm_inference_router.training.card import card_of, file_of
from llm_inference_router.training.examples import read_prompts, source_of, written_of
from llm_inference_router.training.overlap import Cleaned, cleaned
from llm_inference_router.training.train import PROMPTS, fit

_LEAST_ROWS = 20  # calibration holds a quarter back, and a handful says nothing


def _names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (value or "").split(",") if name.strip())
    if len(set(names)) < len(names):
        raise click.BadParameter("names a model twice", context, option)
    return names


@click.command("train")
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the predictor there.",
)
@click.option("--models", "only", callback=_names, metavar="NAME,NAME", help="Only these models.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Layout of the data.  [default: by its columns]")
@click.option(
    "--prompts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=PROMPTS,
    show_default="the shipped ones",
    metavar="FILE",
    help="Prompts with a task and a level, to learn those from.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Kept in the file. At present nothing is drawn at random.",
)
def command(
    data: tuple[Path, ...], output: Path, only: tuple[str, ...], form: str | None, prompts: Path, seed: int
) -> None:
    """Fit a predictor to data with known answers.

    DATA are files as `llm-router eval` reads them. Each is a source; the more sources, the better the predictor does on
    traffic that it has never met. A question that two sources hold is learned once, from the first by name.

    The same data give the same bytes on x86-64, in whatever order they are named. A configuration names the file at
    routes.*.predictor; `llm-router eval --predictor FILE` scores it, on other data than it was trained on.

    \b
    Examples:
      llm-router train traffic.jsonl -o mine.msgpack
      llm-router train one.jsonl two.jsonl three.jsonl -o mine.msgpack
      llm-router train answers/ --models small,large -o mine.msgpack

    \b
    Exit codes: 0 good, 1 data that cannot be used, 2 usage.
    """
    if find_spec("scipy") is None:
        raise click.ClickException("training needs scipy:  pip install 'llm-inference-router[train]'")
    if not output.parent.is_dir():
        raise click.UsageError(f"--output: there is no folder {output.parent}.")
    _try_to_write(output)
    pin()
    try:
        artefact = _trained(data, only, form, prompts, seed)
    except DataError as error:
        _refuse(error)
    _write(output, encode(artefact))
    labels = sum(own.labels for source in artefact.labelled.values() for own in source.models.values())
    count = len(artefact.labelled)
    sources = "1 source" if count == 1 else f"{count} sources"
    click.echo(f"{output}: {labels:,} scores of {sources}; version {artefact.version}")


def _trained(data: Sequence[Path], only: Sequence[str], form: str | None, prompts: Path, seed: int) -> Artefact:
    _step("reading")
    rows = _read(data, only, form)
    written = read_prompts(prompts)
    _step("looking for prompts that are shared")
    clean = cleaned(rows, written)
    _tell(clean, rows)
    sources = []
    for name, kept in sorted(clean.rows.items()):
        _step(f"{name}: features of {len(kept):,} prompts")
        sources.append(source_of(name, kept))
    _step(f"features of {len(written):,} written prompts")
    table = written_of(written)
    files = {name_of(path): file_of(path) for path in data}
    return fit(sources, table, card_of(files, file_of(prompts), sources, clean, len(written), seed), _step)


def _read(data: Sequence[Path], only: Sequence[str], form: str | None) -> dict[str, list[Row]]:
    """Raises `DataError` with every problem of every file."""
    found: dict[str, list[Row]] = {}
    problems: list[str] = []
    for path in data:
        name = name_of(path)
        if name in found:
            problems.append(f"{path}: there is a source called {name!r} already; rename one of them")
            continue
        try:
            found[name] = read_source(path, form, only)
        except DataError as error:
            problems += error.problems
            found[name] = []
    known = sorted({model for rows in found.values() for row in rows for model in row.scores})
    if not problems:
        problems += [
            f"--models: no data have scores of {model!r}; there are {', '.join(known)}"
            for model in only
            if model not in known
        ]
    if only and not problems:
        found = {name: [_narrowed(row, only) for row in rows] for name, rows in found.items()}
        problems += [
            f"{name}: has no scores of {', '.join(only)}" for name, rows in found.items() if not rows[0].scores
        ]
    if not problems:
        problems += [
            f"{name}: has {len(rows)} rows; training needs {_LEAST_ROWS} of each source at least"
            for name, rows in found.items()
            if len(rows) < _LEAST_ROWS
        ]
    if problems:
        raise DataError(problems)
    return found


def _narrowed(row: Row, only: Sequence[str]) -> Row:
    return structs.replace(row, scores={model: score for model, score in row.scores.items() if model in only})


def _tell(clean: Cleaned, rows: Mapping[str, Sequence[Row]]) -> None:
    for name, count in sorted(clean.dropped.items()):
        if count:
            click.echo(
                f"  {name}: {count:,} of {len(rows[name]):,} prompts dropped, an earlier source has them", err=True
            )
    if clean.written:
        click.echo(f"  written prompts that a source has too: {', '.join(clean.written)}", err=True)
    models = {model for source in rows.values() for model in source[0].scores}
    strangers = sorted(model for model in models if find(model) is None)
    if strangers:
        click.echo(f"  without public results, so taken as of medium ability: {', '.join(strangers)}", err=True)


def _step(name: str) -> None:
    click.echo(f"  {name}", err=True)


def _try_to_write(path: Path) -> None:
    """Tells before the work, not after it, that there will be no place for its result."""
    temporary = _part(path)
    with _writing(path):
        temporary.write_bytes(b"")
        temporary.unlink()


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing: a router that reads the file meanwhile finds the old one."""
    temporary = _part(path)
    with _writing(path):
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    click.echo(f"  {len(data):,} bytes, sha256 {sha256(data).hexdigest()}", err=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error


def _refuse(error: DataError) -> NoReturn:
    click.echo(str(error), err=True)
    if any("no score of" in problem for problem in error.problems):
        click.echo("Every row needs a score of every model; --models NAME,NAME leaves the others out.", err=True)
    sys.exit(1)
