"""Sockets to upstreams, on aiohttp. Every aiohttp error becomes one of our faults here, and nowhere else.

What is deliberate: no redirects are followed (a redirect is a way out of what the configuration allows), compressed
answers are refused (200 kB can inflate to 200 MB), no proxy or credentials are read from the environment, cookies are
dropped, and a connection is reused only after a complete body.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from llm_inference_router.backends.base import Call
from llm_inference_router.transport.base import Response, TransportFault
from llm_inference_router.types import Endpoint, Fault, FaultKind, Model

_READ_BUFFER = 64 * 1024
_KEEP_ALIVE_S = 30.0
_DNS_TTL_S = 30


@lru_cache(maxsize=1024)
def _url(base: str, path: str) -> URL:
    return URL(base.rstrip("/") + path)


@lru_cache(maxsize=64)
def _limits(connect: float) -> ClientTimeout:
    return ClientTimeout(total=None, sock_connect=connect)


class HttpTransport:
    """One pool of connections for all upstreams. `headers` are sent to a model's endpoints (its credentials)."""

    def __init__(self, headers: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
        self._credentials = headers
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_TTL_S),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BUFFER,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._headers: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, str]] = {}

    async def send(self, call: Call, model: Model, endpoint: Endpoint) -> Response:
        try:
            response = await self._session.request(
                call.method,
                _url(endpoint.url, call.path),
                data=call.body or None,
                headers=self._headers_for(model.name, call.headers),
                allow_redirects=False,
                timeout=_limits(model.timeouts.connect),
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise TransportFault(_fault(error)) from error
        return _HttpResponse(response)

    def _headers_for(self, model: str, own: tuple[tuple[str, str], ...]) -> dict[str, str]:
        key = (model, own)
        headers = self._headers.get(key)
        if headers is None:
            base = {"Content-Type": "application/json", "Accept": "*/*", "Accept-Encoding": "identity"}
            base["User-Agent"] = "llm-inference-router"
            headers = base | dict(self._credentials.get(model, ())) | dict(own)
            self._headers[key] = headers
        return headers

    async def close(self) -> None:
        await self._session.close()


class _HttpResponse:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self._response.headers.items()}

    def _refuse_encoded(self) -> None:
        encoding = self._response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", ""):
            raise TransportFault(Fault("malformed", "the upstream sent a compressed answer, which was not asked for"))

    async def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self.chunks():
            size += len(part)
            if size > limit:
                raise TransportFault(Fault("malformed", f"the upstream's answer is larger than {limit} bytes"))
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        self._refuse_encoded()
        readany = self._response.content.readany
        try:
            while part := await readany():
                yield part
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransportFault(_fault(error)) from error

    def close(self) -> None:
        # After a complete body aiohttp has already put the connection back, and this does nothing.
        self._response.close()


def _fault(error: Exception) -> Fault:
    kind = _kind(error)
    return Fault(kind, _MESSAGES[kind])


def _kind(error: Exception) -> FaultKind:  # noqa: PLR0911 - one line for each kind, in the order of their subclassing
    match error:
        case aiohttp.ConnectionTimeoutError() | aiohttp.SocketTimeoutError() | TimeoutError():
            return "timeout.connect"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ClientResponseError() | ValueError():
            return "malformed"
        case aiohttp.ClientPayloadError():
            return "truncated"
        case _:
            return "reset"


_MESSAGES: Mapping[FaultKind, str] = {
    "timeout.connect": "the upstream did not accept a connection in time",
    "dns": "the upstream's name could not be resolved",
    "tls": "no secure connection to the upstream could be made",
    "connect": "the upstream refused the connection",
    "malformed": "the upstream's answer is not valid HTTP",
    "truncated": "the upstream's answer broke off",
    "reset": "the upstream closed the connection",
}
