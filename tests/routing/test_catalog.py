"""The configuration is worked out once, and what cannot be worked out is refused with its place."""

import pytest

from llm_inference_router.config import schema
from llm_inference_router.errors import ConfigError
from llm_inference_router.routing.catalog import compile_catalog, strongest
from llm_inference_router.signals.sense import shipped
from llm_inference_router.types import Price
from tests.routing.build import model, snapshot

SMALL = model("small", price=Price(1, 1))
LARGE = model("large", "large", price=Price(5, 10))
DEARER = model("dearer", "large", price=Price(5, 11))


def route(*models: str) -> schema.Route:
    return schema.Route(models=models)


@pytest.mark.parametrize(
    ("models", "best"),
    [
        ((SMALL, LARGE, DEARER), "dearer"),
        ((LARGE, SMALL), "large"),
        ((model("dear small", price=Price(99, 99)), LARGE), "large"),
        ((model("one"), model("two")), "one"),
    ],
)
def test_the_strongest_is_the_dearest_of_the_highest_tier(models: tuple[schema.ModelConfig, ...], best: str) -> None:
    assert strongest(models).name == best  # type: ignore[arg-type]


def test_a_route_has_its_models_rules_and_baseline() -> None:
    rules = (
        schema.Rule(name="everywhere", use=schema.Constraint()),
        schema.Rule(name="here", when=schema.When(routes=("here",)), use=schema.Constraint()),
        schema.Rule(name="there", when=schema.When(routes=("there",)), use=schema.Constraint()),
    )
    routes = {"here": route("large", "small"), "there": route("small")}
    catalog = snapshot((SMALL, LARGE), routes=routes, rules=rules).catalog
    here = catalog.routes["here"]
    assert [one.name for one in here.models] == ["large", "small"]
    assert [one.name for one in here.rules] == ["everywhere", "here"]
    assert here.baseline == "large"
    assert catalog.routes["there"].baseline == "small"


def test_names_are_routes_then_models_and_a_route_shadows_a_model() -> None:
    catalog = snapshot((SMALL, LARGE), routes={"auto": route("small"), "large": route("small", "large")}).catalog
    assert catalog.visible(None) == ("auto", "large", "small")
    assert not catalog.choices["large"].pinned
    assert catalog.choices["small"].pinned


def test_a_key_sees_only_the_names_it_may_ask_for() -> None:
    keys = (
        schema.Key(name="one", key=schema.Secret("x"), routes=("auto", "large")),
        schema.Key(name="all", key=schema.Secret("y")),
    )
    catalog = snapshot((SMALL, LARGE), keys=keys).catalog
    assert catalog.visible(("auto", "large")) == ("auto", "large")
    assert catalog.visible(None) == ("auto", "small", "large")
    assert catalog.visible(()) == ()


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    config = schema.Config(
        models=(),
        routes={"auto": route("small", "nobody"), "empty": route()},
        rules=(
            schema.Rule(name="fine", use=schema.Constraint()),
            schema.Rule(name="broken", when=schema.When(pattern="("), use=schema.Constraint()),
        ),
    )
    with pytest.raises(ConfigError) as error:
        compile_catalog(config, (SMALL,))
    places = [problem.split(" ")[0].rstrip(":") for problem in error.value.problems]
    assert places == ["rules[1]", "routes.auto.models", "routes.empty.models"]


def test_a_predictor_that_was_not_loaded_is_no_shipped_one() -> None:
    config = schema.Config(models=(), routes={"auto": schema.Route(models=("small",), predictor="mine.model")})
    with pytest.raises(ConfigError, match=r"routes\.auto\.predictor: mine\.model was not loaded"):
        compile_catalog(config, (SMALL,))
    catalog = compile_catalog(config, (SMALL,), {"mine.model": shipped()})
    assert catalog.routes["auto"].sense is shipped()
