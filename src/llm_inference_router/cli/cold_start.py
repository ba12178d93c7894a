"""The part of `llm-router eval` that leaves one model out: excess Brier from few labels, as a table."""

from collections.abc import Callable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Shown

from llm_inference_router.evaluation.cold import ColdStart, Plan, cold_start
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.predictor import Trainer
from llm_inference_router.evaluation.scorecard import Settings
from llm_inference_router.evaluation.table import Table


def measured(
    tables: Mapping[str, Table], trainer: Trainer, settings: Settings, step: Callable[[str], None]
) -> dict[str, ColdStart]:
    """As `cold_start`, from the command's seed and draws. Raises `DataError`."""
    return cold_start(tables, trainer, Plan(seed=settings.seed, samples=settings.draws), step)


def show_cold(console: Console, found: Mapping[str, ColdStart]) -> None:
    """Prints nothing where nothing was measured."""
    if not found:
        return
    table = Shown(title="Cold start: Brier score above that of all labels, one model left out", title_justify="left")
    table.add_column("source")
    for heading in ("labels", "excess Brier", "without other models", "worst model", "held out rows", "models"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in found.items():
        table.add_row(escape(name), "the name alone", _spread(one.line), "-", "-", f"{one.held:,}", str(one.models))
        for at in one.at:
            worst = max(at.by_model.values())
            table.add_row("", str(at.labels), _spread(at.excess), _spread(at.alone), f"{worst:.3f}", "", "")
        table.add_section()
    console.print(table)


def _spread(interval: Interval) -> str:
    return escape(f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]")
