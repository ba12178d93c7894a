"""`llm-router calibrate`: labels from the owner's own prompts, and a model file that knows them."""

import asyncio
import hashlib
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson
from msgspec import structs, to_builtins
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_inference_router.cli.bought import Report, report_of, show
from llm_inference_router.cli.questions import lines
from llm_inference_router.config.defaults import capabilities
from llm_inference_router.config.load import load
from llm_inference_router.config.schema import Config, Privacy
from llm_inference_router.dialects import chat
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.calibrate import Calibration, Prompt, Summary
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.worklog import Plan, WorkError, WorkLog, open_log
from llm_inference_router.errors import ConfigError, InvalidRequest
from llm_inference_router.learning.artefact import encode
from llm_inference_router.money import from_usd, to_usd
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.contents import prompts as recorded
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.schema import path_of
from llm_inference_router.store.turns import Thread
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics
from llm_inference_router.types import Record

BAD_CONFIG = os.EX_CONFIG  # 78
_WIDTH = 120  # of the table where there is no terminal to ask


@click.command("calibrate")
@click.argument("config_path", metavar="CONFIG")
@click.option("--route", required=True, metavar="NAME", help="The route whose models are compared.")
@click.option(
    "--prompts",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help='One JSON object a line: {"prompt": ...} or {"messages": [...]}.',
)
@click.option("--traffic", is_flag=True, help="Take the route's recorded prompts (needs store.content).")
@click.option("--judge", required=True, metavar="MODEL", help="The configured model that compares the answers.")
@click.option("--budget", required=True, type=click.FloatRange(0, min_open=True), metavar="USD", help="The cap.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The model file to write; FILE.work.jsonl beside it keeps what was paid for.",
)
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="Prompts at most.")
@click.option("--max-output", type=click.IntRange(1), default=1024, show_default=True, help="Tokens of an answer.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Prompts at a time.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    help="How many requests the model file will decide: what more labels are weighed against.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
def command(
    config_path: str,
    route: str,
    file: Path | None,
    traffic: bool,
    judge: str,
    budget: float,
    output: Path,
    limit: int,
    max_output: int,
    concurrency: int,
    requests: int,
    as_json: bool,
) -> None:
    """Teach the predictor from your own prompts.

    Runs each prompt on every model of the route, lets the judge compare each answer with the strongest model's, blind
    and in both orders, and writes a model file for `routes.NAME.predictor`. The cap covers answers and verdicts, of
    all runs together; the same command again goes on where the last one ended and pays for nothing twice.

    \b
    Examples:
      llm-router calibrate router.yaml --route auto --prompts mine.jsonl --judge gpt-4 --budget 5 -o mine.model
      llm-router calibrate router.yaml --route auto --traffic --judge gpt-4 --budget 20 -o mine.model

    \b
    Exit codes: 0 good, 1 no labels or files that cannot be used, 2 usage, 78 bad config.
    """
    if (file is None) != traffic:
        raise click.UsageError("give either --prompts FILE or --traffic.")
    if not math.isfinite(budget):
        raise click.BadParameter("give a number of dollars", param_hint="--budget")
    config = _config(config_path, route, judge)
    prompts = _sampled(_read(file) if file is not None else _traffic(config, route), limit)
    plan = _plan(config, route, judge, max_output)
    work = output.with_name(output.name + ".work.jsonl")
    try:
        log = open_log(work, plan)
    except WorkError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{work}: {error.strerror}") from error
    try:
        summary = _run(config, plan, log, prompts, from_usd(budget), concurrency)
        report = report_of(config, plan, log, prompts, summary, requests)
    except OSError as error:
        raise click.ClickException(f"{work}: {error.strerror}") from error
    finally:
        log.close()
    if report is None:
        _nothing(summary, budget, work)
    _write(output, report)
    if as_json:
        click.echo(json.dumps(to_builtins(report.figures), indent=1))
    else:
        console = Console()
        show(console if console.is_terminal else Console(width=_WIDTH), report, output)
    if summary.stopped:
        click.echo("stopped; the same command goes on from here", err=True)


# --- what to do -----------------------------------------------------------------------------------------------


def _config(path: str, route: str, judge: str) -> Config:
    try:
        config = load(path)
    except ConfigError as error:
        _refuse(error.problems)
    models = [model.name for model in config.models]
    if route not in config.routes:
        raise click.UsageError(f"--route: there is no route {route!r} (there is: {', '.join(config.routes)})")
    if judge not in models:
        raise click.UsageError(f"--judge: there is no model {judge!r} (there is: {', '.join(models)})")
    talking = _talking(config, route)
    used = (*talking, judge)
    if len(talking) < 2:
        raise click.UsageError(f"--route: {route} has one model, so there is nothing to choose")
    if hidden := [name for name in used if name in config.routes]:
        raise click.UsageError(f"model {hidden[0]!r} has the name of a route, so it cannot be asked by itself")
    if config.privacy != Privacy():
        _refuse(["privacy: calibrate sends each prompt to every model and does not act on it; use a file without it"])
    if judge in talking:
        click.echo(f"note: {judge} judges its own answers too; judges tend to prefer those", err=True)
    simulated = [model.name for model in config.models if model.name in used and model.backend == "simulated"]
    if simulated:
        click.echo(f"simulated models: {', '.join(simulated)}", err=True)
    # What another file has learned plays no part here, and the file to be written may be named already.
    return structs.replace(
        config, routes={name: structs.replace(one, predictor="default") for name, one in config.routes.items()}
    )


def _talking(config: Config, route: str) -> tuple[str, ...]:
    """The route's models without those that embed, which answer no prompt."""
    embedding = {model.name for model in config.models if "embeddings" in capabilities(model)}
    return tuple(name for name in dict.fromkeys(config.routes[route].models) if name not in embedding)


def _refuse(problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(BAD_CONFIG)


def _plan(config: Config, route: str, judge: str, max_output: int) -> Plan:
    from llm_inference_router.config.models import catalogue
    from llm_inference_router.routing.catalog import strongest

    by_name = {model.name: model for model in catalogue(config)}
    models = _talking(config, route)
    best = strongest([by_name[name] for name in models]).name
    return Plan(route, (best, *(name for name in models if name != best)), best, judge, max_output)


def _read(file: Path) -> list[Prompt]:
    """The prompts of a file. Attachments and tools are not taken along, so prompts with attachments are left out."""
    found, left = [], 0
    for question in lines(file, "calibration"):
        try:
            request = chat.parse(question.body)
        except InvalidRequest as error:
            raise click.UsageError(f"{question.place}: {error.message}") from error
        if any(turn.attachments or turn.role == "tool" or turn.tool_calls for turn in request.messages):
            left += 1
            continue
        found.append(prompt_of([{"role": turn.role, "content": turn.text} for turn in request.messages]))
    if left:
        click.echo(f"{left} prompts with attachments or tools are left out", err=True)
    return found


def _traffic(config: Config, route: str) -> list[Prompt]:
    """The recorded prompts of a route."""
    kept = config.store.content if config.routes[route].content is None else config.routes[route].content
    try:
        found = [prompt_of(turns) for turns in recorded(path_of(config.store.url), route)]
    except ConfigError as error:
        _refuse(error.problems)
    except StoreFault as fault:
        raise click.ClickException(f"{fault}; --prompts FILE needs no database") from fault
    if not found:
        why = (
            "none is recorded yet"
            if kept
            else f"prompts are not kept: set store.content: true, or content: true of the route {route}, and wait for "
            "traffic"
        )
        raise click.ClickException(
            f"--traffic: {config.store.url} holds no prompts of {route}: {why}; or --prompts FILE"
        )
    return found


def prompt_of(turns: Sequence[dict[str, str]]) -> Prompt:
    identity = hashlib.sha256(orjson.dumps([[turn["role"], turn["content"]] for turn in turns])).hexdigest()[:16]
    return Prompt(identity, tuple(turns))


def _sampled(prompts: Sequence[Prompt], limit: int) -> list[Prompt]:
    """Each once, in an order that their place in the file does not matter for: a cap must not cut off one kind."""
    unique = {prompt.id: prompt for prompt in prompts}
    if not unique:
        raise click.ClickException("there are no prompts to calibrate with")
    return [unique[name] for name in sorted(unique)][:limit]


# --- doing it -------------------------------------------------------------------------------------------------


class _Nowhere:
    """The store of a run that is no traffic: what it pays for is in its work file, and must not count as served."""

    degraded = None

    async def append(self, record: Record, ending: Ending | None = None) -> None:
        raise AssertionError("calibration records nothing")

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        return None

    def thread(self, key: str, name: str, most_bytes: int) -> Thread:
        return Thread((), missing=name)

    def answered(self, key: str, decision_id: str) -> bool:
        return False

    def records(self, since_ms: int = 0) -> Iterator[dict[str, Any]]:
        return iter(())

    async def close(self) -> None:
        """There is nothing to close."""


def _run(config: Config, plan: Plan, log: WorkLog, prompts: Sequence[Prompt], cap: int, concurrency: int) -> Summary:
    with _progress(len(prompts)) as told:
        return asyncio.run(_calibrate(config, plan, log, prompts, cap, concurrency, told))


async def _calibrate(
    config: Config,
    plan: Plan,
    log: WorkLog,
    prompts: Sequence[Prompt],
    cap: int,
    concurrency: int,
    told: Callable[[], None],
) -> Summary:
    clock = SystemClock()
    silent = Log("json", write=lambda text: None)
    runtime = Runtime(config, _Nowhere(), Observer(Metrics(), silent, clock.now_ms), clock)
    calibration = Calibration(runtime, plan, log, cap, told, concurrency)
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)  # the second time it ends at once
        calibration.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError, RuntimeError):  # not the main thread, or no such signals
            loop.add_signal_handler(number, stop, number)
    try:
        return await calibration.run(prompts)
    finally:
        await runtime.close()


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, a line for each tenth elsewhere; both on standard error."""
    done = 0
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("asking and judging", total=total)
            yield lambda: progress.advance(bar)
        return

    def tell() -> None:
        nonlocal done
        done += 1
        if done * 10 // total > (done - 1) * 10 // total:
            click.echo(f"  {done} of {total} prompts", err=True)

    yield tell


def _nothing(summary: Summary, budget: float, work: Path) -> NoReturn:
    if summary.capped:
        why = f"the next call might have passed the cap of {budget:g} USD ({to_usd(summary.spent):.6f} spent)"
    elif summary.given_up:
        why = f"{', '.join(summary.given_up)} failed again and again; {work} says how"
    elif summary.stopped:
        why = "it was stopped"
    else:
        why = f"no answer came, or no verdict could be read; {work} says what happened"
    raise click.ClickException(f"there are no labels, so no model file was written: {why}")


def _write(output: Path, report: Report) -> None:
    """Whole or not at all: a router may be loading the old one."""
    beside = output.with_name(output.name + ".new")
    try:
        beside.write_bytes(encode(report.artefact))
        beside.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
