"""Models, snapshots and requests for the tests of routing, with defaults for what a test does not say."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from llm_inference_router.config import schema
from llm_inference_router.routing.ask import Ask
from llm_inference_router.routing.catalog import compile_catalog, panel
from llm_inference_router.routing.decide import Live, Snapshot
from llm_inference_router.routing.predict import qualities
from llm_inference_router.signals.sense import shipped
from llm_inference_router.types import (
    Caller,
    Complexity,
    Message,
    Model,
    Parts,
    Price,
    Quality,
    Quantiles,
    Signals,
    Task,
)
from llm_inference_router.vocabulary import Capability, Format, TaskLabel

NOON = 1_768_478_400_000  # 2026-01-15T12:00:00Z


def quality(one: Model, complexity: float) -> Quality:
    """What a model is expected to be worth at a complexity, nothing else being known of the request."""
    sense = shipped()
    return qualities(panel(sense, (one,)), sense, signals(complexity=complexity))[one.name]


def model(name: str, tier: Any = "small", **fields: Any) -> Model:
    defaults: dict[str, Any] = {
        "backend": "simulated",
        "upstream_model": name,
        "endpoints": (),
        "location": "cloud",
        "region": "",
        "context": 128_000,
        "max_output": None,
        "price": Price(),
        "capabilities": frozenset(),
    }
    return Model(name=name, tier=tier, **(defaults | fields))


def signals(
    *,
    complexity: float = 0.5,
    prompt_tokens: int = 100,
    output: int = 200,
    task: TaskLabel = "chat",
    language: str = "en",
    needs: frozenset[Capability] = frozenset(),
    format: Format = "free",  # noqa: A002 - the field's own name
) -> Signals:
    band: Any = "light" if complexity < 0.35 else "medium" if complexity < 0.70 else "heavy"
    return Signals(
        prompt_tokens=prompt_tokens,
        output_tokens=Quantiles(output, 3 * output),
        complexity=Complexity(complexity, band, Parts(0.1, 0.2, 0.3, 0.4, 0.5)),
        task=Task(task, {task: 1.0}),
        format=format,
        language=language,
        modalities=("text",),
        needs=needs,
    )


def ask(text: str = "", *, measured: Signals | None = None, **fields: Any) -> Ask:
    defaults: dict[str, Any] = {
        "id": "0199-decision",
        "request_id": "req_1",
        "at": NOON,
        "model": "auto",
        "caller": Caller(),
        "messages": (Message("user", text),),
    }
    return Ask(ask=text, signals=measured or signals(), **(defaults | fields))


def snapshot(
    models: tuple[Model, ...],
    *,
    policy: schema.PolicyConfig | None = None,
    rules: tuple[schema.Rule, ...] = (),
    resting: frozenset[str] = frozenset(),
    live: Mapping[str, Live] | None = None,
    routes: dict[str, schema.Route] | None = None,
    keys: tuple[schema.Key, ...] = (),
) -> Snapshot:
    """Route `auto` over all models unless routes are given."""
    policy = schema.CheapestAboveBar() if policy is None else policy
    if routes is None:
        routes = {"auto": schema.Route(models=tuple(one.name for one in models), policy=policy)}
    config = schema.Config(models=(), routes=routes, rules=rules, server=schema.Server(keys=keys))
    return Snapshot(compile_catalog(config, models), resting, live or {})


# --- for laws -----------------------------------------------------------------------------------------------

CAPABILITIES: tuple[Capability, ...] = ("tools", "json_schema", "vision")
_NAMES = [f"m{number}" for number in range(8)]


def names() -> st.SearchStrategy[str]:
    return st.sampled_from(_NAMES)


def models(minimum: int = 1) -> st.SearchStrategy[tuple[Model, ...]]:
    one = st.builds(
        model,
        names(),
        st.sampled_from(["small", "medium", "large"]),
        location=st.sampled_from(["local", "cloud"]),
        region=st.sampled_from(["", "eu", "us"]),
        context=st.sampled_from([1_000, 8_192, 128_000]),
        max_output=st.sampled_from([None, 50, 4_096]),
        price=st.builds(Price, st.integers(0, 20_000_000), st.integers(0, 80_000_000)),
        capabilities=st.frozensets(st.sampled_from(CAPABILITIES)),
    )
    return st.lists(one, min_size=minimum, max_size=8, unique_by=lambda found: found.name).map(tuple)


def policies(names_in_use: list[str]) -> st.SearchStrategy[schema.PolicyConfig]:
    share = st.floats(0, 1).map(lambda value: round(value, 3))
    target = st.sampled_from(names_in_use)
    bands = st.tuples(share, share).map(lambda pair: (min(pair), max(pair)))
    return st.one_of(
        st.builds(schema.Fixed),
        st.builds(schema.CheapestAboveBar, bar=share),
        st.builds(schema.ByComplexity, light=target, medium=target, heavy=target, bands=bands),
        st.builds(schema.Utility, cost_weight=st.floats(0, 1000), latency_weight=st.floats(0, 1)),
    )


def constraints() -> st.SearchStrategy[schema.Constraint]:
    tier = st.none() | st.sampled_from(["small", "medium", "large"])
    return st.builds(
        schema.Constraint,
        models=st.none() | st.lists(names(), max_size=5).map(tuple),
        tier=tier,
        min_tier=tier,
        max_tier=tier,
        location=st.none() | st.sampled_from(["local", "cloud"]),
        region=st.none() | st.sampled_from(["eu", "us"]),
        bar=st.none() | st.floats(0, 1),
    )


def asks() -> st.SearchStrategy[Ask]:
    measured = st.builds(
        signals,
        complexity=st.floats(0, 1),
        prompt_tokens=st.integers(0, 10_000),
        output=st.integers(1, 3_000),
        needs=st.frozensets(st.sampled_from(CAPABILITIES), max_size=1),
    )
    return st.builds(
        ask,
        st.just("hello"),
        measured=measured,
        max_tokens=st.none() | st.integers(1, 5_000),
        quality=st.none() | st.floats(0, 1),
        max_cost=st.none() | st.integers(0, 10**11),
        choices=st.integers(1, 3),
    )


def lives() -> st.SearchStrategy[dict[str, Live]]:
    live = st.builds(Live, st.floats(1, 60_000), st.floats(0.1, 1_000), st.integers(0, 1_000))
    return st.dictionaries(names(), live)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Ask, Snapshot]:
    """A request and a snapshot of any policy, with or without a rule, resting models and live figures."""
    listed = draw(models())
    rule = draw(st.none() | constraints())
    rules = () if rule is None else (schema.Rule(name="some", use=rule),)
    resting = draw(st.frozensets(names(), max_size=3))
    policy = draw(policies([one.name for one in listed]))
    return draw(asks()), snapshot(listed, policy=policy, rules=rules, resting=resting, live=draw(lives()))
