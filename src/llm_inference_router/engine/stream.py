"""One upstream's stream on its way to the client.

Bytes are decoded in the callback in which they arrive, and their frames leave in it. Only what has to wait wakes the
request's task: the first content (a head goes before it), a client that is slow, the end of the answer.
"""

from collections.abc import Awaitable, Callable

from llm_inference_router.backends.base import Decoder
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.engine.deadline import Deadline
from llm_inference_router.engine.sink import Sink
from llm_inference_router.transport.base import Response
from llm_inference_router.types import Fault

_KEEP_ALIVE = frozenset({b"ping", b"keepalive"})  # events that a server sends while its model is silent


class Stream:
    """`begin` is awaited once, before the first content is sent."""

    def __init__(
        self, decoder: Decoder, assembly: Assembly, sink: Sink, deadline: Deadline, begin: Callable[[], Awaitable[None]]
    ) -> None:
        self._decoder = decoder
        self._assembly = assembly
        self._sink = sink
        self._deadline = deadline
        self._begin = begin
        self._begun = False
        self._finishing = False
        self._unsent: list[bytes] = []  # frames that have to wait for the task

    async def run(self, response: Response) -> Fault | None:
        """None when the answer is complete. Raises TransportFault when its body breaks."""
        assembly = self._assembly
        while await response.pump(self._take):
            if self._unsent:
                await self._send()
            if assembly.settled:
                return assembly.truncation
            if assembly.finish_reason is not None and not self._finishing:
                self._finishing = True
                self._deadline.enter("finish")  # once: what still comes does not put it off
        for piece in self._decoder.close():
            self._unsent += assembly.push(piece)
        if self._unsent:
            await self._send()
        return assembly.truncation

    def _take(self, data: bytes) -> bool:
        """Sends what can leave at once. False: the task has something to do."""
        assembly = self._assembly
        frames: list[bytes] = []
        pieces = self._decoder.feed(data)
        for piece in pieces:
            frames += assembly.push(piece)
        if frames and not (self._begun and self._sink.write(_joined(frames))):
            self._unsent = frames
            return False
        # Comments give no piece: they keep a connection open, and say nothing of the model.
        if pieces and self._begun and not self._finishing and pieces[-1].event not in _KEEP_ALIVE:
            self._deadline.touch()
        return assembly.finish_reason is None and not assembly.settled

    async def _send(self) -> None:
        frames, self._unsent = self._unsent, []
        self._deadline.enter("client")
        if not self._begun:
            self._begun = True
            await self._begin()
        await self._sink.send(_joined(frames))
        self._deadline.enter("idle")


def _joined(frames: list[bytes]) -> bytes:
    return frames[0] if len(frames) == 1 else b"".join(frames)
