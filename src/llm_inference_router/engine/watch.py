"""What the engine does by the clock: asks local servers how they are, flushes metrics and log, prunes old records."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from llm_inference_router.backends.base import Call
from llm_inference_router.config.schema import Config, Health, ModelConfig
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import forget
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.transport.base import TransportFault
from llm_inference_router.types import Endpoint, Model

_FLUSH_S = 0.2
_PRUNE_S = 3600.0
_SOON_S = 2.0  # after the start: a router that is started again every hour prunes as well
_KEYS_MS = 24 * 3_600_000  # how long an idempotency key is known
_PROBE_TIMEOUT_S = 5.0
_AGAIN_S = 1.0
_ANSWER_BYTES = 4 * 1024 * 1024


class Probe(Struct, frozen=True):
    """Asks one endpoint for `path` every so many seconds; any answer below 500 is a sign of life."""

    model: Model
    endpoint: Endpoint
    path: str
    every: float


def probes(config: Config, models: dict[str, Model]) -> Iterator[Probe]:
    """Local servers are asked by default, cloud ones where the configuration says so; simulated models need none."""
    for settings in config.models:
        health = _health(settings)
        if health is None:
            continue
        model = models[settings.name]
        for endpoint in model.endpoints:
            parts = urlsplit(endpoint.url)
            path = health.path or parts.path.rstrip("/") + "/models"
            origin = Endpoint(endpoint.id, f"{parts.scheme}://{parts.netloc}", endpoint.private)
            yield Probe(model, origin, path, float(health.every))


def _health(model: ModelConfig) -> Health | None:
    if model.backend == "simulated" or model.health == "none":
        return None
    if isinstance(model.health, Health):
        return model.health
    return Health() if model.location == "local" else None


async def probe(runtime: Runtime, one: Probe) -> bool:
    """Whether the endpoint answers. A reset is asked about again: it may have been of a connection that was kept for
    too long."""
    verdict = await _asked(runtime, one)
    if verdict == "reset":
        verdict = await _asked(runtime, one)
    return verdict == "ok"


async def _asked(runtime: Runtime, one: Probe) -> str:
    """The kind of fault, or `ok`."""
    call = Call(path=one.path, body=b"", method="GET")
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            response = await runtime.transport(one.model).send(call, one.model, one.endpoint)
            try:
                await response.read(_ANSWER_BYTES)
            finally:
                response.close()
    except TransportFault as error:
        return error.fault.kind
    except TimeoutError:
        return "timeout.total"
    return "ok" if response.status < 500 else "status"


async def _keep_probing(runtime: Runtime, one: Probe) -> None:
    while True:
        healthy = await probe(runtime, one)
        runtime.endpoints.probed(one.endpoint, healthy, runtime.clock.monotonic())
        await asyncio.sleep(one.every * (0.9 + 0.2 * runtime.random.random()))


async def _keep_flushing(observer: Observer) -> None:
    while True:
        await asyncio.sleep(_FLUSH_S)
        observer.flush()


async def _keep_pruning(current: Callable[[], Runtime], store: SqliteStore) -> None:
    await asyncio.sleep(_SOON_S)
    while True:
        await _prune(current(), store)
        await asyncio.sleep(_PRUNE_S)


async def _prune(runtime: Runtime, store: SqliteStore) -> None:
    try:
        await store.prune(runtime.clock.now_ms() - int(runtime.config.store.retain * 1000))
        await store.perform(partial(forget, before=runtime.clock.now_ms() - _KEYS_MS))
    except StoreFault as error:
        runtime.observer.crashed(error)


async def kept_up(observer: Observer, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Work without an end, until it is cancelled: a mistake in it is told, and it begins again."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - what keeps log, probes and records going must not die unseen
            observer.crashed(error)
        else:
            return
        await asyncio.sleep(_AGAIN_S)


async def tend(observer: Observer, store: SqliteStore, current: Callable[[], Runtime]) -> None:
    """What goes on whatever is reloaded; `current` is what is served now. Runs until it is cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept_up(observer, lambda: _keep_flushing(observer)))
        tasks.create_task(kept_up(observer, lambda: _keep_pruning(current, store)))


async def watch(runtime: Runtime) -> None:
    """Asks the servers of one configuration how they are. Runs until it is cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for one in probes(runtime.config, dict(runtime.catalog.models)):
            tasks.create_task(kept_up(runtime.observer, partial(_keep_probing, runtime, one)))
