"""`llm-router demo`: the router at work, with nothing to install and no account: the models are simulated."""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_inference_router.config.load import load
from llm_inference_router.config.models import catalogue
from llm_inference_router.demo import process, prompts

_WIDTH = 118  # of the tables where there is no terminal to ask


@click.command("demo")
@click.option("--check", is_flag=True, help="Stop afterwards; exit 1 if anything failed.")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.  [default: 4100; --check: 0]")
@click.option("--requests", type=click.IntRange(1), help="How many requests.  [default: every prompt once]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(check: bool, port: int | None, requests: int | None, as_json: bool) -> None:
    """Show the router at work on simulated models.

    Starts the router, sends it a few hundred prompts with the official openai client, and prints where they
    went, what that cost and how long it took. Without --check the router and its dashboard stay open until
    Ctrl-C.

    \b
    Examples:
      llm-router demo                 all prompts, then look at the dashboard
      llm-router demo --check --json  the figures for a program; exit 1 if anything failed
    """
    if find_spec("openai") is None:
        raise click.ClickException(
            "the demo uses the official openai client; install it with:  pip install 'llm-inference-router[demo]'"
        )
    chosen_port = port if port is not None else 0 if check else 4100
    with _ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="llm-router-demo-") as folder:
        try:
            problems = _run(Path(folder), chosen_port, requests, check=check, as_json=as_json)
        except process.ServerFailedError as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            sys.exit(130)
    for problem in problems:
        click.echo(f"check failed: {problem}", err=True)
    if problems:
        sys.exit(1)


def _run(folder: Path, port: int, requests: int | None, *, check: bool, as_json: bool) -> list[str]:
    """Drives the demo once; what the check found wrong, nothing without `check`."""
    # Imported late: they need the openai package, whose absence was answered above.
    from llm_inference_router.demo import explained, figures, summary

    asked = prompts.chosen(requests or len(prompts.load()))
    with process.Server(folder, port) as server:
        if not as_json:
            click.echo(f"{figures.NOTE}\nThe router runs on {server.url}; sending {len(asked)} prompts.", err=True)
        started = time.monotonic()
        answered = _driven(server.url, asked)
        elapsed_s = time.monotonic() - started
        rows = explained.recorded(server.database)
        shown = figures.figures(answered, rows, catalogue(load(str(process.CONFIG))), elapsed_s)
        shown["explained"] = explained.explained(server.url, answered, rows)
        shown["problems"] = _problems(shown)
        if as_json:
            click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        else:
            console = Console()
            summary.show(console if console.is_terminal else Console(width=_WIDTH), shown, server.url)
        if check:
            return list(shown["problems"])
        click.echo("The router stays open. End it with Ctrl-C.", err=True)
        _until_interrupted(server)
    return []


def _driven(url: str, asked: Sequence[prompts.Prompt]) -> list[Any]:
    from llm_inference_router.demo.drive import drive

    if not sys.stderr.isatty():
        return drive(url, asked, _Lines(len(asked)).told)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("asking simulated models", total=len(asked))
        return drive(url, asked, lambda _: progress.advance(bar))


class _Lines:
    """Progress where there is no terminal: a line for each tenth."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0

    def told(self, _: object) -> None:
        self.done += 1
        if self.done * 10 // self.total > (self.done - 1) * 10 // self.total:
            click.echo(f"  {self.done} of {self.total} answered", err=True)


def _problems(shown: Mapping[str, Any]) -> list[str]:
    """What must hold of every run, in words; empty when all of it does."""
    used = [one for one in shown["tiers"] if one["requests"]]
    explained = shown["explained"]
    found = [
        (shown["errors"], f"{shown['errors']} requests failed: {'; '.join(shown['first_errors'])}"),
        (shown["unrecorded"], f"{shown['unrecorded']} answers have no record"),
        (shown["unmarked"], f"{shown['unmarked']} answers do not say that they are simulated"),
        (len(used) < 2, "all requests went to one tier"),
        (shown["money"]["saved_usd"] <= 0, "nothing was saved against the strongest model"),
        (shown["simple"]["greetings_on_large"], "greetings went to the large model"),
        (len(explained) < 3, f"only {len(explained)} of the bands light, medium and heavy occurred"),
        (any(not one["decision"]["why"] for one in explained), "a decision came without its reasons"),
    ]
    return [text for wrong, text in found if wrong]


def _until_interrupted(server: process.Server) -> None:
    try:
        server.wait()
    except KeyboardInterrupt:
        click.echo("\nstopping", err=True)
        return
    raise click.ClickException("the server ended by itself")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that the server and the folder are cleaned up on that path too."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
