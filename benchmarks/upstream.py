"""The mock model behind every gateway: python -m benchmarks.upstream [--port 0] [--chunks 64]

Speaks just enough HTTP/1.1 to answer a POST at the least cost: an answer of 545 bytes, or, for a body with
`"stream":true`, a stream of `chunks` events of content in the dialect of the path, and its end with usage. The body's
`"user":"pace=100"` (or `user_id`) puts 100 ms between two events; without it each event still has a write of its own.
Prints its port when it listens.
"""

import argparse
import asyncio
import gc
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import uvloop

from benchmarks.script import HEAD, IDENTITY, PATHS, Speech, script

_WHOLE = IDENTITY % b"chat.completion" + (
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris, which lies on the '
    b'river Seine, in the north of the country.","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":128,"completion_tokens":19,"total_tokens":147,'
    b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}'
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: req_0123456789\r\n\r\n"
    % len(_WHOLE)
) + _WHOLE
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PACE = re.compile(rb'"user(?:_id)?": ?"pace=(\d+)"')
_STREAMED = re.compile(rb'"stream": ?true')
_END = b"\r\n0\r\n\r\n"


Writes: TypeAlias = Mapping[Speech, Sequence[bytes]]


class Upstream(asyncio.Protocol):
    """One connection. `writes`: the stream of each dialect, a write at a time."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (request := self._take()) is not None:
            self._answer(*request)

    def _take(self) -> tuple[Speech, bytes] | None:
        """What the path of the next whole request speaks, and its body; None while it is not there."""
        data = self._unread
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        begin, head = head_end + 4, data[:head_end]
        length = _LENGTH.search(head)
        if length is not None:
            end = after = begin + int(length[1])
        elif b"chunked" in head.lower():
            found = data.find(_END, head_end)
            end, after = (found, found + len(_END)) if found >= 0 else (len(data) + 1, 0)
        else:
            end = after = begin
        if len(data) < end:
            if b"100-continue" in head.lower() and len(data) == begin:
                self.write(_CONTINUE)
            return None
        self._unread = data[after:]
        return _speech(head), data[begin:end]

    def _answer(self, speech: Speech, body: bytes) -> None:
        if not _STREAMED.search(body):
            self.write(_ANSWER)
            return
        pace = _PACE.search(body)
        self.write(HEAD)
        self.stream(speech, int(pace[1]) / 1000 if pace else 0.0)

    def stream(self, speech: Speech, pace_s: float) -> None:
        self._step(self._writes[speech], 0, pace_s)

    def _step(self, writes: Sequence[bytes], number: int, pace_s: float) -> None:
        if self._transport is None:
            return
        self._transport.write(writes[number])
        if number + 1 == len(writes):
            return
        if pace_s:
            self._loop.call_later(pace_s, self._step, writes, number + 1, pace_s)
        else:
            self._loop.call_soon(self._step, writes, number + 1, pace_s)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _speech(head: bytes) -> Speech:
    path = head.partition(b" ")[2]
    if path.startswith(b"/v1/messages"):
        return "messages"
    return "responses" if path.startswith(b"/v1/responses") else "chat"


async def _serve(port: int, chunks: int) -> None:
    writes: Writes = {speech: script(speech, chunks).writes() for speech in PATHS}
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(writes), "127.0.0.1", port, backlog=2048)
    gc.freeze()
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=64)
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.port, arguments.chunks))


if __name__ == "__main__":
    main()
