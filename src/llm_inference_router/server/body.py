"""Reads a request's body within its limit, and the caller's wishes from its headers."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

from llm_inference_router.engine.judge import Wishes
from llm_inference_router.errors import InvalidRequest, RequestTimeout, TooLarge
from llm_inference_router.money import from_usd
from llm_inference_router.server.auth import Grant
from llm_inference_router.server.refusal import busy
from llm_inference_router.types import Caller, ChatRequest

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST_VALUE = 256
_LONGEST_FORWARDED = 2048
_MOST_TAGS = 20
_DISCARD = 4  # times the limit
# Most requests have none of these headers: two looks then take the place of seven.
_OF_WISHES = frozenset({b"x-request-id", b"x-router-quality", b"x-router-max-cost-usd", b"x-router-explain"})
_OF_CALLER = frozenset({b"x-router-user", b"x-router-session", b"x-router-tags"})
_NO_WISHES = Wishes()


class Arriving:
    """How many bytes of bodies are here that are not whole yet. They count as no running request: whoever sends half a
    body and waits would take a place from those who work. So their memory has a bound of its own."""

    def __init__(self, most: int = 256 * 1024 * 1024) -> None:
        self.most = most
        self.bytes = 0

    def add(self, size: int) -> None:
        """Raises Busy where there is no room."""
        if self.bytes + size > self.most:
            raise busy(f"more than {self.most} bytes of bodies are arriving at once")
        self.bytes += size


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, arriving: Arriving | None = None
) -> bytes:
    """Raises TooLarge when the announced or the received length passes `limit` bytes, and Busy where all bodies that
    are `arriving` hold too much.

    What is too large is read on and thrown away for a while: a client that is still sending when the connection closes
    would see a reset instead of the answer (nginx calls it lingering close).
    """
    announced = headers.get(b"content-length", b"0")
    size = int(announced) if announced.isdigit() else 0
    parts: list[bytes] = []
    kept = True
    more = True
    received = held = 0
    try:
        while more:
            if size > limit or received > limit:
                kept = False
                parts.clear()
            if size > _DISCARD * limit or received > _DISCARD * limit:
                break
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestTimeout("the connection ended before the whole body had arrived")
            part = message.get("body", b"")
            received += len(part)
            more = message.get("more_body", False)
            if kept:
                parts.append(part)
                if more and arriving is not None:
                    arriving.add(len(part))
                    held += len(part)
    finally:
        if held and arriving is not None:
            arriving.bytes -= held
    if not kept or received > limit:
        raise _too_large(limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes (server.max_body)")


def wishes(headers: Mapping[bytes, bytes]) -> Wishes:
    """Raises InvalidRequest for a header that cannot be read."""
    if _OF_WISHES.isdisjoint(headers):
        return _NO_WISHES
    request_id = _text(headers, b"x-request-id")
    return Wishes(
        request_id=request_id,
        quality=_number(headers, b"x-router-quality", most=1.0),
        max_cost=_max_cost(headers),
        explained=_text(headers, b"x-router-explain").lower() in ("true", "1", "yes"),
    )


def caller(grant: Grant, headers: Mapping[bytes, bytes], request: ChatRequest | None = None) -> Caller:
    """Who asks: the key's grant, and what the headers say; the body's `user` where no header names one."""
    named = not _OF_CALLER.isdisjoint(headers)
    user = _text(headers, b"x-router-user") if named else ""
    if not user and request is not None:
        given = request.body.get("user")
        user = given if isinstance(given, str) and len(given) <= LONGEST_VALUE else ""
    return Caller(
        key=grant.key,
        routes=grant.routes,
        user=user,
        session=_text(headers, b"x-router-session") if named else "",
        tags=_tags(headers) if named else {},
    )


def forwarded(headers: Mapping[bytes, bytes], names: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """Those of these headers that were sent, for an upstream of the client's dialect. Raises InvalidRequest for one
    that cannot be sent on."""
    found = []
    for name in names:
        value = headers.get(name, b"").decode("latin-1").strip()
        if len(value) > _LONGEST_FORWARDED or not value.isascii() or not value.isprintable():
            raise InvalidRequest(
                f"at most {_LONGEST_FORWARDED} printable ASCII characters are allowed here", param=name.decode()
            )
        if value:
            found.append((name.decode(), value))
    return tuple(found)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    value = headers.get(name)
    if value is None:
        return ""
    text = _decoded(value).strip()
    if len(text) > LONGEST_VALUE or not text.isprintable():
        raise InvalidRequest(f"at most {LONGEST_VALUE} printable characters are allowed here", param=name.decode())
    return text


def _decoded(value: bytes) -> str:
    """UTF-8 where it is, as clients send it; otherwise Latin-1, as HTTP once had it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _number(headers: Mapping[bytes, bytes], name: bytes, most: float) -> float | None:
    text = _text(headers, name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        allowed = f"from 0 to {most:g}" if most < float("inf") else "of zero or more"
        raise InvalidRequest(f"a number {allowed} is expected here", param=name.decode())
    return number


def _max_cost(headers: Mapping[bytes, bytes]) -> int | None:
    usd = _number(headers, b"x-router-max-cost-usd", most=1e6)
    return None if usd is None else from_usd(usd)


def _tags(headers: Mapping[bytes, bytes]) -> Mapping[str, str]:
    """`team=batch, env=prod`."""
    text = _text(headers, b"x-router-tags")
    if not text:
        return {}
    tags: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise InvalidRequest("tags are written as name=value, separated by commas", param="x-router-tags")
        tags[name] = value
    if len(tags) > _MOST_TAGS:
        raise InvalidRequest(f"at most {_MOST_TAGS} tags are allowed", param="x-router-tags")
    return tags
