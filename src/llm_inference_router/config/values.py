"""Checks of single values and of values beside each other: what the types cannot say."""

from collections.abc import Iterable, Iterator

import re2

from llm_inference_router import money
from llm_inference_router.config import address, defaults, hours, scalars
from llm_inference_router.config.report import Report
from llm_inference_router.config.schema import (
    Budget,
    Config,
    Constraint,
    ModelConfig,
    Retry,
    Route,
    Rule,
    Server,
)
from llm_inference_router.config.schema import ByComplexity as ComplexityPolicy
from llm_inference_router.config.yaml import Path, Scalar
from llm_inference_router.vocabulary import TIERS

_LANGUAGE = re2.compile(r"^[a-z]{2,3}$")


def check(config: Config, report: Report) -> None:
    _server(config.server, report)
    for i, model in enumerate(config.models):
        _model(model, ("models", i), report)
    for name, route in config.routes.items():
        _route(route, ("routes", name), report)
    for i, rule in enumerate(config.rules):
        _rule(rule, ("rules", i), report)
    for i, budget in enumerate(config.budgets):
        _budget(budget, ("budgets", i), report)
    for i, experiment in enumerate(config.experiments):
        if len(experiment.arms) < 2:
            report.problem(("experiments", i, "arms"), "an experiment compares at least two arms")
        for name, arm in experiment.arms.items():
            _bands(arm.policy, ("experiments", i, "arms", name, "policy"), report)
    for path, constraint in constraints(config):
        _constraint(constraint, path, report)
    _texts(config.privacy.sensitive_terms, ("privacy", "sensitive_terms"), report)
    _storage(config, report)


def constraints(config: Config) -> Iterator[tuple[Path, Constraint]]:
    """Every constraint of the file, with its place."""
    for i, rule in enumerate(config.rules):
        yield ("rules", i, "use"), rule.use
    for i, budget in enumerate(config.budgets):
        for j, step in enumerate(budget.ladder):
            if isinstance(step.do, Constraint):
                yield ("budgets", i, "ladder", j, "do"), step.do
    for i, experiment in enumerate(config.experiments):
        for name, arm in experiment.arms.items():
            yield ("experiments", i, "arms", name), arm
    for level in ("sensitive", "restricted"):
        if (limit := getattr(config.privacy.levels, level)) is not None:
            yield ("privacy", "levels", level), limit


def _server(server: Server, report: Report) -> None:
    if not server.host.strip():
        report.problem(("server", "host"), "is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every network")
    elif not address.is_loopback(server.host) and not server.keys:
        message = f"{server.host} is reachable from outside and there are no keys; add server.keys or use 127.0.0.1"
        report.problem(("server", "host"), message, ("server", "keys"))
    if server.max_body < 1:
        report.problem(("server", "max_body"), "must be at least 1 byte")
    values: dict[str, int] = {}
    for i, key in enumerate(server.keys):
        place: Path = ("server", "keys", i)
        if not key.key:
            report.problem((*place, "key"), "is empty; anyone could use it")
        elif (first := values.setdefault(str(key.key), i)) != i:
            message = f"is the same key as that of {server.keys[first].name}"
            report.problem((*place, "key"), message, ("server", "keys", first, "key"))
        if not key.scopes:
            report.problem((*place, "scopes"), "is empty; a key without scopes can do nothing")
        _not_empty(key.routes, (*place, "routes"), report)


