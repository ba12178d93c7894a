"""Runs the application on uvicorn: the socket, the signals, the limits on connections, the drain."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from llm_inference_router.config.schema import Server
from llm_inference_router.server.app import Router
from llm_inference_router.server.crowd import Crowd
from llm_inference_router.server.protocol import Protocol, sweep

_SWITCH_INTERVAL_S = 0.0005  # the record writer is a thread: on a busy loop it waits this long for the GIL, not 5 ms
_KEEP_ALIVE_S = 75
_BACKLOG = 2048
_GC_THRESHOLD = 20_000


class _Server(uvicorn.Server):
    """uvicorn raises the signal again after a graceful end; a drained router ends with 0 instead."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, self.handle_exit)
        yield


def bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises OSError with a message that says what is in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def serve(router: Router, settings: Server, listener: socket.socket, ready: Callable[[], None]) -> bool:
    """Serves until SIGTERM or SIGINT, then lets running answers finish within `drain`. False: it never started."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    protocol = type("Bounded", (Protocol,), {"max_connections": settings.max_connections, "crowd": Crowd()})
    config = uvicorn.Config(
        router,
        http=protocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here reads the client address, and every request would pay for it
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain)),
    )
    server = _Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_run(server, listener, router, ready))
    return server.started


async def _run(server: _Server, listener: socket.socket, router: Router, ready: Callable[[], None]) -> None:
    def hang_up() -> None:
        if server.started:
            router.reloads.soon("signal")

    task = asyncio.create_task(sweep(server.server_state.connections, router.metrics.closed))
    announce = asyncio.create_task(_announce(server, ready))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
    try:
        await server.serve(sockets=[listener])
    finally:
        for one in (task, announce):
            one.cancel()


async def _announce(server: _Server, ready: Callable[[], None]) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag, not an event
        await asyncio.sleep(0.01)
    # What is loaded by now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    ready()
