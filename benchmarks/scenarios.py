"""A mix of traffic as in customer service, out of public results: python -m benchmarks.scenarios DATA_FOLDER

70 % easy prompts, 20 % middle, 10 % hard, by the kind of task and never by who answered it well. The route has a
small, a middle and a large model of each file, with the scores and costs that they really had. The policy is
`cheapest_above_bar`. Its bar is chosen on one half of the prompts: the cheapest that keeps 95 % of the large model's
quality there. Every figure is of the other half. Single models and random mixes are chosen by the same rule.

    unseen      the predictor has not seen the file, as in a fresh install
    in domain   it has seen the file's other folds, as with many labels from the owner's own traffic

Rows of other files that share 60 characters with the file's prompts are not trained on.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from benchmarks.mix import GROUPS, LEAST, SHARES, TARGET, Group, Measured, Outcome, Traffic, measure
from benchmarks.overlap import apart
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.figures import rounded
from llm_inference_router.evaluation.forecast import Forecast, fold_of, folds, given
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.evaluation.predictor import Predictor
from llm_inference_router.evaluation.readers import read_source
from llm_inference_router.evaluation.table import Table, table_of
from llm_inference_router.training.train import train

# From the smallest to the largest. ulab_llmrouter has two price classes only, and no model between them.
ROUTES: Mapping[str, tuple[str, ...]] = {
    "paretobandit": ("meta-llama/llama-3.1-8b-instruct", "google/gemini-2.5-flash", "google/gemini-2.5-pro"),
    "routerbench_sub": ("mistralai/mistral-7b-chat", "mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview"),
    "ulab_llmrouter": ("llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
}
SOURCES = (*ROUTES, "zeroeval", "routellm_mmlu")  # the last two are one group each: for training only
FOLDS = 5
HALVES = 2
SAVED = 0.5  # of the large model's cost, as promised
_HEAD = f"{'':31s}{'on the small model':>22s}{'of the easy part':>22s}{'saving':>22s}{'quality kept':>22s}"
_COLUMNS = (
    "file, predictor",
    "on the small model",
    "of the easy part",
    "saving",
    "quality kept",
    "best single model: saving, quality kept",
    "cost ratio at equal quality",
    "quality kept, less that of its decisions dealt at random",
    "verdict",
    "the promise",
)

# What stands for which traffic. Everyday questions with a short answer are easy; exams across subjects, puzzles and
# questions made to mislead are middle; competition mathematics, graduate science and writing programs are hard.
_GROUPS: Mapping[str, Group] = {
    "commonsense_qa": "easy",
    "openbook_qa": "easy",
    "openbookqa": "easy",
    "arc-challenge": "easy",
    "arc_challenge": "easy",
    "winogrande": "easy",
    "hellaswag": "easy",
    "natural_qa": "easy",
    "trivia_qa": "easy",
    "gsm8k": "easy",
    "grade-school-math": "easy",
    "mmlu": "middle",
    "truthful_qa": "middle",
    "bbh": "middle",
    "agentverse-logicgrid": "middle",
    "commongen": "middle",
    "gpqa": "hard",
    "math": "hard",
    "mbpp": "hard",
    "human_eval": "hard",
}


class Case(Struct, frozen=True):
    """One file with one way of predicting."""

    file: str
    mode: str
    models: tuple[str, ...]
    measured: Measured


def group_of(task: str) -> Group | None:
    """The group of a task, subjects of a benchmark (`mmlu-virology`, `bbh/web_of_lies`) as the benchmark; None for
    what is of no such kind: riddles, poems and the like, which are left out."""
    for name in (task, task.split("/")[0], task.split("-")[0]):
        if name in _GROUPS:
            return _GROUPS[name]
    return None


def read(folder: Path) -> dict[str, list[Row]]:
    """All sources. Raises DataError with every problem."""
    found: dict[str, list[Row]] = {}
    problems: list[str] = []
    for name in SOURCES:
        try:
            found[name] = read_source(folder / f"{name}.jsonl")
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return found


def grouped(name: str, rows: Sequence[Row]) -> Table:
    """The rows that belong to a group, with the models of the route."""
    return table_of(name, [row for row in rows if group_of(row.task)], ROUTES[name])


def forecasts(
    table: Table, sources: Mapping[str, Sequence[Row]], count: int, seed: int, step: Callable[[str], None]
) -> dict[str, Forecast]:
    """Unseen and, with `count` folds, in domain. The file's own rows of no group, and of other models, are trained on
    in domain, as an owner would."""
    own = list(sources[table.name])
    tested = [row.request for row in own]
    others: dict[str, list[Row]] = {}
    for name, rows in sources.items():
        if name != table.name:
            kept = apart([row.request for row in rows], tested)
            others[name] = [row for row, keep in zip(rows, kept, strict=True) if keep]

    def trainer(sources: Mapping[str, Sequence[Row]], seed: int) -> Predictor:
        return train({**others, **sources}, seed)

    found = {"unseen": given({table.name: table}, train(others, seed), step)[table.name]}
    if count:
        found["in domain"] = folds({table.name: table}, trainer, count, seed, step)[table.name]
    return found


def traffic_of(table: Table, forecast: Forecast) -> Traffic:
    """A row's half is told by its id."""
    order = [table.models.index(model) for model in ROUTES[table.name]]
    groups = [group for row in table.rows if (group := group_of(row.task))]
    return Traffic(
        models=ROUTES[table.name],
        scores=table.scores[:, order],
        cost=table.cost[:, order],
        quality=forecast.quality[:, order],
        price=forecast.price[:, order],
        group=tuple(groups),
        reported=np.array([fold_of(row.id, HALVES) == 1 for row in table.rows]),
    )


