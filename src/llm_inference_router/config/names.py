"""Names: each given once, each reference to something that exists."""

from collections.abc import Iterable, Iterator
from typing import Literal

from llm_inference_router.config.convert import suggest
from llm_inference_router.config.report import Report
from llm_inference_router.config.schema import ByComplexity, Config
from llm_inference_router.config.values import constraints
from llm_inference_router.config.yaml import Path

Kind = Literal["model", "route", "route or model", "key"]
RESERVED = frozenset({"other"})  # the metrics' label for what is not in the config


def check(config: Config, report: Report) -> None:
    _unique(config, report)
    _references(config, report)
    for name, route in config.routes.items():
        _targets(route.policy, route.models, ("routes", name), report)
        _twice(route.models, ("routes", name, "models"), report)
    for i, experiment in enumerate(config.experiments):
        tested = config.routes.get(experiment.route)
        for arm_name, arm in experiment.arms.items():
            if tested is not None:
                _targets(arm.policy, tested.models, ("experiments", i, "arms", arm_name), report)


def _unique(config: Config, report: Report) -> None:
    lists = (
        (("models",), [model.name for model in config.models]),
        (("server", "keys"), [key.name for key in config.server.keys]),
        (("rules",), [rule.name for rule in config.rules]),
        (("budgets",), [budget.name for budget in config.budgets]),
        (("experiments",), [experiment.name for experiment in config.experiments]),
    )
    for path, names in lists:
        first: dict[str, int] = {}
        for i, name in enumerate(names):
            if first.setdefault(name, i) != i:
                there: Path = (*path, first[name], "name")
                report.problem((*path, i, "name"), f'"{name}" is there already; a name is given once', there)
    if not config.models:
        report.problem(("models",), "is empty; there must be something that can answer")
    if not config.routes:
        report.problem(("routes",), "is empty; there must be something to ask for, such as auto")
    models = {model.name for model in config.models}
    for i, model in enumerate(config.models):
        if model.name in RESERVED:
            report.problem(("models", i, "name"), f'"{model.name}" is reserved; choose another name')
    for name in config.routes:
        if name in RESERVED:
            report.problem(("routes", name), f'"{name}" is reserved; choose another name')
        if name in models:
            message = f'"{name}" is also a model; both are asked for by name in `model`, so they must differ'
            report.problem(("routes", name), message)


def _references(config: Config, report: Report) -> None:
    models = [model.name for model in config.models]
    routes = list(config.routes)
    keys = [key.name for key in config.server.keys]
    known: dict[Kind, list[str]] = {
        "model": models,
        "route": routes,
        "route or model": [*routes, *models],
        "key": keys,
    }
    lost = {
        "model": _incomplete(("models",), len(models), report),
        "route": report.replaced(("routes",)) or any(report.replaced(("routes", name)) for name in routes),
        "key": _incomplete(("server", "keys"), len(keys), report),
    }
    for path, name, kind in _all(config):
        if name not in known[kind] and not any(lost[word] for word in kind.split(" or ")):
            hint = suggest(name, known[kind])
            if not hint:
                hint = f"; there are {', '.join(known[kind][:12])}" if known[kind] else "; there are none"
            report.problem(path, f'"{name}" is no {kind}{hint}')


def _incomplete(path: Path, count: int, report: Report) -> bool:
    """Whether some name of the list could not be read, so that nothing can be said to be missing from it."""
    return report.replaced(path) or any(report.replaced((*path, i, "name")) for i in range(count))


def _all(config: Config) -> Iterator[tuple[Path, str, Kind]]:
    """Every reference by name, with its place."""
    for i, key in enumerate(config.server.keys):
        yield from _each(("server", "keys", i, "routes"), key.routes, "route or model")
    for name, route in config.routes.items():
        yield from _each(("routes", name, "models"), route.models, "model")
    for i, rule in enumerate(config.rules):
        yield from _each(("rules", i, "when", "routes"), rule.when.routes, "route")
        yield from _each(("rules", i, "when", "keys"), rule.when.keys, "key")
    for i, budget in enumerate(config.budgets):
        yield from _each(("budgets", i, "match", "routes"), budget.match.routes, "route")
        yield from _each(("budgets", i, "match", "keys"), budget.match.keys, "key")
    for i, experiment in enumerate(config.experiments):
        yield ("experiments", i, "route"), experiment.route, "route"
    for path, constraint in constraints(config):
        yield from _each((*path, "models"), constraint.models, "model")


def _each(path: Path, names: Iterable[str] | None, kind: Kind) -> Iterator[tuple[Path, str, Kind]]:
    for i, name in enumerate(names or ()):
        yield (*path, i), name, kind


def _targets(policy: object, models: tuple[str, ...], path: Path, report: Report) -> None:
    """A complexity policy may only choose among its route's models."""
    if not isinstance(policy, ByComplexity):
        return
    for band in ("light", "medium", "heavy"):
        target = getattr(policy, band)
        if target not in models:
            message = f'"{target}" is not one of the route\'s models{suggest(target, models)}'
            route_models: Path = (*path, "models") if path[0] == "routes" else ("routes",)
            report.problem((*path, "policy", band), message, route_models)


def _twice(names: tuple[str, ...], path: Path, report: Report) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            report.problem((*path, i), f'"{name}" is listed twice')
        seen.add(name)
