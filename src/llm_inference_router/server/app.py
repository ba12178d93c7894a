"""The ASGI application: inference as raw functions, everything else through Starlette, and the life of both."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from llm_inference_router.config.schema import Config
from llm_inference_router.dialects.spoken import PATHS, SPOKEN
from llm_inference_router.effects import Clock, SystemClock
from llm_inference_router.engine.endpoints import Endpoints
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.recall import recall
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.watch import kept_up, tend, watch
from llm_inference_router.routing.catalog import Catalog
from llm_inference_router.server.auth import Keys
from llm_inference_router.server.body import Receive
from llm_inference_router.server.idempotency import Idempotency
from llm_inference_router.server.inference import Inference, Running
from llm_inference_router.server.pages import pages
from llm_inference_router.server.reload import Loaded, Reloads, Source
from llm_inference_router.server.reply import Send
from llm_inference_router.signals.sense import Sense
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics

App: TypeAlias = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
_LOOK_S = 0.1  # how often an old configuration is looked at, whether its last request has ended


class _Served(Struct, frozen=True):
    """One configuration at work. A request stays with the one it began with."""

    runtime: Runtime
    running: Running
    paths: Mapping[str, App]
    rest: App
    watch: asyncio.Task[None]


class Router:
    """Mounts anywhere ASGI mounts. Opens its store and its sockets when the server starts, closes them when it ends."""

    def __init__(
        self,
        config: Config,
        senses: Mapping[str, Sense] | None = None,
        source: Source | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`senses`: the predictors of the files that routes name, where they are loaded already. `source`: where a
        changed configuration is read from; without one the configuration stays as it is. `clock`: the system's."""
        self._config = config
        self._senses = senses
        self._source = source
        self._clock: Clock = clock or SystemClock()
        self._running = Running()
        self._served: _Served | None = None
        self._retiring: list[_Served] = []  # replaced, and not yet without a request
        self._tasks: set[asyncio.Task[None]] = set()
        self.metrics = Metrics()
        self.log = Log(config.telemetry.log)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            served = self._served
            assert served is not None, "the lifespan must have started"
            app = served.paths.get(scope["path"]) if scope["method"] == "POST" else None
            await (app or served.rest)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})

    @property
    def catalog(self) -> Catalog:
        """The configuration as it is served, once the router has started."""
        return self._runtime().catalog

    @property
    def reloads(self) -> Reloads:
        """Once the router has started."""
        return self._reloads

    async def start(self) -> None:
        """Raises StoreFault when the database cannot be opened, ConfigError for a predictor that cannot be used."""
        self._store = SqliteStore.open(self._config.store.url)
        self._idempotency = Idempotency(self._store, self._clock)
        self._observer = Observer(self.metrics, self.log, self._clock.now_ms)
        tell = (self.metrics, self.log, self._clock.now_ms, self._observer.crashed)
        self._reloads = Reloads(self._source, self._current, self._swap, *tell)
        runtime = Runtime(self._config, self._store, self._observer, self._clock, self._senses)
        await recall(runtime, self._store.path)
        self._served = self._serve(runtime)
        self._spawn(tend(self._observer, self._store, self._runtime))
        self._spawn(kept_up(self._observer, self._reloads.watch))

    async def stop(self) -> None:
        served = self._served
        if served is None:
            return
        for task in (*self._tasks, served.watch):
            task.cancel()
        await asyncio.wait([*self._tasks, served.watch])
        for one in (*self._retiring, served):
            await one.runtime.close()
        await self._store.close()
        self._observer.flush()

    def _runtime(self) -> Runtime:
        assert self._served is not None, "the router must have started"
        return self._served.runtime

    def _current(self) -> Config:
        return self._runtime().config

    def _at_work(self) -> list[Endpoints]:
        """Of every configuration that still answers a request, the newest last."""
        return [*(old.runtime.endpoints for old in self._retiring), self._runtime().endpoints]

    def _swap(self, loaded: Loaded) -> None:
        """Raises ConfigError where the new one cannot be served; then nothing has changed."""
        old = self._served
        assert old is not None, "the router must have started"
        runtime = Runtime(loaded.config, self._store, self._observer, self._clock, loaded.senses, old.runtime)
        self._served = self._serve(runtime)
        old.watch.cancel()
        self._retiring.append(old)
        self._spawn(self._retire(old))

    def _serve(self, runtime: Runtime) -> _Served:
        keys = Keys(runtime.config.server.keys)
        running = Running()
        rest = pages(runtime, keys, self._store, self.metrics, self._reloads, self._at_work, self._running.arriving)
        task = asyncio.get_running_loop().create_task(watch(runtime))
        paths = {
            path: Inference(SPOKEN[name], runtime, keys, self._idempotency, self._running, running)
            for path, name in PATHS.items()
        }
        return _Served(runtime, running, paths, rest, task)

    async def _retire(self, old: _Served) -> None:
        """Closes the sockets of an old configuration when its last request has ended, and gives back what it took."""
        while old.running.count:  # noqa: ASYNC110 - the hot path must not pay for an event
            await asyncio.sleep(_LOOK_S)
        self._retiring.remove(old)
        await old.runtime.close()
        del old
        gc.collect()  # it refers to itself, and the collector seldom looks (server.listen); a few milliseconds

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:  # noqa: BLE001 - ASGI's way to fail a start: the server prints it and exits
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})
