"""Where an upstream may be. Who answers for a name may change the answer, so it is judged by the addresses that it
resolves to, each time a connection is made.

    addresses that tell a machine its credentials      never, whatever the configuration says
    this machine and private networks                  for local models, and endpoints with `private: true`
    the public internet                                always

A host that is written as an address, or as localhost, is where the operator put it; the first line holds for it too.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from llm_inference_router.config.address import is_metadata, is_private, reached, written
from llm_inference_router.transport.base import TransportFault
from llm_inference_router.types import Fault

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, best first. Raises socket.gaierror or UnicodeError for a name that has none."""

CODE = "egress_refused"
_METADATA = Fault("connect", "the upstream is at a cloud metadata address: refused", code=CODE)
_PRIVATE = Fault(
    "connect",
    "the name of a cloud model resolves to a private address: refused; if it is yours, say `private: true` there",
    code=CODE,
)


async def resolve(host: str, port: int) -> Sequence[str]:
    """As the machine resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def admitted(host: str, addresses: Sequence[str], private: bool) -> Sequence[str]:
    """Those of the addresses of a host that may be connected to, at least one. `private`: not only public ones.

    Raises TransportFault where there is none: kind `connect`, code `egress_refused`.
    """
    secret = [is_metadata(reached(address)) for address in addresses]
    if all(secret):
        raise TransportFault(_METADATA)
    good = [address for address, refused in zip(addresses, secret, strict=True) if not refused]
    if private or written(host):
        return good
    good = [address for address in good if not is_private(reached(address))]
    if not good:
        raise TransportFault(_PRIVATE)
    return good
