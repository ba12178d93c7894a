"""What can go wrong with an upstream, each as a list of steps. The model's name in a request chooses the scenario.

To add one: a function from the request to its steps, with a sentence that says what happens, under `@scenario`.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import TypeAlias

import orjson
from msgspec import Struct

from tests.support.faults.wire import (
    END,
    JSON_TYPE,
    SSE_HEAD,
    TOKENS,
    Ask,
    body,
    chunk,
    error,
    error_event,
    error_object,
    events,
    head,
    whole,
)

TEXT = "".join(TOKENS)


class Send(Struct, frozen=True):
    data: bytes


class Drip(Struct, frozen=True):
    """`data` again and again for ever, with so many seconds in between."""

    data: bytes
    every: float


class Stall(Struct, frozen=True):
    """Silence until the other side leaves."""


class Close(Struct, frozen=True):
    pass


class Reset(Struct, frozen=True):
    """RST instead of FIN."""


Step: TypeAlias = Send | Drip | Stall | Close | Reset
Script: TypeAlias = Callable[[Ask], Sequence[Step]]


class Scenario(Struct, frozen=True):
    name: str
    about: str
    script: Script


SCENARIOS: dict[str, Scenario] = {}


def scenario(script: Script) -> Script:
    name = script.__name__.replace("_", "-").strip("-")
    SCENARIOS[name] = Scenario(name, (script.__doc__ or "").strip(), script)
    return script


def framed(parts: Sequence[bytes], end: bytes = b"\n\n") -> bytes:
    return b"".join(chunk(part + end) for part in parts)


def good(ask: Ask, tokens: Sequence[str] = TOKENS, usage: bool = True) -> bytes:
    if not ask.stream:
        return whole(body(ask, "".join(tokens), usage))
    before, said, after = events(ask, tokens, usage)
    return SSE_HEAD + framed([*before, *said, *after]) + END


def streamed(ask: Ask, parts: Callable[[list[bytes], list[bytes], list[bytes]], Sequence[bytes]]) -> bytes:
    return SSE_HEAD + framed(parts(*events(ask, TOKENS)))


def after_40(ask: Ask, *then: Step) -> Sequence[Step]:
    """40 of 60 tokens of a stream, or half of a whole answer, and then something else."""
    if ask.stream:
        return (Send(streamed(ask, lambda before, said, after: [*before, *said[:40]])), *then)
    data = whole(body(ask, TEXT))
    return (Send(data[: len(data) * 2 // 3]), *then)


# --- answers --------------------------------------------------------------------------------------------------------


@scenario
def ok(ask: Ask) -> Sequence[Step]:
    """answers well: 60 words"""
    return (Send(good(ask)),)


@scenario
def fb_ok(ask: Ask) -> Sequence[Step]:
    """answers well: what others fall back to"""
    return (Send(good(ask)),)


@scenario
def no_usage(ask: Ask) -> Sequence[Step]:
    """answers well and never says how many tokens it took"""
    return (Send(good(ask, usage=False)),)


# --- status ---------------------------------------------------------------------------------------------------------


def _status(
    name: str, status: int, kind: str, about: str, message: str = "scripted", *fields: str, code: str | None = None
) -> None:
    def script(ask: Ask) -> Sequence[Step]:
        return (Send(error(ask, status, kind, message, *fields, code=code)),)

    SCENARIOS[name] = Scenario(name, about, script)


_status("error-500", 500, "server_error", "500, always")
_status("error-502", 502, "server_error", "502, always")
_status("error-503", 503, "server_error", "503, always")
_status("error-529", 529, "overloaded_error", "529, always")
_status("bad-request", 400, "invalid_request_error", "400: the request itself is wrong")
_status("too-large", 413, "invalid_request_error", "413")
_status("unprocessable", 422, "invalid_request_error", "422")
_status("unauthorized", 401, "authentication_error", "401")
_status("forbidden", 403, "permission_error", "403")
_status(
    "context", 400, "invalid_request_error", "400: the prompt is longer than the context",
    "prompt is too long: 210000 tokens > maximum context length", code="context_length_exceeded",
)  # fmt: skip
_status(
    "content-filter", 400, "invalid_request_error", "400: the content policy refuses it",
    "The response was filtered due to the prompt triggering the content management policy.", code="content_filter",
)  # fmt: skip


@scenario
def quoting_400(ask: Ask) -> Sequence[Step]:
    """400 that quotes the request: its key and its prompt"""
    return (Send(error(ask, 400, "invalid_request_error", f"cannot read {ask.secrets}")),)


@scenario
def quoting_500(ask: Ask) -> Sequence[Step]:
    """500 that quotes the request: its key and its prompt"""
    return (Send(error(ask, 500, "server_error", f"Traceback: {ask.secrets}")),)


_status("rate-limit", 429, "rate_limit_error", "429 without a word on when")
_status("rate-limit-long", 429, "rate_limit_error", "429, Retry-After: 30", "scripted", "Retry-After: 30")
_status("rate-limit-garbage", 429, "rate_limit_error", "429, Retry-After: soon", "scripted", "Retry-After: soon")


def _once(name: str, about: str, fault: Callable[[Ask], bytes]) -> None:
    def script(ask: Ask) -> Sequence[Step]:
        return (Send(fault(ask) if ask.turn == 0 else good(ask)),)

    SCENARIOS[name] = Scenario(name, about, script)


_once("error-500-once", "500 the first time", lambda ask: error(ask, 500, "server_error"))
_once(
    "rate-limit-2s-once", "429 with Retry-After: 2 the first time",
    lambda ask: error(ask, 429, "rate_limit_error", "slow down", "Retry-After: 2"),
)  # fmt: skip
_once(
    "rate-limit-ms-once", "429 with retry-after-ms: 300 the first time",
    lambda ask: error(ask, 429, "rate_limit_error", "slow down", "retry-after-ms: 300"),
)  # fmt: skip
_once(
    "rate-limit-date-once", "429 with Retry-After as a date the first time",
    lambda ask: error(ask, 429, "rate_limit_error", "slow down", *_soon()),
)  # fmt: skip
_once(
    "unavailable-1s-once", "503 with Retry-After: 1 the first time",
    lambda ask: error(ask, 503, "server_error", "starting", "Retry-After: 1"),
)  # fmt: skip


def _soon() -> tuple[str, str]:
    now = datetime.now(UTC)
    later = now + timedelta(seconds=2)
    return f"Date: {format_datetime(now, usegmt=True)}", f"Retry-After: {format_datetime(later, usegmt=True)}"


@scenario
def flapping(ask: Ask) -> Sequence[Step]:
    """500 every second time"""
    return (Send(good(ask) if ask.turn % 2 else error(ask, 500, "server_error")),)


# --- before the head ------------------------------------------------------------------------------------------------


@scenario
def silent(ask: Ask) -> Sequence[Step]:
    """takes the request and says nothing"""
    return (Stall(),)


@scenario
def silent_after_head(ask: Ask) -> Sequence[Step]:
    """sends the head of an answer and nothing more"""
    return (Send(SSE_HEAD if ask.stream else head(200, f"Content-Type: {JSON_TYPE}", length=500)), Stall())


@scenario
def role_then_silent(ask: Ask) -> Sequence[Step]:
    """begins a stream without any content, and stalls"""
    if not ask.stream:
        return silent_after_head(ask)
    return (Send(streamed(ask, lambda before, said, after: before)), Stall())


@scenario
def closed(ask: Ask) -> Sequence[Step]:
    """closes the connection without an answer"""
    return (Close(),)


@scenario
def reset(ask: Ask) -> Sequence[Step]:
    """resets the connection without an answer"""
    return (Reset(),)


@scenario
def garbage(ask: Ask) -> Sequence[Step]:
    """answers with bytes that are no HTTP"""
    return (Send(b"\x16\x03\x01 this is not HTTP \xff\xfe\r\n\r\n"), Close())


@scenario
def huge_head(ask: Ask) -> Sequence[Step]:
    """answers with a header of 100 kB"""
    return (Send(head(200, "X-Padding: " + "x" * 100_000, length=0)), Close())


# --- in the middle --------------------------------------------------------------------------------------------------


@scenario
def cut_before_content(ask: Ask) -> Sequence[Step]:
    """ends after the head, before any content"""
    if not ask.stream:
        return (Send(head(200, f"Content-Type: {JSON_TYPE}", length=500)), Close())
    return (Send(streamed(ask, lambda before, said, after: before)), Close())


@scenario
def cut(ask: Ask) -> Sequence[Step]:
    """closes after 40 of 60 tokens"""
    return after_40(ask, Close())


@scenario
def cut_cleanly(ask: Ask) -> Sequence[Step]:
    """ends the transfer properly after 40 of 60 tokens, without a finish reason"""
    return after_40(ask, Send(END), Close()) if ask.stream else after_40(ask, Close())


@scenario
def reset_in_the_middle(ask: Ask) -> Sequence[Step]:
    """resets the connection after 40 of 60 tokens"""
    return after_40(ask, Reset())


@scenario
def stall(ask: Ask) -> Sequence[Step]:
    """falls silent after 40 of 60 tokens"""
    return after_40(ask, Stall())


@scenario
def drip(ask: Ask) -> Sequence[Step]:
    """sends a word every tenth of a second, for ever"""
    if not ask.stream:
        return (Send(head(200, f"Content-Type: {JSON_TYPE}")), Drip(chunk(b" "), 0.1))
    before, said, _ = events(ask, TOKENS)
    return (Send(SSE_HEAD + framed(before)), Drip(framed(said[:1]), 0.1))


@scenario
def error_in_stream(ask: Ask) -> Sequence[Step]:
    """an error object inside a 200, before any content"""
    return (Send(SSE_HEAD + framed([error_event(ask)]) + END),) if ask.stream else _error_within(ask)


@scenario
def error_after_content(ask: Ask) -> Sequence[Step]:
    """an error object inside a 200 stream, after 40 of 60 tokens"""
    return after_40(ask, Send(framed([error_event(ask)]) + END)) if ask.stream else _error_within(ask)


def _error_within(ask: Ask) -> Sequence[Step]:
    kind = "overloaded_error" if ask.wire == "anthropic" else "server_error"
    return (Send(whole(orjson.dumps(error_object(ask, kind)))),)


@scenario
def one_malformed(ask: Ask) -> Sequence[Step]:
    """one event in the middle is no JSON"""
    if not ask.stream:
        return (Send(good(ask)),)
    parts = streamed(ask, lambda before, said, after: [*before, *said[:20], b'data: {"choices": [', *said[20:], *after])
    return (Send(parts + END),)


@scenario
def no_done(ask: Ask) -> Sequence[Step]:
    """never sends the end marker and keeps the connection open"""
    if not ask.stream:
        return (Send(good(ask)),)
    kept = None if ask.wire == "responses" else -1  # the last event of a Responses stream is a part of the answer
    return (Send(streamed(ask, lambda before, said, after: [*before, *said, *after[:kept]])), Stall())


# --- bytes ----------------------------------------------------------------------------------------------------------


def _variant(name: str, about: str, turn: Callable[[bytes], bytes], end: bytes = b"\n\n") -> None:
    def script(ask: Ask) -> Sequence[Step]:
        if not ask.stream:
            return (Send(good(ask)),)
        before, said, after = events(ask, TOKENS)
        return (Send(SSE_HEAD + framed([turn(one) for one in (*before, *said, *after)], end) + END),)

    SCENARIOS[name] = Scenario(name, about, script)


_variant("crlf", "events end with CRLF", lambda one: one.replace(b"\n", b"\r\n"), b"\r\n\r\n")
_variant("no-space", "no space after `data:`", lambda one: one.replace(b"data: ", b"data:"))
_variant("comments", "comments between events", lambda one: b": keep-alive\n\n" + one)
_variant("multi-line", "every event's data on several lines", lambda one: one.replace(b',"', b',\ndata: "'))
_variant("id-and-retry", "events with id and retry", lambda one: b"id: 7\nretry: 3000\n" + one)


@scenario
def bom(ask: Ask) -> Sequence[Step]:
    """a byte order mark before the first event"""
    if not ask.stream:
        return (Send(good(ask)),)
    return (Send(SSE_HEAD + chunk(b"\xef\xbb\xbf") + good(ask)[len(SSE_HEAD) :]),)


@scenario
def bytewise(ask: Ask) -> Sequence[Step]:
    """every byte of the body in a chunk of its own, letters of several bytes too"""
    tokens = ["Grüße ", "日本語 ", "🙂 ", "end"]
    if not ask.stream:
        return (Send(good(ask, tokens)),)
    before, said, after = events(ask, tokens)
    data = b"".join(one + b"\n\n" for one in (*before, *said, *after))
    return (Send(SSE_HEAD + b"".join(chunk(data[i : i + 1]) for i in range(len(data))) + END),)


@scenario
def invalid_utf8(ask: Ask) -> Sequence[Step]:
    """every event holds bytes that are no UTF-8"""
    if not ask.stream:
        return (Send(whole(body(ask, TEXT).replace(b"word1 ", b"\xff\xfe\xc3 "))),)
    before, said, after = events(ask, TOKENS)
    broken = [one.replace(b"word", b"\xff\xfe") for one in said]
    return (Send(SSE_HEAD + framed([*before, *broken, *broken, *broken, *after]) + END),)


@scenario
def long_line(ask: Ask) -> Sequence[Step]:
    """one event of 3 MiB, or a whole answer that says it is 65 MiB long"""
    if not ask.stream:
        opening = head(200, f"Content-Type: {JSON_TYPE}", length=65 * 1024 * 1024)
        return (Send(opening), Drip(b" " * 65536, 0.0))
    return (Send(SSE_HEAD + framed([b"data: " + b"x" * (3 * 1024 * 1024)]) + END),)


@scenario
def endless(ask: Ask) -> Sequence[Step]:
    """a body without an end, as fast as it is read"""
    return (Send(SSE_HEAD if ask.stream else head(200, f"Content-Type: {JSON_TYPE}")), Drip(chunk(b"x" * 65536), 0.0))


@cache
def _bomb() -> bytes:
    """One block that looks back at nothing, two hundred times: made in no time."""
    zeros, check = bytes(1_000_000), 0
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(200):
        check = zlib.crc32(zeros, check)
    opening = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return opening + block * 200 + packer.flush() + struct.pack("<II", check, 200 * len(zeros))


@scenario
def bomb(ask: Ask) -> Sequence[Step]:
    """200 kB of gzip that would be 200 MB"""
    data = _bomb()
    return (Send(head(200, f"Content-Type: {JSON_TYPE}", "Content-Encoding: gzip", length=len(data)) + data),)


@scenario
def redirect(ask: Ask) -> Sequence[Step]:
    """307 to another host"""
    return (Send(head(307, "Location: http://169.254.169.254/latest/meta-data/", length=0)),)


@scenario
def html(ask: Ask) -> Sequence[Step]:
    """a proxy's page with status 200"""
    page = b"<!doctype html><title>Sign in</title><h1>Please sign in</h1>"
    return (Send(head(200, "Content-Type: text/html", length=len(page)) + page),)


@scenario
def empty(ask: Ask) -> Sequence[Step]:
    """200 with an empty body"""
    return (Send(head(200, f"Content-Type: {JSON_TYPE}", length=0)),)
