"""Exchanges recorded from real servers: what was asked, and what came back, byte for byte.

A file holds `>>> METHOD PATH`, the request's body, `<<<`, the status line, the headers, a blank line, and
the raw body without its transfer coding. Local paths were replaced, so a body's length may differ from its
header.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Trace:
    server: str
    name: str
    method: str
    path: str
    request: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return f"{self.server}/{self.name}"

    @property
    def stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def asked_usage(self) -> bool:
        options = orjson.loads(self.request).get("stream_options") or {}
        return bool(options.get("include_usage"))


def read(path: Path) -> Trace:
    asked, _, answered = path.read_bytes().partition(b"\n<<<\n")
    line, _, request = asked.partition(b"\n")
    _, method, place = line.decode().split(" ")
    head, _, body = answered.replace(b"\r\n", b"\n").partition(b"\n\n")
    status, *fields = head.decode().split("\n")
    headers = dict(field.split(": ", 1) for field in fields)
    return Trace(
        server=path.parent.name,
        name=path.stem,
        method=method,
        path=place,
        request=request.strip(),
        status=int(status.split()[1]),
        headers={name.lower(): value for name, value in headers.items()},
        body=body.removesuffix(b"\n") if b"event-stream" not in head else body,
    )


@cache
def everything() -> tuple[Trace, ...]:
    return tuple(read(file) for file in sorted(FOLDER.glob("*/*.http")))


def traces(path: str, *, method: str = "POST", stream: bool | None = None, ok: bool | None = None) -> tuple[Trace, ...]:
    """All traces of one request path; `stream` and `ok` (a status of 200) narrow."""
    return tuple(
        trace
        for trace in everything()
        if (trace.path, trace.method) == (path, method)
        and (stream is None or trace.stream is stream)
        and (ok is None or (trace.status == 200) is ok)
    )


def trace(id: str) -> Trace:  # noqa: A002 - the trace's own word
    return read(FOLDER / f"{id}.http")