def _model(model: ModelConfig, path: Path, report: Report) -> None:
    backend: Path = (*path, "backend")
    for i, endpoint in enumerate(model.endpoints):
        place: Path = (*path, "endpoints", i, "url")
        if wrong := address.problem(endpoint.url):
            report.problem(place, wrong)
        elif endpoint.url in [earlier.url for earlier in model.endpoints[:i]]:
            report.problem(place, "is listed twice")
    if model.backend == "simulated":
        for key, given in (("endpoints", model.endpoints), ("api_key", model.api_key)):
            if given:
                report.problem((*path, key), "a simulated model runs inside the router and has none", backend)
    elif not defaults.urls(model):
        message = f'backend {model.backend} has no default address: add endpoints: [{{url: "http://..."}}]'
        report.problem(path, message, (*path, "endpoints"), backend)
    _cloud(model, path, report)
    _embeddings(model, path, report)
    if model.upstream_model == "":
        report.problem((*path, "upstream_model"), "is empty; leave it out and the model's own name is sent")
    if model.max_output is not None and model.max_output > model.context:
        message = f"{model.max_output} is more than the context of {model.context}"
        report.problem((*path, "max_output"), message, (*path, "context"))
    for key in ("input", "output", "cached_input", "cache_write"):
        _price(getattr(model.price, key), (*path, "price", key), report)
    for key in ("connect", "first_token", "idle", "total"):
        _positive(getattr(model.timeouts, key), (*path, "timeouts", key), report)
    if model.health is not None and model.health != "none":
        _positive(model.health.every, (*path, "health", "every"), report)
        if model.health.path is not None and not model.health.path.startswith("/"):
            report.problem((*path, "health", "path"), "needs a path that begins with /")
    if model.breaker != "none":
        _positive(model.breaker.window, (*path, "breaker", "window"), report)
        _positive(model.breaker.open, (*path, "breaker", "open"), report)


def _embeddings(model: ModelConfig, path: Path, report: Report) -> None:
    given = defaults.capabilities(model)
    if "embeddings" not in given:
        return
    place: Path = (*path, "capabilities")
    if model.backend in defaults.NO_EMBEDDINGS:
        report.problem(place, f"backend {model.backend} has no embeddings", (*path, "backend"))
    elif len(given) > 1:
        others = ", ".join(sorted(given - {"embeddings"}))
        report.warning(place, f"a model with embeddings serves nothing else, so {others} is of no use")


def _cloud(model: ModelConfig, path: Path, report: Report) -> None:
    endpoints: Path = (*path, "endpoints")
    addresses = [url for url in defaults.urls(model) if not address.problem(url)]
    cloud = next((name for url in addresses if (name := address.host(url)) in defaults.CLOUD_HOSTS), None)
    if cloud is None:
        return
    if model.location == "local":
        message = f"is local, but the model is called at {cloud}"
        report.problem((*path, "location"), message, endpoints, (*path, "backend"))
    if not model.api_key:
        message = f"{cloud} wants a key; add for example api_key: ${{{model.backend.upper()}_API_KEY}}"
        report.warning((*path, "api_key"), message, endpoints, (*path, "backend"))


def _route(route: Route, path: Path, report: Report) -> None:
    if not route.models:
        report.problem((*path, "models"), "is empty; a route needs at least one model")
    if not route.predictor:
        report.problem((*path, "predictor"), "is empty; write default, or the path of a file")
    _bands(route.policy, (*path, "policy"), report)
    _hedge(route.retry, (*path, "retry", "hedge"), report)


def _hedge(retry: Retry, path: Path, report: Report) -> None:
    if retry.hedge != "none":
        try:
            if scalars.duration(Scalar(retry.hedge, True, 0)) <= 0:
                report.problem(path, "must be longer than nothing; write none to send no second request")
        except ValueError as error:
            report.problem(path, f"{error}, or none")


def _bands(policy: object, path: Path, report: Report) -> None:
    if isinstance(policy, ComplexityPolicy) and policy.bands[0] >= policy.bands[1]:
        low, high = policy.bands
        report.problem(
            (*path, "bands"),
            f"must rise: [{low:g}, {high:g}] does not",
            (*path, "bands", 0),
            (*path, "bands", 1),
        )