def cases(folder: Path, count: int, seed: int, step: Callable[[str], None]) -> list[Case]:
    sources = read(folder)
    found = []
    for name, models in ROUTES.items():
        table = grouped(name, sources[name])
        for mode, forecast in forecasts(table, sources, count, seed, step).items():
            found.append(Case(name, mode, models, measure(traffic_of(table, forecast), seed)))
    return found


def render(case: Case) -> str:
    """The figures of a case for people."""
    found = case.measured
    rows = {kind: ", ".join(f"{n} {group}" for group, n in part.items())
            for kind, part in (("chosen", found.chosen_on), ("told", found.reported_on))}  # fmt: skip
    lines = [
        f"{case.file}, {case.mode}: {' -> '.join(case.models)}",
        f"  bar chosen on {rows['chosen']}; figures of {rows['told']}",
        _HEAD,
    ]
    for name, one in found.outcomes.items():
        cells = "".join(f"{_percent(value):>22s}" for value in (one.small, one.easy, one.saving, one.kept))
        lines.append(f"  {name[:28]:29s}{cells}" + (f"   {one.what}" if one.what else ""))
    for group, part in found.groups.items():
        alone = f"   the small model alone {_percent(part.small_kept)}"
        cells = f"{_percent(part.small):>22s}{'':22s}{_percent(part.saving):>22s}{_percent(part.kept):>22s}"
        lines.append(f"  router on {group + ' prompts':19s}{cells}{alone}")
    return "\n".join([*lines, "  " + sentence(found)])


def sentence(found: Measured) -> str:
    """What came of it, plainly."""
    router, single = found.outcomes["router"], found.outcomes["best single model"]
    return (
        f"{found.verdict} over the cheapest single model or random mix of the quality that the router had: "
        f"cost ratio {_number(found.ratio)}; saving less that of the best single model ({single.what}) "
        f"{_number(found.over_single)}; quality kept less that of its own decisions dealt at random "
        f"{_number(found.over_shuffled)}. The promise (70 % on the small model, 50 % saved, 95 % of the quality) is "
        f"{promise(router)}: {router.small.value:.1%}, {router.saving.value:.1%}, {router.kept.value:.1%}."
    )


def promise(router: Outcome) -> str:
    """Reached where the intervals of all three figures are at or above it; else how far it is."""
    parts = ((router.small, SHARES["easy"]), (router.saving, SAVED), (router.kept, TARGET))
    if all(value.low >= least for value, least in parts):
        return "reached"
    if all(value.value >= least for value, least in parts):
        return "reached in the sample, not certain"
    return "within the intervals" if all(value.high >= least for value, least in parts) else "not reached"


def overview(found: Sequence[Case]) -> str:
    """All cases as one Markdown table, for the documents."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    for case in found:
        one = case.measured
        router, single = one.outcomes["router"], one.outcomes["best single model"]
        lines.append(
            f"| {case.file}, {case.mode} | {_percent(router.small)} | {_percent(router.easy)} | "
            f"{_percent(router.saving)} | {_percent(router.kept)} | {single.what}: {_percent(single.saving)}, "
            f"{_percent(single.kept)} | {_number(one.ratio)} | {_number(one.over_shuffled)} | {one.verdict} | "
            f"{promise(router)} |"
        )
    return "\n".join(lines)


def _percent(value: Interval) -> str:
    return f"{100 * value.value:.0f} % [{100 * value.low:.0f} {100 * value.high:.0f}]"


def _number(value: Interval) -> str:
    return f"{value.value:.3f} [{value.low:.3f} {value.high:.3f}]"


def _plain(value: Any) -> Any:
    """Floats to four digits, so that the machine's last bits never show."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return rounded(value) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help=f"holds {', '.join(f'{name}.jsonl' for name in SOURCES)}")
    parser.add_argument("--folds", type=int, default=FOLDS, help="of each file for `in domain`; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    try:
        found = cases(asked.folder, asked.folds, asked.seed, lambda name: print(name, file=sys.stderr))
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    shares = ", ".join(f"{SHARES[group]:.0%} {group}" for group in GROUPS)
    print(
        f"Traffic: {shares}; a group with fewer than {LEAST} prompts in a half is left out. In brackets\n"
        "95 % bootstrap intervals, which cover the choice of the bar. Saving and quality are shares of the large "
        "model's.\n"
    )
    print("\n\n".join([*(render(case) for case in found), overview(found)]))
    if asked.json is not None:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(_plain(msgspec.to_builtins(found)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
