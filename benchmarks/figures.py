"""From samples to what a reader wants: medians with their spread, ratios within a round, and the targets."""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from statistics import median

from msgspec import Struct

from benchmarks.measure import Sample


class Spread(Struct, frozen=True):
    """The median over the rounds, the least and the most; nan where nothing was measured."""

    median: float
    low: float
    high: float

    def text(self) -> str:
        if isnan(self.median):
            return "-"
        if self.low == self.high:
            return _short(self.median)
        return f"{_short(self.median)} [{_short(self.low)}-{_short(self.high)}]"


class Figure(Struct, frozen=True):
    """One line of the table. `against` names the gateway whose sample of the same round divides it (or, with `less`, is
    divided by it).
    """

    name: str
    of: Callable[[Sample], float]
    against: str | None = None
    less: bool = False


class Goal(Struct, frozen=True):
    """What the router must hold: the figure's median is at most, or with `least` at least, `limit`."""

    figure: str
    limit: float
    least: bool = False


class Verdict(Struct, frozen=True):
    figure: str
    value: float
    limit: float
    least: bool
    met: bool


FIGURES: tuple[Figure, ...] = (
    Figure("whole answer, CPU us", lambda s: s.request_us),
    Figure("  whole answer, times nginx", lambda s: s.request_us, against="nginx"),
    Figure("  whole answer, times less than LiteLLM", lambda s: s.request_us, against="litellm", less=True),
    Figure("streamed chunk, paced, CPU us", lambda s: s.paced_us),
    Figure("  paced, times nginx", lambda s: s.paced_us, against="nginx"),
    Figure("relayed Messages chunk, paced, CPU us", lambda s: s.messages_us),
    Figure("  relayed Messages, times nginx", lambda s: s.messages_us, against="nginx"),
    Figure("relayed Responses chunk, paced, CPU us", lambda s: s.responses_us),
    Figure("  relayed Responses, times nginx", lambda s: s.responses_us, against="nginx"),
    Figure("streamed chunk, burst, CPU us", lambda s: s.burst_us),
    Figure("  burst, times nginx", lambda s: s.burst_us, against="nginx"),
    Figure("answers per second on one core", lambda s: s.requests_per_s),
    Figure("added latency p50, ms", lambda s: s.added_p50_ms),
    Figure("added latency p99, ms", lambda s: s.added_p99_ms),
    Figure("start to first answer, s", lambda s: s.start_s),
    Figure("memory idle, RSS MB", lambda s: s.idle.rss_mb),
    Figure("memory with the paced streams, RSS MB", lambda s: s.loaded.rss_mb),
    Figure("memory after the load, RSS MB", lambda s: s.after.rss_mb),
    Figure("errors", lambda s: float(s.errors)),
)
GOALS: tuple[Goal, ...] = (
    Goal("  whole answer, times nginx", 16),
    Goal("  whole answer, times less than LiteLLM", 40, least=True),
    Goal("  paced, times nginx", 2.5),
    Goal("  relayed Messages, times nginx", 2.5),
    Goal("  relayed Responses, times nginx", 2.5),
    Goal("start to first answer, s", 1.0),
    Goal("memory idle, RSS MB", 80),
    Goal("errors", 0),
)

Rounds = Sequence[Mapping[str, Sample]]  # for each round, gateway -> sample
Table = Mapping[str, Mapping[str, Spread]]  # figure -> gateway -> spread


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def tabulate(rounds: Rounds) -> dict[str, dict[str, Spread]]:
    """Every figure of every gateway; ratios are taken within a round, where the machine was the same."""
    names = list(rounds[0])
    table: dict[str, dict[str, Spread]] = {}
    for figure in FIGURES:
        if figure.against is not None and figure.against not in names:
            continue
        table[figure.name] = {name: spread([_value(figure, row, name) for row in rounds]) for name in names}
    return table


def _value(figure: Figure, row: Mapping[str, Sample], name: str) -> float:
    own = figure.of(row[name])
    if figure.against is None:
        return own
    other = figure.of(row[figure.against])
    return other / own if figure.less else own / other


def verdicts(table: Table) -> list[Verdict]:
    """The router's figures held against the goals; those whose peer was not measured are left out."""
    found = []
    for goal in GOALS:
        if goal.figure not in table:
            continue
        value = table[goal.figure]["router"].median
        if isnan(value):
            continue
        met = value >= goal.limit if goal.least else value <= goal.limit
        found.append(Verdict(goal.figure.strip(), value, goal.limit, goal.least, met))
    return found


def render(table: Table) -> str:
    names = list(next(iter(table.values())))
    cells = [["", *names]] + [[figure, *(row[name].text() for name in names)] for figure, row in table.items()]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names) + 1)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    )


def render_verdicts(found: Sequence[Verdict]) -> str:
    return "\n".join(
        f"{'met' if one.met else 'missed':6s}  {one.figure}: {_short(one.value)}, "
        f"target at {'least' if one.least else 'most'} {_short(one.limit)}"
        for one in found
    )


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
