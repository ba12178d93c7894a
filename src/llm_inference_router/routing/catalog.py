"""The configuration as decisions use it, worked out once: routes with their models, rules, policies and
baselines.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct, structs

from llm_inference_router.config.schema import SHIPPED_PREDICTOR, Config, Route
from llm_inference_router.errors import ConfigError
from llm_inference_router.learning.artefact import Named
from llm_inference_router.learning.loading import Panel
from llm_inference_router.routing.evidence import Evidence, evidence_of
from llm_inference_router.routing.hull import Hull, hull_of
from llm_inference_router.routing.policy import compile_policy
from llm_inference_router.routing.rules import CompiledRule, compile_rule
from llm_inference_router.signals.sense import Sense, shipped
from llm_inference_router.types import Model, PolicyUsed
from llm_inference_router.vocabulary import TIERS


class Choice(Struct, frozen=True):
    """What a requested name stands for: a route's models, or the one model of that name (`pinned`)."""

    name: str
    models: tuple[Model, ...]
    policy: PolicyUsed
    rules: tuple[CompiledRule, ...]  # those that apply to this route, in the config's order
    baseline: str
    sense: Sense  # what the route's requests are seen through
    panel: Panel  # what its models are expected to be worth
    evidence: Evidence  # and what that rests on
    hull: Hull | None = None  # where the first choice stays on it
    pinned: bool = False


class Catalog(Struct, frozen=True):
    """`choices`: every name a client may ask for, routes first."""

    models: Mapping[str, Model]
    routes: Mapping[str, Choice]
    rules: tuple[CompiledRule, ...]
    choices: Mapping[str, Choice]

    def visible(self, permitted: Sequence[str] | None) -> tuple[str, ...]:
        """The names of routes and models that these permissions let a caller ask for; None permits all."""
        if permitted is None:
            return tuple(self.choices)
        return tuple(name for name in self.choices if name in permitted)


def compile_catalog(
    config: Config, models: tuple[Model, ...], predictors: Mapping[str, Sense] = MappingProxyType({})
) -> Catalog:
    """`predictors`: those of the files that routes name; the shipped one serves every other route.

    Raises ConfigError for what only compiling can find: unreadable hours or patterns, models that do not
    exist, files that were not loaded.
    """
    problems: list[str] = []
    by_name = {model.name: model for model in models}
    rules: list[CompiledRule] = []
    for number, rule in enumerate(config.rules):
        try:
            rules.append(compile_rule(rule, models))
        except ValueError as error:
            problems.append(f"rules[{number}] ({rule.name}): {error}")
    for name, route in config.routes.items():
        missing = [model for model in route.models if model not in by_name]
        problems += [f'routes.{name}.models: there is no model "{model}"' for model in missing]
        if not route.models:
            problems.append(f"routes.{name}.models: a route needs at least one model")
        if route.predictor not in (SHIPPED_PREDICTOR, *predictors):
            problems.append(f"routes.{name}.predictor: {route.predictor} was not loaded")
    if problems:
        raise ConfigError(problems)
    routes = {
        name: _route(
            name,
            route,
            tuple(by_name[model] for model in dict.fromkeys(route.models)),
            tuple(rule for rule in rules if rule.routes is None or name in rule.routes),
            shipped() if route.predictor == SHIPPED_PREDICTOR else predictors[route.predictor],
        )
        for name, route in config.routes.items()
    }
    pins = {model.name: _pin(model) for model in models}
    return Catalog(
        models=MappingProxyType(by_name),
        routes=MappingProxyType(routes),
        rules=tuple(rules),
        choices=MappingProxyType(routes | {name: pin for name, pin in pins.items() if name not in routes}),
    )


def strongest(models: Sequence[Model]) -> Model:
    """The highest tier; of a tier the dearest (input and output price added); of equals the first listed."""
    return max(models, key=lambda model: (TIERS.index(model.tier), model.price.input + model.price.output))


def panel(sense: Sense, models: Sequence[Model]) -> Panel:
    """The models side by side."""
    return sense.artefact.panel(_named(models))


def _named(models: Sequence[Model]) -> dict[str, Named]:
    return {model.name: named_of(model) for model in models}


def named_of(model: Model) -> Named:
    """How a predictor may know a model. A simulated one is known by its tier alone, whatever it is called."""
    return Named(() if model.simulated else (model.upstream_model, model.name), model.tier)


def _route(
    name: str, config: Route, models: tuple[Model, ...], rules: tuple[CompiledRule, ...], sense: Sense
) -> Choice:
    policy = compile_policy(config.policy)
    # Models that embed answer nothing else: they have no quality, beat nobody and are nobody's baseline.
    talking = tuple(model for model in models if "embeddings" not in model.capabilities) or models
    seen = panel(sense, talking)
    evidence = evidence_of(sense.artefact, _named(talking), seen, None)
    hull = None
    if policy.kind == "cheapest_above_bar" and not evidence.owned:
        hull = hull_of(talking, seen, sense.lens)
        evidence = structs.replace(evidence, beaten=hull.beaten(seen.names))
    return Choice(name, models, policy, rules, strongest(talking).name, sense, seen, evidence, hull)


def _pin(model: Model) -> Choice:
    sense = shipped()
    policy, seen = PolicyUsed("pinned"), panel(sense, (model,))
    evidence = evidence_of(sense.artefact, _named((model,)), seen, None, pinned=True)
    return Choice(model.name, (model,), policy, (), model.name, sense, seen, evidence, pinned=True)
