"""Where an answer goes, and who is told how its request ended. The server implements it on ASGI; a test can on a
list."""

from typing import Protocol

from llm_inference_router.engine.trace import Trace
from llm_inference_router.store.idempotency import Ending


class Sink(Protocol):
    """Exactly one of: `whole`, or `begin` then any number of `send` and `write` then `end`. Those that are awaited wait
    while the client is slow.
    """

    @property
    def crowded(self) -> bool:
        """Whether its request came with many others, so that each lets the others catch up between its steps."""
        ...

    async def whole(self, trace: Trace, body: bytes) -> None: ...

    async def begin(self, trace: Trace) -> None: ...

    async def send(self, frames: bytes) -> None: ...

    def write(self, frames: bytes) -> bool:
        """Sends at once or, where that cannot be (the client is slow, the server offers no way), not at all: False."""
        ...

    async def end(self, frames: bytes) -> None: ...


class Once(Protocol):
    """Of a request with an idempotency key: asked just before its record is written, what is written as one with it."""

    def answered(self, trace: Trace, body: bytes | None, last: bytes) -> Ending:
        """`body`: the whole answer; None: a stream, whose last bytes are `last`. Either is sent afterwards."""
        ...

    def failed(self) -> Ending:
        """The client is told that there is no answer."""
        ...

    def cut(self, trace: Trace) -> Ending:
        """The client left, or the router is stopping."""
        ...