def _rule(rule: Rule, path: Path, report: Report) -> None:
    when, place = rule.when, (*path, "when")
    for key in ("routes", "keywords", "task", "language", "users", "keys", "tags"):
        _not_empty(getattr(when, key), (*place, key), report)
    _texts(when.keywords or (), (*place, "keywords"), report)
    if when.pattern is not None and (wrong := _pattern_problem(when.pattern)):
        report.problem((*place, "pattern"), wrong)
    if when.hours is not None:
        try:
            hours.parse(when.hours)
        except ValueError as error:
            report.problem((*place, "hours"), str(error))
    for i, language in enumerate(when.language or ()):
        if not _LANGUAGE.match(language):
            report.problem((*place, "language", i), f'"{language}" is no ISO 639-1 code such as en, de or zh')
    for low, high in (("min_complexity", "max_complexity"), ("min_prompt_tokens", "max_prompt_tokens")):
        least, most = getattr(when, low), getattr(when, high)
        if least is not None and most is not None and least > most:
            message = f"{least:g} is more than {high} {most:g}; nothing can match"
            report.problem((*place, low), message, (*place, high))


def _budget(budget: Budget, path: Path, report: Report) -> None:
    if budget.limit == 0:
        report.problem((*path, "limit"), "must be more than 0")
    try:
        hours.zone(budget.zone)
    except ValueError as error:
        report.problem((*path, "zone"), str(error))
    for key in ("keys", "routes", "users", "tags"):
        _not_empty(getattr(budget.match, key), (*path, "match", key), report)
    for i, step in enumerate(budget.ladder[1:], start=1):
        before = budget.ladder[i - 1]
        here: Path = (*path, "ladder", i, "at")
        above: Path = (*path, "ladder", i - 1, "at")
        if step.at <= before.at:
            report.problem(here, f"{step.at:g} must be more than the step before, {before.at:g}", above)
        elif before.do == "reject":
            report.warning(here, "is never reached: the step before rejects", above, (*path, "ladder", i - 1, "do"))


def _constraint(constraint: Constraint, path: Path, report: Report) -> None:
    _not_empty(constraint.models, (*path, "models"), report)
    tier, low, high = constraint.tier, constraint.min_tier, constraint.max_tier
    if low and high and TIERS.index(low) > TIERS.index(high):
        report.problem((*path, "min_tier"), f"{low} is above max_tier {high}; no model fits", (*path, "max_tier"))
    for key, limit, wrong in (("min_tier", low, -1), ("max_tier", high, 1)):
        if tier and limit and (TIERS.index(tier) - TIERS.index(limit)) * wrong > 0:
            report.problem((*path, "tier"), f"{tier} is outside {key} {limit}; no model fits", (*path, key))


def _storage(config: Config, report: Report) -> None:
    scheme, separator, rest = config.store.url.partition("://")
    if not separator or scheme not in ("sqlite", "postgresql", "postgres"):
        report.problem(("store", "url"), "needs sqlite:///FILE or postgresql://HOST/DATABASE")
    elif scheme == "sqlite" and (not rest.startswith("/") or not rest.strip("/")):
        report.problem(
            ("store", "url"),
            "needs three slashes and a file: sqlite:///router.db, sqlite:////var/lib/router.db",
        )
    _positive(config.store.retain, ("store", "retain"), report)
    if config.telemetry.traces and (wrong := address.problem(config.telemetry.traces)):
        report.problem(("telemetry", "traces"), wrong)


def _pattern_problem(pattern: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    if not pattern:
        return "is empty; it would match everything"
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"is no pattern that can be matched in linear time (RE2): {words}"
    return None


def _price(price: float | None, path: Path, report: Report) -> None:
    if price is not None:
        try:
            money.per_token(price)
        except ValueError as error:
            report.problem(path, f"{price!r}: {error} (it is USD per million tokens)")


def _positive(seconds: float, path: Path, report: Report) -> None:
    if seconds <= 0:
        report.problem(path, "must be longer than 0s")


def _not_empty(values: object, path: Path, report: Report) -> None:
    if values is not None and not values:
        report.problem(path, "is empty, which nothing can match; remove the key if it should not limit anything")


def _texts(texts: Iterable[str], path: Path, report: Report) -> None:
    for i, text in enumerate(texts):
        if not text.strip():
            report.problem((*path, i), "is empty")
