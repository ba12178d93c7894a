"""Where an answer goes. The server implements it on ASGI; a test can on a list."""

from typing import Protocol

from llm_inference_router.engine.trace import Trace


class Sink(Protocol):
    """Exactly one of: `whole`, or `begin` then any number of `send` then `end`. Each waits while the client is slow."""

    async def whole(self, trace: Trace, body: bytes) -> None: ...

    async def begin(self, trace: Trace) -> None: ...

    async def send(self, frames: bytes) -> None: ...

    async def end(self, frames: bytes) -> None: ...
