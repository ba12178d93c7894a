"""`llm-router eval`: the scorecard of a predictor on data with known answers, beside everything it must beat."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from msgspec import Struct, to_builtins
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_inference_router.cli.cold_start import measured, show_cold
from llm_inference_router.cli.pinned import pin
from llm_inference_router.cli.scorecard import show
from llm_inference_router.evaluation.costs import Price
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.figures import Scorecard, plain
from llm_inference_router.evaluation.forecast import Forecast, folds, given, leave_source_out
from llm_inference_router.evaluation.listing import BARS, listing, unseen
from llm_inference_router.evaluation.readers import FORMATS, name_of, read_source
from llm_inference_router.evaluation.scorecard import Settings, scorecard_of
from llm_inference_router.evaluation.table import Table, table_of
from llm_inference_router.learning.artefact import ArtefactError

if TYPE_CHECKING:
    from llm_inference_router.evaluation.cold import ColdStart
    from llm_inference_router.evaluation.predictor import Predictor, Trainer

_WIDTH = 120  # of the tables where there is no terminal to ask


class Makers(Struct, frozen=True):
    """Where predictors come from: the shipped one, one from a file, one from sources."""

    shipped: "Callable[[], Predictor]"
    load: "Callable[[Path], Predictor]"
    train: "Trainer"


class Asked(Struct, frozen=True):
    """The options of one run that more than one step needs."""

    makers: Makers
    predictor: Path | None
    leave_out: bool
    folds: int | None
    settings: Settings
    prices: Mapping[str, Price]
    cold: bool = False

    @property
    def mode(self) -> str:
        if self.leave_out:
            return "leave source out"
        return "as given" if self.folds is None else f"{self.folds} folds"

    @property
    def name(self) -> str:
        if self.leave_out or self.folds is not None:
            return "trained anew"
        return "shipped" if self.predictor is None else self.predictor.name

    def given(self) -> "Predictor":
        return self.makers.shipped() if self.predictor is None else self.makers.load(self.predictor)


def _names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (value or "").split(",") if name.strip())
    if len(set(names)) < len(names):
        raise click.BadParameter("names a model twice", context, option)
    return names


def _bars(context: click.Context, option: click.Parameter, value: str | None) -> tuple[float, ...]:
    if value is None:
        return BARS
    try:
        bars = tuple(float(bar) for bar in value.split(","))
    except ValueError:
        bars = (math.nan,)
    if not all(0 <= bar <= 1 for bar in bars):
        raise click.BadParameter(f"{value!r} is not a list of numbers within 0..1, such as 0.8,0.9", context, option)
    return bars


def _prices(context: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, Price]:
    prices = {}
    for value in values:
        model, _, price = value.rpartition("=")
        tokens_in, slash, tokens_out = price.partition("/")
        try:
            usd = float(tokens_in), float(tokens_out if slash else tokens_in)
        except ValueError:
            usd = math.nan, math.nan
        if not model or not all(0 <= part < math.inf for part in usd):
            raise click.BadParameter(f"{value!r} is not MODEL=USD or MODEL=IN/OUT, in USD per million tokens")
        prices[model] = Price(*usd, "given with --price")
    return prices


@click.command("eval")
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--predictor",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Score this predictor instead of the shipped one.",
)
@click.option("--leave-source-out", "leave_out", is_flag=True, help="Train on the other files, score this one.")
@click.option(
    "--folds",
    "count",
    type=click.IntRange(2, 50),
    metavar="K",
    help="K parts of each file: train on the other parts and files.",
)
@click.option(
    "--cold-start", "cold", is_flag=True, help="Also leave each model out: its Brier score from 0, 10, 50, 200 labels."
)
@click.option("--models", "only", callback=_names, metavar="NAME,NAME", help="Only these models.")
@click.option("--weak", metavar="MODEL", help="With --strong: the pair of APGR and CPT.")
@click.option("--strong", metavar="MODEL", help="See --weak.")
@click.option(
    "--price",
    "prices",
    multiple=True,
    callback=_prices,
    metavar="MODEL=USD",
    help="USD per million tokens, or IN/OUT, of a model that has no cost in the data. Repeatable.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Layout of the data.  [default: by its columns]")
@click.option(
    "--predictions",
    "listed",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.jsonl",
    help="Write what is predicted and chosen, one line a query.",
)
@click.option(
    "--bars",
    callback=_bars,
    metavar="BAR,BAR",
    help=f"Bars to choose at in --predictions.  [default: {','.join(f'{bar:g}' for bar in BARS)}]",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write curves as PNG, a page index.html and figures.json there.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of training and of resampling.")
@click.option(
    "--draws",
    type=click.IntRange(100, 10_000),
    default=1000,
    show_default=True,
    help="Bootstrap samples for the intervals.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every figure as one JSON object.")
@click.pass_obj
def command(
    makers: Makers | None,
    data: tuple[Path, ...],
    predictor: Path | None,
    leave_out: bool,
    count: int | None,
    cold: bool,
    only: tuple[str, ...],
    weak: str | None,
    strong: str | None,
    prices: dict[str, Price],
    form: str | None,
    listed: Path | None,
    bars: tuple[float, ...],
    folder: Path | None,
    seed: int,
    draws: int,
    as_json: bool,
) -> None:
    """Score a predictor on data with known answers.

    DATA are files of our own layout (one JSON object a line: id, prompt or messages, scores, cost), of RouterBench,
    RouteLLM or RouterArena; a folder is one source in parts. Every figure has a 95 % interval and stands beside every
    single model, their mixes, the same decisions dealt at random, prompt length alone, and an oracle.

    Prompts without scores need --models and --predictions: they are predicted, not scored.

    \b
    Examples:
      llm-router eval traffic.jsonl -o report
      llm-router eval one.jsonl two.jsonl three.jsonl --leave-source-out --json
      llm-router eval mine.jsonl --folds 5 --weak small --strong large
      llm-router eval prompts.jsonl --models gpt-4o-mini,gpt-4o --predictions out.jsonl

    \b
    Exit codes: 0 good, 1 data that cannot be used, 2 usage.
    """
    if (weak is None) != (strong is None) or (weak is not None and weak == strong):
        raise click.UsageError("--weak and --strong go together and name two models.")
    if leave_out and count is not None:
        raise click.UsageError("--leave-source-out and --folds exclude each other.")
    if predictor is not None and (leave_out or count is not None or cold):
        raise click.UsageError(
            "--predictor is scored as it is; --leave-source-out, --folds and --cold-start train anew."
        )
    if folder is not None and find_spec("matplotlib") is None:
        raise click.ClickException("pictures need matplotlib:  pip install 'llm-inference-router[train]'")
    if makers is None and (leave_out or count is not None or cold):
        pin()  # what is trained anew then has the same digits on every machine
    pair = None if weak is None or strong is None else (weak, strong)
    asked = Asked(
        makers=makers or real(),
        predictor=predictor,
        leave_out=leave_out,
        folds=count,
        settings=Settings(seed=seed, draws=draws, pair=pair),
        prices=prices,
        cold=cold,
    )
    try:
        _run(asked, data, only, form, listed, bars, folder, as_json=as_json)
    except DataError as error:
        _refuse(error)
    except ArtefactError as error:
        raise click.ClickException(str(error)) from error


def real() -> Makers:
    """The predictors of this package. Imported late: training needs the extra [train]."""
    from llm_inference_router.training.predictor import load, shipped
    from llm_inference_router.training.train import train

    return Makers(shipped=shipped, load=load, train=train)


def _run(
    asked: Asked,
    data: Sequence[Path],
    only: Sequence[str],
    form: str | None,
    listed: Path | None,
    bars: Sequence[float],
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    sources = _read(data, only, form)
    tables, bare = _split(asked, sources, only, can_list=listed is not None)
    forecasts: dict[str, Forecast] = {}
    scorecard: Scorecard | None = None
    cold: dict[str, ColdStart] = {}
    if tables:
        extra = sum(1 + len(table.models) for table in tables.values()) if asked.cold else 0
        with _progress(len(tables) * (1 + (asked.folds or 1)) + extra) as step:
            if asked.cold:
                cold = measured(tables, asked.makers.train, asked.settings, step)
            forecasts = _forecasts(asked, tables, step)
            scorecard = scorecard_of(tables, forecasts, asked.mode, asked.name, asked.settings, step)
    if listed is not None:
        lines = [
            line
            for name, table in tables.items()
            for line in listing(name, table.rows, table.models, forecasts[name], bars)
        ]
        for name, rows in bare.items():
            lines += listing(name, rows, only, unseen(rows, only, asked.given(), asked.prices), bars)
        listed.write_bytes(b"".join(line + b"\n" for line in lines))
        click.echo(f"{listed}: {len(lines):,} lines", err=True)
    if scorecard is None:
        click.echo("The data hold no scores: predicted, not scored.", err=True)
        return
    if folder is not None:
        _write(folder, scorecard)
    if as_json:
        figures = plain(scorecard) | ({"cold_start": to_builtins(cold)} if cold else {})
        click.echo(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=_WIDTH)
        show(console, scorecard)
        show_cold(console, cold)


def _read(data: Sequence[Path], only: Sequence[str], form: str | None) -> dict[str, list[Row]]:
    sources: dict[str, list[Row]] = {}
    problems: list[str] = []
    for path in data:
        name = name_of(path)
        if name in sources:
            problems.append(f"{path}: there is a source called {name!r} already; rename one of them")
            continue
        try:
            sources[name] = read_source(path, form, only, unscored=True)
        except DataError as error:
            problems += error.problems
            sources[name] = []
    if problems:
        raise DataError(problems)
    return sources


def _split(
    asked: Asked, sources: Mapping[str, list[Row]], only: Sequence[str], *, can_list: bool
) -> tuple[dict[str, Table], dict[str, list[Row]]]:
    """The sources with scores as tables, and those without."""
    scored = {name: rows for name, rows in sources.items() if rows[0].scores}
    bare = {name: rows for name, rows in sources.items() if name not in scored}
    if bare and not (only and can_list):
        raise DataError(
            [
                f"{name}: has no scores. Prompts alone can be predicted, not scored: give --models and --predictions"
                for name in bare
            ]
        )
    if bare and (asked.leave_out or asked.folds is not None):
        raise DataError([f"{name}: has no scores, so it can be neither trained on nor left out" for name in bare])
    known = sorted({model for rows in scored.values() for row in rows for model in row.scores})
    missing = [model for model in only if model not in known] if scored else []
    if missing:
        raise DataError(
            [f"--models: no data have scores of {model!r}; there are {', '.join(known)}" for model in missing]
        )
    tables: dict[str, Table] = {}
    problems: list[str] = []
    for name, rows in scored.items():
        try:
            tables[name] = table_of(name, rows, only, asked.prices)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return tables, bare


def _forecasts(asked: Asked, tables: Mapping[str, Table], step: Callable[[str], None]) -> dict[str, Forecast]:
    if asked.leave_out:
        return leave_source_out(tables, asked.makers.train, asked.settings.seed, step)
    if asked.folds is not None:
        return folds(tables, asked.makers.train, asked.folds, asked.settings.seed, step)
    return given(tables, asked.given(), step)


def _write(folder: Path, scorecard: Scorecard) -> None:
    from llm_inference_router.evaluation.page import write  # matplotlib is slow to import and an extra

    for path in write(folder, scorecard):
        click.echo(str(path), err=True)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, plain lines elsewhere; both on standard error."""
    if not sys.stderr.isatty():
        done = 0

        def tell(name: str) -> None:
            nonlocal done
            done += 1
            click.echo(f"  {done} of {total}: {name}", err=True)

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training and scoring", total=total)
        yield lambda name: progress.update(bar, advance=1, description=name)


def _refuse(error: DataError) -> NoReturn:
    click.echo(str(error), err=True)
    if any("no score of" in problem for problem in error.problems):
        click.echo("Every row needs a score of every model; --models NAME,NAME leaves the others out.", err=True)
    sys.exit(1)
