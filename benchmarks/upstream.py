"""The mock model behind every gateway: python -m benchmarks.upstream [--port 0] [--chunks 64]

Speaks just enough HTTP/1.1 to answer a POST at the least cost: an answer of 545 bytes, or, for a body with
`"stream":true`, a stream of `chunks` events, usage and `[DONE]`. The body's `"user":"pace=100"` puts 100 ms between two
events; without it each event still has a write of its own. Prints its port when it listens.
"""

import argparse
import asyncio
import gc
import re

import uvloop

_IDENTITY = (
    b'{"id":"chatcmpl-5f1c2d8b9e7a4c60b3d1f2a4e6c8","object":"%s","created":1760000000,'
    b'"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_0123456789",'
)
_WHOLE = _IDENTITY % b"chat.completion" + (
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris, which lies on the '
    b'river Seine, in the north of the country.","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":128,"completion_tokens":19,"total_tokens":147,'
    b'"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}'
)
_CHUNK = _IDENTITY % b"chat.completion.chunk"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: req_0123456789\r\n\r\n"
    % len(_WHOLE)
) + _WHOLE
_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    b"Cache-Control: no-cache\r\n\r\n"
)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PACE = re.compile(rb'"user": ?"pace=(\d+)"')
_STREAMED = re.compile(rb'"stream": ?true')
_END = b"\r\n0\r\n\r\n"


def _event(body: bytes) -> bytes:
    data = b"data: " + body + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _events(chunks: int) -> list[bytes]:
    """Each event as it goes on the wire; the last one carries usage, the end marker and the end of the body."""
    delta = b'"choices":[{"index":0,"delta":{"content":" tok%02d"},"logprobs":null,"finish_reason":null}]}'
    usage = b'"choices":[],"usage":{"prompt_tokens":128,"completion_tokens":%d,"total_tokens":%d}}'
    last = _event(_CHUNK + usage % (chunks, 128 + chunks)) + _event(b"[DONE]") + b"0\r\n\r\n"
    return [_event(_CHUNK + delta % number) for number in range(chunks)] + [last]


class _Upstream(asyncio.Protocol):
    def __init__(self, events: list[bytes]) -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is none by inheritance

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (body := self._take()) is not None:
            self._answer(body)

    def _take(self) -> bytes | None:
        """The body of the next whole request; None while it is not there."""
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
                self._write(_CONTINUE)
            return None
        self._unread = data[after:]
        return data[begin:end]

    def _answer(self, body: bytes) -> None:
        if not _STREAMED.search(body):
            self._write(_ANSWER)
            return
        pace = _PACE.search(body)
        self._write(_STREAM)
        self._step(0, int(pace[1]) / 1000 if pace else 0.0)

    def _step(self, number: int, pace_s: float) -> None:
        if self._transport is None:
            return
        self._transport.write(self._events[number])
        if number + 1 == len(self._events):
            return
        if pace_s:
            self._loop.call_later(pace_s, self._step, number + 1, pace_s)
        else:
            self._loop.call_soon(self._step, number + 1, pace_s)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def _serve(port: int, chunks: int) -> None:
    events = _events(chunks)
    server = await asyncio.get_running_loop().create_server(lambda: _Upstream(events), "127.0.0.1", port, backlog=2048)
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
