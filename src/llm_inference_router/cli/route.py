"""`llm-router route`: the decision for a prompt or many, by the code that serves them; nothing is sent."""

import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from llm_inference_router.cli.questions import Question, lines, single
from llm_inference_router.config.load import inspect
from llm_inference_router.config.models import catalogue
from llm_inference_router.config.schema import Config
from llm_inference_router.dialects import chat
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.judge import Wishes, judge
from llm_inference_router.engine.predictors import predictors
from llm_inference_router.errors import ConfigError, RouterError
from llm_inference_router.money import from_usd
from llm_inference_router.routing.catalog import compile_catalog
from llm_inference_router.routing.decide import Snapshot
from llm_inference_router.routing.evidence import Evidence, basis, said, shown
from llm_inference_router.routing.explain import dollars, explain, why
from llm_inference_router.types import Caller, Candidate, Decision

BAD_CONFIG = os.EX_CONFIG  # 78
_FOUND = "router.yaml"
_BUILT_IN = Path(__file__).with_name("demo.yaml")
_SHOWN = 48  # characters of a prompt in a table
_WIDE = 160  # columns where no terminal says how many there are


def _finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("give a number", context, option)
    return value


@click.command("route")
@click.argument("text", required=False)
@click.option("--config", "-c", "path", help=f"The configuration file; default {_FOUND} of this folder.")
@click.option("--model", "-m", help="The route or model to ask for; default auto, or what a line names.")
@click.option("--json", "as_json", is_flag=True, help="One decision record a line.")
@click.option("--tags", default="", help="name=value,name=value as in x-router-tags.")
@click.option("--user", default="", help="As x-router-user.")
@click.option("--key", "key_name", help="Decide for the key of this name under server.keys.")
@click.option(
    "--quality",
    type=click.FloatRange(0, 1),
    callback=_finite,
    help="As x-router-quality: overrides the route's bar.",
)
@click.option("--max-cost-usd", type=click.FloatRange(0), callback=_finite, help="As x-router-max-cost-usd.")
def command(
    text: str | None,
    path: str | None,
    model: str | None,
    as_json: bool,
    tags: str,
    user: str,
    key_name: str | None,
    quality: float | None,
    max_cost_usd: float | None,
) -> None:
    """Show which model would answer, and why. Nothing is sent.

    TEXT is a prompt, - for a prompt on standard input, or @FILE with one JSON object a line: {"prompt": ...},
    {"messages": [...]} or a whole chat body.

    \b
    Examples:
      llm-router route "Prove that the square root of 2 is irrational."
      llm-router route --tags team=batch --json - < prompt.txt
      llm-router route @prompts.jsonl --model by-complexity
    """
    config = _config(path)
    snapshot = _snapshot(config)
    caller = Caller(user=user, tags=_tags(tags))
    if key_name is not None:
        caller = Caller(key=key_name, routes=_permissions(config, key_name), user=user, tags=caller.tags)
    wishes = Wishes(quality=quality, max_cost=None if max_cost_usd is None else from_usd(max_cost_usd))
    many = text is not None and text.startswith("@")
    questions = lines(Path(str(text)[1:]), model) if many else [single(text, model)]
    answers = _progress(questions, many=many)
    if as_json:
        failed = _print_json(((one, _answer(one, caller, wishes, snapshot)) for one in answers), snapshot)
    else:
        decided = [(one, _answer(one, caller, wishes, snapshot)) for one in answers]
        failed = _print_table(decided) if many else _print_one(decided[0][1], snapshot)
    if failed:
        sys.exit(1)


# --- what to decide with ------------------------------------------------------------------------------------


def _config(path: str | None) -> Config:
    """The config. An API key that is not set is no obstacle here, since nothing is sent."""
    if path is None and not Path(_FOUND).exists():
        click.echo(f"no {_FOUND} here: deciding with the built-in configuration", err=True)
        path = str(_BUILT_IN)
    findings = inspect(path or _FOUND)
    if findings.config is None:
        _refuse(findings.problems)
    simulated = [model.name for model in findings.config.models if model.backend == "simulated"]
    if simulated:
        click.echo(f"simulated models: {', '.join(simulated)}", err=True)
    return findings.config


def _snapshot(config: Config) -> Snapshot:
    try:
        return Snapshot(compile_catalog(config, catalogue(config), predictors(config)))
    except ConfigError as error:
        _refuse(error.problems)


