"""Everything that one loaded configuration needs while it serves."""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from llm_inference_router.backends.base import Backend
from llm_inference_router.backends.registry import backend
from llm_inference_router.config.models import catalogue
from llm_inference_router.config.scalars import duration
from llm_inference_router.config.schema import Config, ModelConfig, Retry, Route
from llm_inference_router.config.yaml import Scalar
from llm_inference_router.effects import Clock
from llm_inference_router.engine.endpoints import Endpoints
from llm_inference_router.engine.live import LiveFigures
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.predictors import predictors
from llm_inference_router.resilience.breaker import Breaker
from llm_inference_router.resilience.plan import Plan
from llm_inference_router.resilience.retry import RetryBudget
from llm_inference_router.routing.catalog import compile_catalog
from llm_inference_router.routing.decide import Snapshot
from llm_inference_router.signals.sense import Sense
from llm_inference_router.store.base import Store
from llm_inference_router.transport.base import Transport
from llm_inference_router.transport.http import HttpTransport
from llm_inference_router.transport.simulated import SimulatedTransport
from llm_inference_router.types import Decision, Message, Model

_CLOSE_S = 5.0
_PINNED = Retry()
_SNAPSHOT_S = 0.5  # how old the live figures and resting models of a decision may be


class Runtime:
    """Owns the catalog, the state of endpoints, the transports and the current snapshot. Made inside the event loop.

    `senses`: the predictors of the files that routes name, where they are loaded already. `before`: the runtime that
    this one takes over from; what it knows of endpoints, paces, lengths and spent retries still holds. Raises
    ConfigError for a file that cannot be used.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        observer: Observer,
        clock: Clock,
        senses: Mapping[str, Sense] | None = None,
        before: "Runtime | None" = None,
    ) -> None:
        self.config = config
        self.store = store
        self.observer = observer
        self.clock = clock
        models = catalogue(config)
        settings = {m.name: m for m in config.models}
        self.catalog = compile_catalog(config, models, predictors(config) if senses is None else senses)
        self.backends: Mapping[str, Backend] = {m.name: backend(m.backend) for m in models}
        breakers = {e.id: _breaker(settings[m.name]) for m in models for e in m.endpoints}
        credentials = _credentials(config, self.backends)
        self.endpoints: Endpoints = Endpoints(models, breakers, before.endpoints if before else None, credentials)
        self.live: LiveFigures = LiveFigures(self.catalog.models, before.live if before else None)
        self.random = random.Random()
        self._budgets = _budgets(config, before)
        self._pinned_budget: RetryBudget = before._pinned_budget if before else RetryBudget(_PINNED.budget)
        http = HttpTransport(credentials)
        simulated = SimulatedTransport()
        self._transports: tuple[Transport, ...] = (http, simulated)
        self._transport: Mapping[str, Transport] = {m.name: simulated if m.simulated else http for m in models}
        self._tasks: set[asyncio.Task[None]] = set()
        self._content = {name: _kept(route, config) for name, route in config.routes.items()}
        self._hedges = {name: _patience(route.retry.hedge) for name, route in config.routes.items()}
        self._snapshot = Snapshot(catalog=self.catalog)
        self._snapshot_at = -1.0

    def transport(self, model: Model) -> Transport:
        return self._transport[model.name]

    def snapshot(self) -> Snapshot:
        """What a decision may know of the moment; a new value twice a second, never changed in place."""
        now = self.clock.monotonic()
        if now - self._snapshot_at > _SNAPSHOT_S:
            resting = self.endpoints.resting(now)
            self._snapshot = Snapshot(
                catalog=self.catalog,
                resting=resting,
                limited=self.endpoints.limited(resting),
                live=self.live.figures(),
                retry_after_s=max(1.0, self.endpoints.rests_for(resting, now)),
            )
            self._snapshot_at = now
        return self._snapshot

    def forget_snapshot(self) -> None:
        """An endpoint failed or came back: the next decision looks again."""
        self._snapshot_at = -1.0

    def plan(self, decision: Decision, messages: Sequence[Message]) -> Plan:
        route = self.config.routes.get(decision.route)
        budget = self._budgets.get(decision.route, self._pinned_budget)
        budget.earn()
        models = self.catalog.models
        chain = [models[name] for name in decision.chain]
        now = self.clock.monotonic()
        return Plan(
            chain,
            attempts=(route.retry if route else _PINNED).attempts,
            choose=lambda model, excluded: self.endpoints.choose(model, excluded, messages, self.clock.monotonic()),
            spend=budget.spend,
            random=self.random.random,
            deadline=now + chain[0].timeouts.total,
        )

    def keeps_content(self, route: str) -> bool:
        """Whether prompts and answers of this route are stored; a pinned model follows the store's own setting."""
        return self._content.get(route, self.config.store.content)

    def keeps_any_content(self) -> bool:
        return self.config.store.content or any(self._content.values())

    def hedge(self, route: str) -> float | None:
        """After how many seconds of silence a second try is sent beside the first; None: never."""
        return self._hedges.get(route)

    def continues(self, route: str) -> bool:
        """Whether another model may finish an answer that broke; not where a model was pinned."""
        found = self.config.routes.get(route)
        return found is not None and found.on_cut_stream == "continue"

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs on after its request has gone; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for transport in self._transports:
            await transport.close()


def _budgets(config: Config, before: Runtime | None) -> dict[str, RetryBudget]:
    """A route whose share has not changed keeps what it has left."""
    return {
        name: before._budgets[name]
        if before is not None
        and name in before._budgets
        and before.config.routes[name].retry.budget == route.retry.budget
        else RetryBudget(route.retry.budget)
        for name, route in config.routes.items()
    }


def _breaker(model: ModelConfig) -> Breaker | None:
    settings = model.breaker
    return None if settings == "none" else Breaker(settings.failures, settings.window, settings.open)


def _patience(hedge: str) -> float | None:
    return None if hedge == "none" else float(duration(Scalar(hedge, True, 0)))


def _kept(route: Route, config: Config) -> bool:
    return config.store.content if route.content is None else route.content


def _credentials(config: Config, backends: Mapping[str, Backend]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {m.name: backends[m.name].auth(str(m.api_key)) for m in config.models if m.api_key}
