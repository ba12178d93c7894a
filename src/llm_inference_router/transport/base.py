"""The one interface through which upstream bytes come: sockets and the simulated models behave alike behind it."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeAlias

from llm_inference_router.backends.base import Call
from llm_inference_router.types import Endpoint, Fault, Model

Take: TypeAlias = Callable[[bytes], bool]
"""Takes the next bytes of a body, at once; False: enough for now."""


def unheard() -> None:
    """For whom it makes no difference whether anything was sent."""


class TransportFault(Exception):
    """A try failed below HTTP: no connection, a reset, a broken header, a limit passed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Response(Protocol):
    """An answer whose head has arrived. Close it, whatever happens: that is what frees the upstream."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises TransportFault when it breaks or passes `limit` bytes."""
        ...

    def pump(self, take: Take) -> Coroutine[Any, Any, bool]:
        """Gives the body to `take` as it arrives, until that answers False or the body has ended. True: more may come.

        `take` is called where the bytes come in, without waking anybody, and what it raises is raised here. While
        nobody pumps, bytes wait within bounds, and beyond them the upstream does. Raises TransportFault when the body
        breaks.
        """
        ...

    def close(self, finished: bool = False) -> None:
        """Frees the connection: for the next request after a complete body, closed at once otherwise, which tells the
        upstream to stop. `finished`: the answer is complete though its body's end has not been read.
        """
        ...

    def discard(self) -> None:
        """Closes the connection, also after a complete body: what it said was not, so its sender is not well."""
        ...


class Transport(Protocol):
    async def send(self, call: Call, model: Model, endpoint: Endpoint, sent: Callable[[], None] = unheard) -> Response:
        """Waits for the answer's head. `sent` is called when there is a connection and the request goes out on it.

        Raises TransportFault when no head of an answer arrives.
        """
        ...

    async def close(self) -> None: ...
