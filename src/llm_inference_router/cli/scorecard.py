"""A scorecard as tables for people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from llm_inference_router.evaluation.figures import FileFigures, Rates, Scorecard
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.wording import number, percent, ratio, spread, usd

_VERDICTS = {"gain": "[green]gain[/green]", "no gain": "no gain", "not certain": "[yellow]not certain[/yellow]"}


def show(console: Console, scorecard: Scorecard) -> None:
    """Prints all tables. None has more than eight columns, so that figures stay whole in 80 characters."""
    count = sum(one.rows for one in scorecard.files.values())
    console.print(
        f"[bold]{_sources(len(scorecard.files))}, {count:,} queries[/bold]; predictor {escape(scorecard.predictor)}, "
        f"{scorecard.mode}; seed {scorecard.seed}. In brackets: 95 % intervals of {scorecard.draws:,} bootstrap draws."
    )
    for table in (_apgr(scorecard), _cpt(scorecard), _aiq(scorecard), _reached(scorecard), _equal(scorecard)):
        if table.row_count:
            console.print(table)
    console.print(_calibration(scorecard))
    if len(scorecard.files) == 1:
        console.print(_models(next(iter(scorecard.files.values()))))
    for name, one in scorecard.files.items():
        if (pair := one.pair) is not None:
            weak, strong = f"{pair.weak} ({pair.weak_quality:.3f})", f"{pair.strong} ({pair.strong_quality:.3f})"
            console.print(f"[dim]{escape(f'{name}: weak {weak}, strong {strong}; {pair.origin}.')}[/dim]")
        for note in one.notes:
            console.print(f"[dim]{escape(f'{name}: {note}')}[/dim]")


def _sources(count: int) -> str:
    return "1 source" if count == 1 else f"{count} sources"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _apgr(scorecard: Scorecard) -> Table:
    table = _table(
        "APGR: gap between the weak and the strong model that is recovered; 0.5 is random",
        "source", "router", "length only", "shuffled", "oracle",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        if one.pair is not None:
            table.add_row(escape(name), *_rates(one.pair.apgr))
    if scorecard.mean.apgr is not None and len(scorecard.files) > 1:
        table.add_section()
        table.add_row("mean", *_rates(scorecard.mean.apgr))
    return table


def _rates(rates: Rates) -> list[str]:
    return [_spread(rates.router), _spread(rates.length), _spread(rates.shuffled), number(rates.oracle.value)]


def _cpt(scorecard: Scorecard) -> Table:
    table = _table(
        "CPT: share of strong calls that recovers 50 and 80 % of the gap",
        "source", "CPT(50)", "length only", "oracle", "CPT(80)", "length only", "oracle",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        if one.pair is not None:
            cells = [
                cell
                for rates in (one.pair.cpt_50, one.pair.cpt_80)
                for cell in (_spread(rates.router), number(rates.length.value), number(rates.oracle.value))
            ]
            table.add_row(escape(name), *cells)
    return table


def _aiq(scorecard: Scorecard) -> Table:
    table = _table(
        "AIQ: mean quality over the range of costs, choosing among all models",
        "source", "router", "singles", "difference", "by chance", "shuffled", "length", "oracle",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        if one.money is not None:
            aiq = one.money.aiq
            table.add_row(
                escape(name),
                _spread(aiq.router),
                number(aiq.singles.value),
                _spread(aiq.router_less_singles, sign=True),
                percent(aiq.chance),
                number(aiq.shuffled.value),
                number(aiq.length.value),
                number(aiq.oracle.value),
            )
    return table


def _reached(scorecard: Scorecard) -> Table:
    table = _table(
        "Quality that is reached: at any cost, and within 45 % of the best single model's cost",
        "source", "best", "shuffled", "within 45 %", "singles", "shuffled", "oracle",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        if one.money is not None:
            money = one.money
            table.add_row(
                escape(name),
                _spread(money.quality_max),
                number(money.quality_max_shuffled.value),
                _spread(money.quality_cheap),
                number(money.quality_cheap_singles.value),
                number(money.quality_cheap_shuffled.value),
                number(money.quality_cheap_oracle.value),
            )
    return table


def _equal(scorecard: Scorecard) -> Table:
    table = _table(
        "Cost at equal quality, of the cheapest single model or mix that reaches it",
        "source, model", "quality", "USD", "router", "length", "shuffled", "oracle", "",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        for equal in one.money.equal_quality if one.money is not None else ():
            best = one.money is not None and equal.model == one.money.best_single
            model = escape(equal.model.rpartition("/")[2])
            table.add_row(
                f"{escape(name)}\n  [bold]{model}[/bold]" if best else f"{escape(name)}\n  {model}",
                number(equal.quality),
                usd(equal.cost),
                escape(ratio(equal.router)),
                percent(equal.length.value),
                escape(ratio(equal.shuffled)),
                percent(equal.oracle.value),
                _VERDICTS[equal.verdict],
            )
        table.add_section()
    return table


def _calibration(scorecard: Scorecard) -> Table:
    table = _table(
        "Calibration: Brier, ECE (15 bins of equal mass); rank correlation of complexity with failures",
        "source", "queries", "Brier", "ECE", "perfect ECE", "complexity",
    )  # fmt: skip
    for name, one in scorecard.files.items():
        table.add_row(
            escape(name),
            f"{one.rows:,}",
            _spread(one.calibration.brier),
            _spread(one.calibration.ece),
            number(one.calibration.floor),
            number(one.complexity_with_failures, sign=True),
        )
    if len(scorecard.files) > 1:
        table.add_section()
        table.add_row("mean", "-", _spread(scorecard.mean.brier), _spread(scorecard.mean.ece), "-", "-")
    return table


def _models(figures: FileFigures) -> Table:
    table = _table("Models", "model", "quality", "USD a query", "on the hull", "known", "Brier", "ECE")
    for model, single in figures.models.items():
        calibration = figures.calibration_by_model[model]
        table.add_row(
            escape(model),
            _spread(single.quality),
            usd(single.cost),
            "yes" if single.on_hull else "-",
            "yes" if single.known else "-",
            _spread(calibration.brier),
            _spread(calibration.ece),
        )
    return table


def _spread(interval: Interval, *, sign: bool = False) -> str:
    return escape(spread(interval, sign=sign))
