"""What is left: constraints, rules and privacy levels against the models that the routes have."""

from collections.abc import Iterable

from llm_inference_router.config.constraint import excludes
from llm_inference_router.config.report import Report
from llm_inference_router.config.schema import Config, Constraint, When
from llm_inference_router.config.yaml import Path


def check(config: Config, report: Report) -> None:
    """Only for a config whose values and names are sound: what is wrong elsewhere would make all of this
    untrue."""
    _rules(config, report)
    _ladders(config, report)
    _experiments(config, report)
    _privacy(config, report)


def emptied(config: Config, constraint: Constraint, routes: Iterable[str]) -> list[str]:
    """Those of the routes that the constraint leaves without any model."""
    models = {model.name: model for model in config.models}
    return [name for name in routes if all(excludes(constraint, models[model]) for model in config.routes[name].models)]


def _rules(config: Config, report: Report) -> None:
    first_open: str | None = None
    for i, rule in enumerate(config.rules):
        path: Path = ("rules", i)
        if first_open is not None:
            report.warning(path, f"is never reached: {first_open} before it has no conditions, so it always matches")
        elif rule.when == When():
            first_open = rule.name
        routes = rule.when.routes or tuple(config.routes)
        if _admits_none(config, rule.use):
            report.problem((*path, "use"), "fits none of the models")
        elif lost := emptied(config, rule.use, routes):
            report.warning((*path, "use"), f"leaves {_list(lost)} without any model; what it matches there is refused")


def _ladders(config: Config, report: Report) -> None:
    for i, budget in enumerate(config.budgets):
        for j, step in enumerate(budget.ladder):
            if isinstance(step.do, Constraint) and _admits_none(config, step.do):
                report.problem(("budgets", i, "ladder", j, "do"), "fits none of the models; write reject to refuse")


def _experiments(config: Config, report: Report) -> None:
    shares: dict[str, float] = {}
    for i, experiment in enumerate(config.experiments):
        for name, arm in experiment.arms.items():
            if emptied(config, arm, [experiment.route]):
                path: Path = ("experiments", i, "arms", name)
                report.problem(path, f"leaves route {experiment.route} without any model")
        shares[experiment.route] = shares.get(experiment.route, 0.0) + experiment.share
        if shares[experiment.route] > 1 + 1e-9:
            total = f"{shares[experiment.route]:g}"
            message = f"the experiments on {experiment.route} take {total} of it, more than all"
            report.problem(("experiments", i, "share"), message)


def _privacy(config: Config, report: Report) -> None:
    levels = config.privacy.levels
    for name, level in (("sensitive", levels.sensitive), ("restricted", levels.restricted)):
        if level is None:
            continue
        lost = emptied(config, level, config.routes)
        path: Path = ("privacy", "levels", name)
        if len(lost) == len(config.routes):
            report.problem(path, f"leaves no route with any model: {name} requests could never be answered")
        elif lost:
            report.warning(path, f"leaves {_list(lost)} without any model; {name} requests there are refused")


def _admits_none(config: Config, constraint: Constraint) -> bool:
    return all(excludes(constraint, model) for model in config.models)


def _list(routes: list[str]) -> str:
    return f"route{'s' if len(routes) > 1 else ''} {', '.join(routes)}"
