"""A new configuration while the router runs: read whole, checked whole, and only then put in the place of the old one.

It is read again when its file or a predictor's file changes (looked at once a second, so that an editor's rename, a
mounted directory and a link that is moved all count), on SIGHUP, and on POST /admin/reload. What is broken replaces
nothing: the old one goes on, and /readyz, a metric and the log say so.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct, structs

from llm_inference_router.config.schema import SHIPPED_PREDICTOR, Config
from llm_inference_router.errors import ConfigError
from llm_inference_router.signals.sense import Sense
from llm_inference_router.telemetry.logs import Log
from llm_inference_router.telemetry.metrics import Metrics

LOOK_S = 1.0
_AGAIN_LOOKS = 10  # after which a configuration is tried again that failed for no fault of its own
Cause: TypeAlias = Literal["file", "signal", "request"]
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class Loaded(Struct, frozen=True):
    """A configuration that can be served, with the predictors that its routes name."""

    config: Config
    senses: Mapping[str, Sense]


class Source(Struct, frozen=True):
    """Where a configuration comes from. `read` raises ConfigError with every problem; it takes some 100 ms, so it is
    called in a thread."""

    path: Path
    read: Callable[[], Loaded]


class Reloaded(Struct, frozen=True):
    """`problems`: why the old configuration goes on; none, and the new one is served. `restart`: keys whose new value
    takes a restart, and which keep the old one until then."""

    problems: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def kept(new: Config, old: Config) -> tuple[Config, tuple[str, ...]]:
    """The new configuration with the old values of what only a start can change, and the names of those that differ."""
    fixed = {
        "server": ("host", "port", "workers", "max_connections", "drain"),
        "store": ("url",),
        "telemetry": ("log", "traces"),
    }
    restart = []
    parts: dict[str, Any] = {}
    for part, keys in fixed.items():
        mine, theirs = getattr(old, part), getattr(new, part)
        restart += [f"{part}.{key}" for key in keys if getattr(mine, key) != getattr(theirs, key)]
        parts[part] = structs.replace(theirs, **{key: getattr(mine, key) for key in keys})
    return structs.replace(new, **parts), tuple(restart)


class Reloads:
    """One at a time. `swap` puts a configuration in the place of the one that is served, in one step of the event
    loop."""

    def __init__(
        self,
        source: Source | None,
        current: Callable[[], Config],
        swap: Callable[[Loaded], None],
        metrics: Metrics,
        log: Log,
        now_ms: Callable[[], int],
        crashed: Callable[[Exception], None],
    ) -> None:
        self._source = source
        self._current = current
        self._swap = swap
        self._metrics = metrics
        self._log = log
        self._now_ms = now_ms
        self._crashed = crashed
        self._look_again = 0  # looks until a reload that failed unexpectedly is tried once more; 0: none did
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.trouble: str | None = None  # why the newest configuration is not the one that is served

    async def reload(self, cause: Cause) -> Reloaded:
        """Raises nothing about the configuration."""
        source = self._source
        if source is None:
            return Reloaded(("the configuration did not come from a file: there is nothing to read again",))
        async with self._lock:
            try:
                loaded = await asyncio.to_thread(source.read)
                config, restart = kept(loaded.config, self._current())
                self._swap(Loaded(config, loaded.senses))
            except ConfigError as error:
                return self._refused(tuple(error.problems), cause)
            except Exception as error:  # noqa: BLE001 - a full table of descriptors, a mistake of ours: the old one goes on
                self._look_again = _AGAIN_LOOKS
                self._crashed(error)
                return self._refused((f"{type(error).__name__} while it was read or put in place; see the log",), cause)
            self.trouble = None
            self._look_again = 0
            self._metrics.reloads.labels("ok").inc()
            self._log.event("config_reloaded", self._now_ms(), cause=cause, needs_restart=", ".join(restart) or None)
            return Reloaded(restart=restart)

    def soon(self, cause: Cause) -> None:
        """From a place that cannot wait, such as a signal."""
        self._spawn(self.reload(cause))

    async def watch(self) -> None:
        """Runs until it is cancelled. A change is taken up once it has stood still for a second: a file that is half
        written is not read."""
        if self._source is None:
            return
        taken = seen = await asyncio.to_thread(self._stamp)
        while True:
            await asyncio.sleep(LOOK_S)
            now = await asyncio.to_thread(self._stamp)
            if now == seen and (now != taken or self._due()):
                taken = now
                await self.reload("file")
                now = await asyncio.to_thread(self._stamp)  # another configuration may name other files
                taken = now if now[:1] == taken[:1] else taken
            seen = now

    def _due(self) -> bool:
        self._look_again = max(0, self._look_again - 1)
        return self._look_again == 1

    def _stamp(self) -> Stamp:
        assert self._source is not None
        routes = self._current().routes.values()
        files = sorted({route.predictor for route in routes if route.predictor != SHIPPED_PREDICTOR})
        return tuple(_stamp(path) for path in (self._source.path, *map(Path, files)))

    def _refused(self, problems: tuple[str, ...], cause: Cause) -> Reloaded:
        at = self._now_ms()
        self._metrics.reloads.labels("refused").inc()
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        self.trouble = f"the configuration was refused and the one before goes on: {problems[0]}{more}"
        for problem in problems:
            self._log.event("config_refused", at, cause=cause, problem=problem)
        return Reloaded(problems)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes whenever a file does; zeros where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
