"""What a config may say already but this version does not act on yet.

`serve` refuses a config that uses any of it, because doing less than the owner wrote (a budget that does
not stop, a prompt that is not redacted) must never pass unnoticed. A key left at its default is no use of
it.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from llm_inference_router.config.schema import CheapestAboveBar, Config, Limits, ModelConfig, Privacy, Route


class Later(Struct, frozen=True):
    """`uses` yields the places of a config that need it; `sentence` says what is missing."""

    uses: Callable[[Config], Iterable[str]]
    sentence: str


def not_available(config: Config) -> list[str]:
    """One line for each place that asks for what this version does not do; empty when it can be served."""
    return [f"not available yet: {key}: {later.sentence}" for later in _LATER for key in later.uses(config)]


def _whole(key: str, used: Callable[[Config], bool]) -> Callable[[Config], Iterable[str]]:
    return lambda config: [key] if used(config) else []


def _routes(key: str, used: Callable[[Route], bool]) -> Callable[[Config], Iterable[str]]:
    return lambda config: [f"routes.{name}.{key}" for name, route in config.routes.items() if used(route)]


def _models(key: str, used: Callable[[ModelConfig], bool]) -> Callable[[Config], Iterable[str]]:
    return lambda config: [f"models.{model.name}.{key}" for model in config.models if used(model)]


def _guarantees(config: Config) -> Iterator[str]:
    policies = [(f"routes.{name}.policy", route.policy) for name, route in config.routes.items()]
    for place, policy in policies:
        if isinstance(policy, CheapestAboveBar) and policy.guarantee is not None:
            yield f"{place}.guarantee"


_LATER = (
    Later(_whole("budgets", lambda config: bool(config.budgets)), "no spending is counted or limited"),
    Later(_whole("experiments", lambda config: bool(config.experiments)), "no traffic is split"),
    Later(
        _whole("privacy", lambda config: config.privacy != Privacy()),
        "nothing is detected, kept local or redacted",
    ),
    Later(_guarantees, "the bar is not checked against feedback"),
    Later(_routes("explore", lambda route: route.explore > 0), "no other models are tried in order to learn"),
    Later(
        _routes("session", lambda route: route.session.stickiness != "none"),
        "every request is routed by itself",
    ),
    Later(_models("limits", lambda model: model.limits != Limits()), "no upstream limits are kept"),
    Later(_whole("server.workers", lambda config: config.server.workers > 1), "there is one process"),
    Later(
        _whole("store.url", lambda config: config.store.url.startswith(("postgresql:", "postgres:"))),
        "records go to SQLite only",
    ),
    Later(_whole("telemetry.traces", lambda config: bool(config.telemetry.traces)), "no traces are exported"),
)