def _refuse(problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(BAD_CONFIG)


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise click.UsageError(f"--tags: {pair.strip()!r} is not name=value")
        tags[name] = value
    return tags


def _permissions(config: Config, name: str) -> tuple[str, ...] | None:
    for key in config.server.keys:
        if key.name == name:
            return key.routes
    known = ", ".join(key.name for key in config.server.keys) or "none"
    raise click.UsageError(f"--key: there is no key {name!r} under server.keys (there is: {known})")


# --- deciding -----------------------------------------------------------------------------------------------


def _progress(questions: list[Question], *, many: bool) -> Iterator[Question]:
    console = Console(stderr=True)
    if not many or not console.is_terminal:
        return iter(questions)
    return iter(track(questions, "deciding", console=console, transient=True))


def _answer(question: Question, caller: Caller, wishes: Wishes, snapshot: Snapshot) -> Decision | RouterError:
    try:
        return judge(chat.parse(question.body), caller, wishes, snapshot, SystemClock())
    except RouterError as error:
        return error


# --- showing ------------------------------------------------------------------------------------------------


def _print_json(answers: Iterator[tuple[Question, Decision | RouterError]], snapshot: Snapshot) -> int:
    failed = 0
    for question, answer in answers:
        if isinstance(answer, RouterError):
            failed += 1
            click.echo(orjson.dumps({"place": question.place, "error": _face(answer)}))
        else:
            click.echo(orjson.dumps(explain(answer) | {"evidence": shown(_evidence(answer, snapshot))}))
    return failed


def _evidence(answer: Decision, snapshot: Snapshot) -> Evidence:
    return snapshot.catalog.choices[answer.route].evidence


def _face(error: RouterError) -> dict[str, Any]:
    return {"message": error.message, "type": error.error_type, "param": error.param, "code": error.code}


def _print_one(answer: Decision | RouterError, snapshot: Snapshot) -> int:
    if isinstance(answer, RouterError):
        click.echo(f"{answer.code}: {answer.message}", err=True)
        return 1
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=_WIDE)
    console.print(f"{answer.chosen}  ({answer.reason})", style="bold", markup=False)
    for sentence in why(answer):
        console.print(f"  {sentence}", markup=False)
    evidence = _evidence(answer, snapshot)
    console.print(f"  {said(evidence)}", markup=False)
    table = Table(
        "model", "quality", "known from", "output tokens", "cost", "first token", "total", "utility", box=None
    )
    by_name = {one.model: one for one in answer.candidates}
    for name in answer.chain:
        table.add_row(*_row(by_name[name], evidence))
    for rejection in answer.rejections:
        table.add_row(rejection.model, rejection.reason, style="dim")
    console.print(table)
    return 0


def _row(one: Candidate, evidence: Evidence) -> tuple[str, ...]:
    quality = f"{one.quality.mean:.2f} ± {one.quality.sd:.2f}"
    known = basis(one, evidence) + (", off the hull" if one.beaten_by else "")
    times = f"{one.ttft_ms:.0f} ms", f"{one.total_ms / 1000:.1f} s"
    return one.model, quality, known, _tokens(one), dollars(one.cost), *times, f"{one.utility:.3f}"


def _tokens(one: Candidate) -> str:
    """From the median to the p90, with what of it should be reasoning."""
    output, thought = one.output_tokens, one.reasoning_tokens
    if output is None:
        return "?"
    reasoning = f" ({thought.p50} to {thought.p90} reasoning)" if thought.p90 else ""
    return f"{output.p50} to {output.p90}{reasoning}"


def _print_table(answers: Sequence[tuple[Question, Decision | RouterError]]) -> int:
    table = Table("prompt", box=None)
    for heading in ("complexity", "task", "model", "reason", "cost"):
        table.add_column(heading, no_wrap=heading != "reason")
    chosen: Counter[str] = Counter()
    spent = 0
    for question, answer in answers:
        shown = question.shown if len(question.shown) <= _SHOWN else question.shown[: _SHOWN - 1] + "…"
        if isinstance(answer, RouterError):
            table.add_row(Text(shown), "", "", "-", Text(f"{answer.code}: {answer.message}"), "", style="red")
            continue
        complexity = answer.signals.complexity
        cost = next(one.cost for one in answer.candidates if one.model == answer.chosen)
        table.add_row(
            Text(shown),
            f"{complexity.value:.2f} {complexity.band}",
            answer.signals.task.label,
            answer.chosen,
            answer.reason,
            dollars(cost),
        )
        chosen[answer.chosen] += 1
        spent += cost
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    console.print(table)
    shares = ", ".join(f"{name} {count}" for name, count in chosen.most_common())
    failed = len(answers) - chosen.total()
    console.print(f"{len(answers)} prompts: {shares or 'none decided'}; expected cost {dollars(spent)}", markup=False)
    if failed:
        click.echo(f"{failed} of {len(answers)} could not be decided", err=True)
    return failed
