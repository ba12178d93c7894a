"""`llm-router check`: everything that is wrong with a configuration, in one go."""

import json
import sys
from pathlib import Path

import click
from msgspec import structs

from llm_inference_router.config.load import inspect
from llm_inference_router.config.parse import Findings
from llm_inference_router.config.schema import SHIPPED_PREDICTOR
from llm_inference_router.errors import ConfigError


@click.command("check")
@click.argument("file", default="router.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def command(file: str, as_json: bool) -> None:
    """Validate a configuration: every problem in one go, with line, path and the nearest right spelling.

    FILE is router.yaml of this folder unless it is given. Warnings do not fail the check: a variable that is
    not set here may be set where the router runs. Notes name what this version does not act on yet.

    \b
    Examples:
      llm-router check
      llm-router check prod.yaml
      llm-router check --json prod.yaml

    \b
    Exit codes: 0 good, 1 problems.
    """
    findings = _with_predictors(inspect(file))
    if as_json:
        click.echo(json.dumps(_object(file, findings), ensure_ascii=False))
    else:
        _print(file, findings)
    sys.exit(1 if findings.problems else 0)


def _with_predictors(findings: Findings) -> Findings:
    """With the problems of the files that routes name, which are looked at only where everything else is good."""
    config = findings.config
    if config is None or all(route.predictor == SHIPPED_PREDICTOR for route in config.routes.values()):
        return findings
    # Imported where a file is to be read: numpy and the embedding take longer than all the rest of a check.
    from llm_inference_router.engine.predictors import predictors

    try:
        predictors(config)
    except ConfigError as error:
        return structs.replace(findings, config=None, problems=tuple(error.problems), notes=())
    return findings


def _object(file: str, findings: Findings) -> dict[str, object]:
    config = findings.config
    return {
        "file": file,
        "ok": not findings.problems,
        "problems": findings.problems,
        "warnings": findings.warnings,
        "notes": findings.notes,
        "models": [model.name for model in config.models] if config else [],
        "routes": list(config.routes) if config else [],
    }


def _print(file: str, findings: Findings) -> None:
    for problem in findings.problems:
        click.secho(problem, fg="red")
    for warning in findings.warnings:
        click.secho(f"warning: {warning}", fg="yellow")
    for note in findings.notes:
        click.echo(f"note: {note}")
    name = Path(file).name
    if findings.config is None:
        count = len(findings.problems)
        click.echo(f"{name}: {count} problem{'s' if count > 1 else ''}")
        return
    models = ", ".join(model.name for model in findings.config.models)
    click.echo(f"{name}: good. Models: {models}. Routes: {', '.join(findings.config.routes)}.")
