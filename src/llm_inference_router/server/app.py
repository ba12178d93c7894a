"""The ASGI application: inference as raw functions, everything else through Starlette, and the life of both."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from llm_inference_router.config.schema import Config
from llm_inference_router.effects import SystemClock
from llm_inference_router.engine.observe import Observer
from llm_inference_router.engine.recall import recall
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.watch import watch
from llm_inference_router.routing.catalog import Catalog
from llm_inference_router.server.auth import Keys
from llm_inference_router.server.body import Receive
from llm_inference_router.server.chat import ChatCompletions
from llm_inference_router.server.pages import pages
from llm_inference_router.server.reply import Send
from llm_inference_router.signals.sense import Sense
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics

App: TypeAlias = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Router:
    """Mounts anywhere ASGI mounts. Opens its store and its sockets when the server starts, closes them when it ends."""

    def __init__(self, config: Config, senses: Mapping[str, Sense] | None = None) -> None:
        """`senses`: the predictors of the files that routes name, where they are loaded already."""
        self._config = config
        self._senses = senses
        self._paths: dict[str, App] = {}
        self._rest: App | None = None
        self._runtime: Runtime | None = None
        self._watch: asyncio.Task[None] | None = None
        self.metrics = Metrics()
        self.log = Log(config.telemetry.log)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            app = self._paths.get(scope["path"]) if scope["method"] == "POST" else None
            app = app or self._rest
            assert app is not None, "the lifespan must have started"
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})

    @property
    def catalog(self) -> Catalog:
        """The configuration as it is served, once the router has started."""
        assert self._runtime is not None, "the router must have started"
        return self._runtime.catalog

    async def start(self) -> None:
        """Raises StoreFault when the database cannot be opened, ConfigError for a predictor that cannot be used."""
        clock = SystemClock()
        self._store = SqliteStore.open(self._config.store.url)
        observer = Observer(self.metrics, self.log, clock.now_ms)
        runtime = self._runtime = Runtime(self._config, self._store, observer, clock, self._senses)
        await recall(runtime, self._store.path)
        keys = Keys(self._config.server.keys)
        self._paths = {"/v1/chat/completions": ChatCompletions(runtime, keys)}
        self._rest = pages(runtime, keys, self._store, self.metrics)
        self._watch = asyncio.get_running_loop().create_task(watch(runtime, self._store))

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._runtime is not None:
            await self._runtime.close()
            await self._store.close()
            self._runtime.observer.flush()

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
