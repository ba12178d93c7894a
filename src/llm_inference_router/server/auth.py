"""Who may ask: one list of static keys, kept as hashes. Without keys it is open, which is allowed on loopback only."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from msgspec import Struct

from llm_inference_router.config.schema import Key, Scope
from llm_inference_router.errors import Forbidden, Unauthorized

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Grant(Struct, frozen=True):
    """What a key may do. `routes` None: all."""

    key: str
    routes: tuple[str, ...] | None
    scopes: frozenset[Scope]


_OPEN = Grant("", None, frozenset({"inference", "feedback", "admin"}))


class Keys:
    def __init__(self, keys: Sequence[Key]) -> None:
        self._grants = {_hash(str(k.key)): Grant(k.name, k.routes, frozenset(k.scopes)) for k in keys}

    def grant(self, headers: Mapping[bytes, bytes], scope: Scope) -> Grant:
        """Raises Unauthorized without a valid key, Forbidden where the key lacks the scope or a web page is asking."""
        if not self._grants:
            _only_from_this_machine(headers)
            return _OPEN
        presented = _presented(headers)
        if presented is None:
            raise Unauthorized("no API key was given: send it as `Authorization: Bearer KEY`", code="missing_api_key")
        # The dictionary is keyed by hashes, so how long the look-up takes tells nothing about a key.
        grant = self._grants.get(_hash(presented))
        if grant is None:
            raise Unauthorized("this API key is not known here")
        if scope not in grant.scopes:
            raise Forbidden(f"the key {grant.key!r} lacks the scope {scope!r}")
        return grant


def _hash(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _presented(headers: Mapping[bytes, bytes]) -> str | None:
    """The key, from `Authorization: Bearer`, `x-api-key`, or the password of `Authorization: Basic` (for browsers)."""
    given = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, value = given.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return headers.get(b"x-api-key", b"").decode("latin-1") or None


def _only_from_this_machine(headers: Mapping[bytes, bytes]) -> None:
    """Without keys, a page in the owner's browser must not reach us: neither by DNS rebinding nor across origins."""
    if not _is_loopback(b"//" + headers.get(b"host", b"localhost")):
        raise Forbidden(
            "without `server.keys` only requests to localhost are answered; the Host header names another",
            code="foreign_host",
        )
    origin = headers.get(b"origin")
    if origin is not None and not _is_loopback(origin):
        raise Forbidden("without `server.keys` other web pages are not answered", code="foreign_origin")


@lru_cache(maxsize=256)
def _is_loopback(url: bytes) -> bool:
    try:
        return urlsplit(url.decode("latin-1")).hostname in _LOOPBACK
    except ValueError:
        return False
