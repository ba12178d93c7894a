"""The figures for a person: a few tables, each of which says that the models are simulated."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_SIMULATED = "simulated models"
_SERVED = f"The same prompts, served in other ways ({_SIMULATED}; 95 % bootstrap intervals)"


def show(console: Console, figures: Mapping[str, Any], url: str) -> None:
    console.print(f"\n[bold]{figures['note']}[/bold]\n")
    console.print(_tiers(figures["tiers"]))
    console.print(_references(figures["references"]))
    money, simple = figures["money"], figures["simple"]
    console.print(
        f"[bold]Spend[/bold] ({_SIMULATED}): {_usd(money['spend_usd'])} instead of"
        f" {_usd(money['always_strongest_usd'])} with the strongest model for everything:"
        f" [bold]{_percent(money['saved_share'])} saved[/bold]. (For the same tokens, as the dashboard counts; the"
        " large model would have written longer answers, which the table above includes.)"
    )
    console.print(
        f"[bold]Simple requests[/bold] ({_SIMULATED}, {simple['requests']} of {figures['requests']}):"
        f" {_percent(simple['local_share'])} stayed local, {_percent(simple['large_share'])} went to the"
        f" large model; {_percent(simple['under_one_second'])} were answered in full under one second,"
        f" {_p(simple['total_ms'])}."
        f" Greetings on the large model: {simple['greetings_on_large']} of {simple['greetings']}."
    )
    console.print(
        f"[bold]Router[/bold]: {figures['requests']} requests in {figures['seconds']} s, {figures['errors']}"
        f" errors; its own share of the time (measured, not simulated): {_p(figures['overhead_ms'])}."
    )
    for error in figures["first_errors"]:
        console.print(f"[red]failed:[/red] {escape(error)}")
    for number, one in enumerate(figures["explained"], 1):
        _explain(console, number, one)
    console.print(f"\nDashboard: {url}/dashboard   OpenAI base URL: {url}/v1   model: auto")


def _tiers(tiers: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=f"Where the requests went ({_SIMULATED})", title_justify="left")
    table.add_column("tier")
    table.add_column("model")
    for name in ("requests", "share", "tokens", "share", "spend", "first token p50", "p95"):
        table.add_column(name, justify="right")
    for one in tiers:
        ttft = one["ttft_ms"]
        times = (f"{ttft['p50']:.0f} ms", f"{ttft['p95']:.0f} ms") if ttft else ("-", "-")
        table.add_row(
            one["tier"],
            f"{one['model']} ({one['location']})",
            f"{one['requests']:,}",
            _percent(one["share"]),
            f"{one['tokens']:,}",
            _percent(one["token_share"]),
            _usd(one["spend_usd"]),
            *times,
        )
    return table


def _references(references: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=_SERVED, title_justify="left")
    table.add_column("served by")
    for name in ("spend", "good answers", "interval", "routed minus this", "interval"):
        table.add_column(name, justify="right")
    for one in references:
        low, high = one["good_interval"]
        below, above = one["difference_interval"]
        itself = one["served"] == "routed"
        table.add_row(
            one["served"],
            _usd(one["spend_usd"]),
            _percent(one["good_share"]),
            f"{100 * low:.1f} to {100 * high:.1f}",
            "" if itself else f"{100 * one['routed_minus_this']:+.1f}",
            "" if itself else f"{100 * below:+.1f} to {100 * above:+.1f}",
        )
    return table


def _explain(console: Console, number: int, one: Mapping[str, Any]) -> None:
    decision = one["decision"]
    complexity = decision["signals"]["complexity"]
    asked = " ".join(one["prompt"].split())
    short = asked if len(asked) <= 150 else asked[:149] + "…"
    console.print(f"\n[bold]Decision {number}: {one['band']}[/bold] ({_SIMULATED}) “{escape(short)}”")
    parts = ", ".join(f"{name} {value:.2f}" for name, value in complexity["parts"].items())
    console.print(f"  complexity {complexity['value']:.3f} ({parts})")
    for candidate in decision["candidates"]:
        mark = "→" if candidate["model"] == decision["chosen"] else " "
        console.print(
            f"  {mark} {candidate['model']:<16} expected quality {candidate['quality']['mean']:.2f},"
            f" {_usd(candidate['cost_usd'])}, first token {candidate['ttft_ms']:.0f} ms"
        )
    for sentence in decision["why"]:
        console.print(f"  {escape(sentence)}", highlight=False)


def _usd(amount: float) -> str:
    return f"${amount:.4f}" if abs(amount) < 1 else f"${amount:,.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _p(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return "no value"
    digits = 2 if spread["p95"] < 10 else 0
    return f"p50 {spread['p50']:.{digits}f} ms, p95 {spread['p95']:.{digits}f} ms"
