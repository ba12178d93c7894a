"""How long content takes from the upstream's write to the client's receipt: directly, and through the router.

    python -m benchmarks.first [--quick] [--json FILE]

Upstream and client are one process with one event loop and one clock; the router has a core of its own. Requests go
directly and through the router in turns, one at a time. The upstream sends its head and all that comes before the
content, rests until that has passed, then writes the first content, and three more pieces at the same distance. Linux.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from benchmarks.cpu import alone, preferred
from benchmarks.load import percentile, request_body, request_bytes
from benchmarks.measure import Failed, Running, started
from benchmarks.script import PATHS, Script, Speech, mark, script
from benchmarks.targets import TARGETS
from benchmarks.upstream import Upstream

AIM_MS = 2.0  # that the router may add to the first content
_PIECES = 4
_REST_S = 0.005  # between two writes of the upstream
_WARM = 20  # requests of each pair that are not counted
_PATIENCE_S = 20.0


class Pair(Struct, frozen=True):
    """What the client speaks, the model that it asks for, and what that model's upstream speaks."""

    client: Speech
    model: str
    upstream: Speech

    @property
    def name(self) -> str:
        relayed = self.client == self.upstream
        return f"{self.client}, relayed" if relayed else f"{self.client} from {self.upstream}"


PAIRS = (
    Pair("chat", "auto", "chat"),
    Pair("messages", "claude", "messages"),
    Pair("responses", "gpt", "responses"),
    Pair("chat", "claude", "messages"),
    Pair("messages", "auto", "chat"),
    Pair("responses", "auto", "chat"),
    Pair("responses", "claude", "messages"),
)


class Delay(Struct, frozen=True):
    """Milliseconds from write to receipt, of the first content and of those after it."""

    first: list[float]
    later: list[float]


class Figures(Struct, frozen=True):
    """Of one pair. `added`: what the router adds to the direct way, percentile by percentile."""

    pair: str
    direct_p50_ms: float
    direct_p99_ms: float
    through_p50_ms: float
    through_p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    later_added_p50_ms: float
    later_added_p99_ms: float
    requests: int


class _Model(Upstream):
    """The mock upstream, which notes when it writes content."""

    def __init__(self, scripts: Mapping[Speech, Script], written: list[float]) -> None:
        super().__init__({})
        self._scripts = scripts
        self._written = written

    def stream(self, speech: Speech, pace_s: float) -> None:
        told = self._scripts[speech]
        self.write(told.opening)
        self._loop.call_later(_REST_S, self._piece, told, 0)

    def _piece(self, told: Script, number: int) -> None:
        if number == len(told.content):
            self.write(told.closing)
            return
        self._written.append(time.perf_counter())
        self.write(told.content[number])
        self._loop.call_later(_REST_S, self._piece, told, number + 1)


class _Client(asyncio.Protocol):
    """One connection of its own for each request; `whole` is done when the upstream's last content is there and the
    answer has ended."""

    def __init__(self, request: bytes, received: list[float]) -> None:
        self._request = request
        self._received = received
        self._seen = b""
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._seen += data
        while len(self._received) < _PIECES and mark(len(self._received)) in self._seen:
            self._received.append(now)
        if self._seen.endswith(b"0\r\n\r\n") and not self.whole.done():
            self.whole.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.whole.done():
            self.whole.set_exception(Failed(f"a stream broke off: {self._seen[-500:]!r}"))

    def close(self) -> None:
        self._transport.close()


class _Measurement:
    def __init__(self) -> None:
        self._scripts = {speech: script(speech, _PIECES) for speech in PATHS}
        self._written: list[float] = []

    def upstream(self) -> _Model:
        return _Model(self._scripts, self._written)

    async def one(self, port: int, request: bytes) -> list[float]:
        """The delay of each piece of content, in ms."""
        self._written.clear()
        received: list[float] = []
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: _Client(request, received), "127.0.0.1", port)
        try:
            await asyncio.wait_for(client.whole, _PATIENCE_S)
        except TimeoutError as error:
            raise Failed("a stream did not end") from error
        finally:
            client.close()
        if not len(received) == len(self._written) == _PIECES:
            raise Failed(f"{len(self._written)} pieces were written, {len(received)} came")
        return [(after - before) * 1e3 for before, after in zip(self._written, received, strict=True)]

    async def pair(self, pair: Pair, direct: int, router: int, requests: int) -> Figures:
        delays = Delay([], []), Delay([], [])
        for number in range(requests + _WARM):
            for speech, port, delay in zip((pair.upstream, pair.client), (direct, router), delays, strict=True):
                body = request_body(pair.model, stream=True, speech=speech)
                first, *later = await self.one(port, request_bytes(port, body, speech=speech))
                if number >= _WARM:
                    delay.first.append(first)
                    delay.later.extend(later)
        return figures(pair, *delays)


def figures(pair: Pair, direct: Delay, through: Delay) -> Figures:
    p50, p99 = 0.5, 0.99
    return Figures(
        pair=pair.name,
        direct_p50_ms=percentile(direct.first, p50),
        direct_p99_ms=percentile(direct.first, p99),
        through_p50_ms=percentile(through.first, p50),
        through_p99_ms=percentile(through.first, p99),
        added_p50_ms=percentile(through.first, p50) - percentile(direct.first, p50),
        added_p99_ms=percentile(through.first, p99) - percentile(direct.first, p99),
        later_added_p50_ms=percentile(through.later, p50) - percentile(direct.later, p50),
        later_added_p99_ms=percentile(through.later, p99) - percentile(direct.later, p99),
        requests=len(through.first),
    )


async def measure(requests: int, pairs: Sequence[Pair] = PAIRS) -> list[Figures]:
    """Raises Failed."""
    measurement = _Measurement()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(measurement.upstream, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="llm-router-bench-") as place:
        router = started(TARGETS["router"], port, Path(place))
        running: Running = await asyncio.to_thread(router.__enter__)  # which asks this very loop for an answer
        try:
            gc.collect()
            gc.freeze()
            gc.disable()
            return [await measurement.pair(pair, port, running.port, requests) for pair in pairs]
        finally:
            gc.enable()
            await asyncio.to_thread(router.__exit__, None, None, None)
            server.close()


def render(found: Sequence[Figures]) -> str:
    lines = [
        "from the upstream's write to the client's receipt, ms: p50 / p99",
        f"{'':24s}{'direct':>16s}{'router':>16s}{'added':>16s}{'later, added':>16s}",
    ]
    for one in found:
        cells = (
            (one.direct_p50_ms, one.direct_p99_ms),
            (one.through_p50_ms, one.through_p99_ms),
            (one.added_p50_ms, one.added_p99_ms),
            (one.later_added_p50_ms, one.later_added_p99_ms),
        )
        lines.append(f"{one.pair:24s}" + "".join(f"{f'{p50:.2f} / {p99:.2f}':>16s}" for p50, p99 in cells))
    slowest = max(one.added_p99_ms for one in found)
    met = "met" if slowest <= AIM_MS else "missed"
    lines.append(f"\n{met}  first content, added at p99: {slowest:.2f} ms, target at most {AIM_MS:g} ms")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 requests of each pair instead of 500")
    parser.add_argument("--requests", type=int, help="of each pair, directly and through the router")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    asked = parser.parse_args()
    if sys.platform != "linux":
        print("this pins processes to cores as Linux does it: run it on Linux", file=sys.stderr)
        return 2
    alone(1)
    try:
        with preferred():
            found = uvloop.run(measure(asked.requests or (40 if asked.quick else 500)))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    print(render(found))
    if asked.json is not None:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
