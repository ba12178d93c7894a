"""`llm-router report`: what was asked, spent, saved and waited for, from the records."""

import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.table import Table

from llm_inference_router.config.load import inspect
from llm_inference_router.errors import ConfigError
from llm_inference_router.money import PICODOLLARS_PER_USD
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.report import MIN_FOR_INTERVAL, Group, Latency, Report, Saving, report
from llm_inference_router.store.schema import path_of

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_DEFAULT_CONFIG = "router.yaml"
_DEFAULT_DATABASE = "router.db"
_PLAIN_WIDTH = 160


def moment(text: str) -> int:
    """Unix milliseconds: of `7d`, `24h`, `30m` or `2w` ago, or of a date with or without a time (UTC).

    Raises click.BadParameter.
    """
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return max(0, time.time_ns() // 1_000_000 - int(ago[1]) * _UNITS[ago[2]] * 1000)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither an age such as 7d, 24h or 30m nor a date such as 2026-01-31"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command("report")
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    default="7d",
    show_default=True,
    help="From when on: an age or a date (UTC).",
)
@click.option("--until", type=moment, metavar="TIME", help="Until when: an age or a date (UTC). Default: now.")
@click.option("--config", "-c", "config", help="Read store.url of this file. Default: router.yaml, if it is here.")
@click.option("--db", type=click.Path(path_type=Path), help="Read this database instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs; money in picodollars.")
def command(since: int, until: int | None, config: str | None, db: Path | None, as_json: bool) -> None:
    """Show what was spent and saved, by route and model, and how long answers took.

    The saving compares with always asking the route's strongest model, at its price for the same tokens. It
    says nothing about quality. The database may be in use by a running router.

    \b
    Examples:
      llm-router report
      llm-router report --since 24h --json
      llm-router report --since 2026-01-01 --until 2026-02-01 --db router.db

    \b
    Exit codes: 0 good (also when nothing was recorded), 1 no readable database, 2 usage, 78 bad config.
    """
    if db is not None and config is not None:
        raise click.UsageError("--db and --config exclude each other.")
    if until is not None and until <= since:
        raise click.UsageError("--until is not after --since.")
    path = db if db is not None else _configured(config)
    try:
        found = report(path, since, until)
    except StoreFault as fault:
        hint = "" if path.exists() else "; `llm-router serve` makes it, and --db or --config names another"
        raise click.ClickException(f"{fault}{hint}") from fault
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    _print(found, path)


def _configured(config: str | None) -> Path:
    if config is None and not Path(_DEFAULT_CONFIG).exists():
        return Path(_DEFAULT_DATABASE)
    findings = inspect(config or _DEFAULT_CONFIG)  # unset variables do not matter here
    if findings.config is None:
        _refuse(list(findings.problems))
    try:
        return path_of(findings.config.store.url)
    except ConfigError as error:
        _refuse(error.problems)


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(78)


def _print(found: Report, path: Path) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)  # a pipe has no width to fit into
    everything = found.all
    if everything.requests == 0:
        console.print(f"{path.name}: no requests were recorded between {_window(found)}.")
        return
    count = "1 request" if everything.requests == 1 else f"{everything.requests:,} requests"
    console.print(f"[bold]{count}[/bold] between {_window(found)} ({path.name})")
    console.print(_distribution("By route", "route", found.routes))
    console.print(_distribution("By model", "model", found.models))
    console.print(_distribution("By tier", "tier", found.tiers))
    console.print(_latency(found))
    for line in _sentences(found):
        console.print(line)


def _distribution(title: str, noun: str, groups: tuple[Group, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(noun)
    for column in (
        "requests",
        "share",
        "errors",
        "tokens in",
        "tokens out",
        "spend USD",
        "strongest USD",
        "saving",
    ):
        table.add_column(column, justify="right")
    for group in groups:
        table.add_row(
            _name(group),
            f"{group.requests:,}",
            f"{group.share:.1%}",
            f"{group.errors:,}",
            f"{group.input_tokens:,}",
            f"{group.output_tokens:,}",
            _usd(group.spend),
            _usd(group.baseline),
            "-" if group.saving.ratio is None else f"{group.saving.ratio:.1%}",
        )
    return table


def _latency(found: Report) -> Table:
    table = Table(title="Latency in ms (p50 / p95 / p99)", title_justify="left")
    table.add_column("")
    table.add_column("first token", justify="right")
    table.add_column("whole answer", justify="right")
    for kind, groups in (("route", found.routes), ("model", found.models)):
        for group in groups:
            table.add_row(f"{kind} {_name(group)}", _quantiles(group.ttft), _quantiles(group.total))
    return table


def _sentences(found: Report) -> list[str]:
    everything, tries = found.all, found.attempts
    spend, baseline = _usd(everything.spend), _usd(everything.baseline)
    lines = [
        f"Spend {spend} USD; always the route's strongest model for the same tokens: {baseline} USD.",
        _saved(everything.saving),
        "References not measured yet: a random mix of the same cost, and the quality of the answers.",
        f"{tries.total:,} tries upstream: {tries.failed:,} failed; {tries.retries:,} were retries.",
        f"{tries.fallbacks:,} fallbacks to another model.",
        f"{everything.errors:,} requests ended with an error; {everything.left:,} clients left first.",
    ]
    if everything.estimated:
        share = everything.estimated / everything.with_usage
        lines.append(f"Tokens of {share:.1%} of the requests are estimated: their server reported none.")
    if everything.simulated:
        share = everything.simulated / everything.requests
        names = ", ".join(group.name for group in found.models if group.simulated)
        lines.append(
            f"[yellow]{share:.1%} of the requests were answered by simulated models ({names}): their tokens, "
            "costs, savings and latencies are made up, not measured on real models.[/yellow]"
        )
    return lines


def _saved(saving: Saving) -> str:
    if saving.ratio is None:
        return "No saving can be stated: the strongest models have no price."
    said = f"Saving {_usd(saving.amount)} USD, {saving.ratio:.1%}"
    if saving.low is None or saving.high is None:
        return f"{said} (fewer than {MIN_FOR_INTERVAL} requests: no interval)."
    return f"{said} (95 % interval {saving.low:.1%} to {saving.high:.1%}, normal, ratio of sums)."


def _name(group: Group) -> str:
    marks = " (simulated)" if group.simulated == group.requests else " (partly simulated)" if group.simulated else ""
    return (group.name or "none answered") + marks


def _quantiles(latency: Latency) -> str:
    figures = (latency.p50, latency.p95, latency.p99)
    return " / ".join("-" if figure is None else f"{figure:,.0f}" for figure in figures) if latency.count else "-"


def _usd(picodollars: int) -> str:
    amount = picodollars / PICODOLLARS_PER_USD
    return f"{amount:,.2f}" if abs(amount) >= 100 else f"{amount:,.6f}"


def _window(found: Report) -> str:
    until = "now" if found.until_ms is None else _time(found.until_ms)
    return f"{_time(found.since_ms)} and {until}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
