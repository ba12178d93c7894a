"""Where an answer goes. The server implements it on ASGI; a test can on a list."""

from typing import Protocol

from llm_inference_router.engine.trace import Trace


class Sink(Protocol):
    """Exactly one of: `whole`, or `begin` then any number of `send` and `write` then `end`. Those that are awaited wait
    while the client is slow.
    """

    async def whole(self, trace: Trace, body: bytes) -> None: ...

    async def begin(self, trace: Trace) -> None: ...

    async def send(self, frames: bytes) -> None: ...

    def write(self, frames: bytes) -> bool:
        """Sends at once or, where that cannot be (the client is slow, the server offers no way), not at all: False."""
        ...

    async def end(self, frames: bytes) -> None: ...
