"""Sockets to upstreams: a pool of keep-alive connections, and every failure to reach one as a fault of ours.

What is deliberate: redirects are not followed (a redirect is a way out of what the configuration allows), compressed
answers are refused (200 kB can inflate to 200 MB), no proxy or credential is read from the environment, there are no
cookies, a request is never sent twice by this module, and a connection is used again only after a complete answer.
A name is resolved here, once for each connection, and what it resolves to is judged before anything is sent there
(`transport.egress`): whoever answers for a name tomorrow does not decide where prompts and keys go.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from llm_inference_router.backends.base import Call
from llm_inference_router.transport.base import Response, Take, TransportFault, unheard
from llm_inference_router.transport.connection import RESET, Connection, fault
from llm_inference_router.transport.egress import Resolve, admitted, resolve
from llm_inference_router.types import Endpoint, Model

_IDLE_S = 30.0  # shorter than the keep-alive of the servers we know, so that they seldom close first
_MOST_IDLE = 256  # for each origin
_MOST_HEADS = 1024
_AGENT = "llm-inference-router"


class Origin(Struct, frozen=True):
    """`private`: its name may resolve to an address that is not of the public internet."""

    host: str
    port: int
    secure: bool
    private: bool


class HttpTransport:
    """One pool for all upstreams. `credentials` are the headers sent to a model's endpoints. `tls` and `resolver`:
    the machine's."""

    def __init__(
        self,
        credentials: Mapping[str, tuple[tuple[str, str], ...]],
        tls: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        self._credentials = credentials
        self._tls = tls
        self._resolve = resolver
        self._heads: dict[tuple[str, str, str, str, tuple[tuple[str, str], ...]], tuple[Origin, bytes]] = {}
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, call: Call, model: Model, endpoint: Endpoint, sent: Callable[[], None] = unheard) -> Response:
        """Sends the call on an idle connection or a new one and waits for the answer's head."""
        key = (model.name, endpoint.url, call.path, call.method, call.headers)
        known = self._heads.get(key)
        if known is None:
            if len(self._heads) >= _MOST_HEADS:  # clients' own headers are part of some
                self._heads.clear()
            known = self._heads[key] = self._prepare(call, model, endpoint)
        origin, head = known
        connection = self._take(origin)
        reused = connection is not None
        if connection is None:
            connection = await self._connect(origin, model.timeouts.connect)
        sent()
        connection.ask(b"%b%d\r\n\r\n%b" % (head, len(call.body), call.body))
        try:
            await connection.head()
        except TransportFault as error:
            if reused and error.fault is RESET:
                self._drop_idle(origin)  # its siblings are as old: the next try gets a fresh one
            raise
        except asyncio.CancelledError:
            connection.close()
            raise
        return _HttpResponse(connection)

    async def close(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.discard()
        await asyncio.sleep(0)  # lets the event loop close the sockets

    def _prepare(self, call: Call, model: Model, endpoint: Endpoint) -> tuple[Origin, bytes]:
        """The request's head up to the length of its body. Raises TransportFault for a URL that is none."""
        parts = urlsplit(endpoint.url)
        secure = parts.scheme == "https"
        if not parts.hostname:
            raise fault("connect", "the endpoint's URL has no host")
        private = model.location == "local" or endpoint.private
        origin = Origin(parts.hostname, parts.port or (443 if secure else 80), secure, private)
        fields = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": _AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            **dict(self._credentials.get(model.name, ())),
            **dict(call.headers),
        }
        lines = [f"{call.method} {parts.path.rstrip('/')}{call.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise fault("malformed", "a header to the upstream holds a line break")
        return origin, ("\r\n".join(lines) + "\r\nContent-Length: ").encode("latin-1")

    # --- the pool -------------------------------------------------------------------------------------------------

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.alive:
                return connection
        return None

    async def _connect(self, origin: Origin, limit: float) -> Connection:
        loop = asyncio.get_running_loop()

        def released(connection: Connection) -> None:
            idle = self._idle.setdefault(origin, [])
            if self._closed or len(idle) >= _MOST_IDLE:
                connection.discard()
                return
            connection.idle_since = loop.time()
            idle.append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(_IDLE_S, self._sweep)

        def lost(connection: Connection) -> None:
            self._open.discard(connection)

        try:
            async with asyncio.timeout(limit):
                connection = await self._reach(origin, lambda: Connection(released, lost))
        except TimeoutError as error:
            raise fault("timeout.connect", "the upstream did not accept a connection in time") from error
        except (ssl.SSLError, ssl.CertificateError) as error:
            raise fault("tls", "no trusted connection to the upstream could be made") from error
        except (socket.gaierror, UnicodeError) as error:  # the second: a label that no name can have
            raise fault("dns", "the upstream's name could not be resolved") from error
        except (ConnectionResetError, BrokenPipeError) as error:
            raise fault("tls" if origin.secure else "reset", "the upstream closed the connection") from error
        except OSError as error:
            raise fault("connect", "the upstream refused the connection") from error
        self._open.add(connection)
        return connection

    async def _reach(self, origin: Origin, made: Callable[[], Connection]) -> Connection:
        """A connection to the first address of the origin that accepts one, of those that it may have."""
        loop = asyncio.get_running_loop()
        *others, last = admitted(origin.host, await self._resolve(origin.host, origin.port), origin.private)
        tls, name = (self._context(), origin.host) if origin.secure else (None, None)
        for address in others:
            try:
                return (await loop.create_connection(made, address, origin.port, ssl=tls, server_hostname=name))[1]
            except ssl.SSLError:
                raise
            except OSError:
                continue
        return (await loop.create_connection(made, last, origin.port, ssl=tls, server_hostname=name))[1]

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _drop_idle(self, origin: Origin) -> None:
        for connection in self._idle.pop(origin, []):
            connection.discard()

    def _sweep(self) -> None:
        """Closes what has been idle for too long; rings again while anything is left."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - _IDLE_S
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since <= oldest:
                    connection.discard()
            fresh = [connection for connection in idle if connection.idle_since > oldest and connection.alive]
            if fresh:
                self._idle[origin] = fresh
            else:
                del self._idle[origin]
        self._sweeper = loop.call_later(_IDLE_S, self._sweep) if self._idle else None


class _HttpResponse:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = connection.status
        self._fields = dict(connection.fields)
        if self._fields.get(b"content-encoding", b"").lower() not in (b"", b"identity"):
            connection.close()
            raise fault("malformed", "the upstream sent a compressed answer, which was not asked for")

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._fields.items()}

    async def read(self, limit: int) -> bytes:
        data = await self._connection.more()
        if not data:
            return data
        parts = [data]
        size = len(data)
        while data := await self._connection.more():
            parts.append(data)
            size += len(data)
            if size > limit:
                raise fault("malformed", f"the upstream's answer is larger than {limit} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pump(self, take: Take) -> Coroutine[Any, Any, bool]:
        return self._connection.pump(take)

    def close(self, finished: bool = False) -> None:
        self._connection.close(finished)

    def discard(self) -> None:
        self._connection.discard()
