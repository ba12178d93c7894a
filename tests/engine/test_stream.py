"""A stream on its way: the client gets the same frames however the bytes were cut and however slow it is."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.anthropic_relay_stream import RelayDecoder
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.openai_stream import OpenAIDecoder
from llm_inference_router.config.models import catalogue
from llm_inference_router.config.schema import Config, ModelConfig
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.chat_writer import ChatWriter
from llm_inference_router.dialects.messages_writer import MessagesWriter
from llm_inference_router.engine.deadline import Deadline
from llm_inference_router.engine.stream import Stream
from llm_inference_router.engine.trace import Trace
from llm_inference_router.transport.base import Take, TransportFault
from llm_inference_router.types import Fault, Timeouts
from tests.serving.upstream import USAGE, delta
from tests.support.clock import JumpingLoop

RENDERING = Rendering("ours", "chatcmpl-0", 1, include_usage=True)
EVENTS = [delta("", role="assistant"), *[delta(f"w{n} ") for n in range(6)], delta(finish="stop"), USAGE, b"[DONE]"]
LIMITS = Timeouts(first_token=5.0, idle=0.3, total=10.0)
BODY = b"".join(b"data: " + one + b"\n\n" for one in EVENTS)


class Packets:
    """A response whose bytes come in these packets; `pause_s` before each, `silent_s` after the last."""

    status = 200

    def __init__(
        self, packets: list[bytes], pause_s: float = 0.0, fault: Fault | None = None, silent_s: float = 0.0
    ) -> None:
        self.headers: dict[str, str] = {}
        self._packets: Iterator[bytes] = iter(packets)
        self._pause_s = pause_s
        self._fault = fault
        self._silent_s = silent_s

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError

    async def pump(self, take: Take) -> bool:
        for packet in self._packets:
            await asyncio.sleep(self._pause_s)
            if not take(packet):
                return True
        await asyncio.sleep(self._silent_s)
        if self._fault is not None:
            raise TransportFault(self._fault)
        return False

    def close(self, finished: bool = False) -> None:
        """There is nothing to free."""

    discard = close


class Client:
    """A sink that can be written to at once when `ready` says so, and for ever after its end."""

    crowded = False

    def __init__(self, ready: list[bool]) -> None:
        self._ready = iter(ready)
        self.got = b""
        self.begun = 0

    async def whole(self, trace: Trace, body: bytes) -> None:
        raise NotImplementedError

    async def begin(self, trace: Trace) -> None:
        raise NotImplementedError

    async def head(self) -> None:
        assert not self.got
        self.begun += 1

    async def send(self, frames: bytes) -> None:
        assert self.begun == 1
        await asyncio.sleep(0)
        self.got += frames

    def write(self, frames: bytes) -> bool:
        assert self.begun == 1
        if not next(self._ready, True):
            return False
        self.got += frames
        return True

    async def end(self, frames: bytes) -> None:
        self.got += frames


def assembly() -> Assembly:
    return Assembly(ChatWriter(Head("chatcmpl-0", 1, "ours"), include_usage=True))


async def streamed(response: Packets, client: Client, timeouts: Timeouts = LIMITS) -> tuple[Fault | None, Assembly]:
    state = assembly()
    with Deadline(timeouts, timeouts.total) as deadline:
        fault = await Stream(OpenAIDecoder(RENDERING), state, client, deadline, client.head).run(response)
    return fault, state


def whole() -> bytes:
    """The frames of the stream, taken without any stream."""
    decoder, state = OpenAIDecoder(RENDERING), assembly()
    return b"".join(frame for piece in decoder.feed(BODY) for frame in state.push(piece))


@given(
    cuts=st.lists(st.integers(1, len(BODY) - 1), max_size=20, unique=True),
    ready=st.lists(st.booleans(), max_size=20),
)
def test_neither_packets_nor_a_slow_client_change_what_it_gets(cuts: list[int], ready: list[bool]) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    packets = [BODY[start:end] for start, end in pairwise(edges)]
    client = Client(ready)
    fault, state = asyncio.run(streamed(Packets(packets), client))
    assert fault is None
    assert client.got == whole()
    assert state.complete
    assert state.settled


def test_without_a_way_to_write_at_once_everything_is_sent() -> None:
    client = Client([False] * 100)
    packets = [b"data: " + one + b"\n\n" for one in EVENTS]
    asyncio.run(streamed(Packets(packets), client))
    assert client.got == whole()


def test_nothing_is_begun_before_content() -> None:
    client = Client([])
    fault, _ = asyncio.run(streamed(Packets([b"data: " + EVENTS[0] + b"\n\n"]), client))
    assert fault is not None
    assert fault.kind == "truncated"
    assert client.begun == 0


def test_a_cut_in_the_middle_keeps_what_was_sent() -> None:
    client = Client([])
    cut = Packets([b"data: " + one + b"\n\n" for one in EVENTS[:4]], fault=Fault("truncated", "it broke off"))
    with pytest.raises(TransportFault):
        asyncio.run(streamed(cut, client))
    assert client.got == b"".join(one + b"\n\n" for one in whole().split(b"\n\n")[:4])


def test_each_packet_puts_the_idle_limit_off_and_silence_meets_it() -> None:
    events = [b"data: " + one + b"\n\n" for one in EVENTS]
    client = Client([])
    fault, _ = asyncio.run(streamed(Packets(events, pause_s=0.1), client))
    assert fault is None
    assert client.got == whole()
    with pytest.raises(TransportFault) as raised:
        asyncio.run(streamed(Packets(events, pause_s=0.6), client := Client([])))
    assert raised.value.fault.kind == "timeout.idle"
    assert client.begun == 1


@pytest.mark.parametrize(
    ("packets", "kind", "after_s"), [([], "timeout.first_token", 10.0), (EVENTS[:3], "timeout.idle", 15.0)]
)
def test_silence_is_waited_for_as_long_as_the_defaults_say(packets: list[bytes], kind: str, after_s: float) -> None:
    model = ModelConfig(name="m", backend="openai", tier="small", context=4096, location="cloud")
    [made] = catalogue(Config(models=(model,), routes={}))
    said = [b"data: " + one + b"\n\n" for one in packets]

    async def wait() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(TransportFault) as raised:
            await streamed(Packets(said, silent_s=3600.0), Client([]), made.timeouts)
        assert raised.value.fault.kind == kind
        return asyncio.get_running_loop().time() - began

    with closing(JumpingLoop()) as loop:
        assert loop.run_until_complete(wait()) == pytest.approx(after_s)


def test_comments_are_no_sign_of_life_and_what_comes_with_an_event_is() -> None:
    events = [b"data: " + one + b"\n\n" for one in EVENTS]
    with pytest.raises(TransportFault) as raised:
        asyncio.run(streamed(Packets([*events[:3], *[b": ping\n\n"] * 20], pause_s=0.1), Client([])))
    assert raised.value.fault.kind == "timeout.idle"
    fault, _ = asyncio.run(streamed(Packets([b": ping\n\n" + one for one in events], pause_s=0.1), Client([])))
    assert fault is None


def test_events_that_only_keep_a_connection_open_are_no_sign_of_life_either() -> None:
    said = [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
        *[{"type": "ping"}] * 20,
    ]
    packets = Packets([b"event: x\ndata: " + orjson.dumps(one) + b"\n\n" for one in said], pause_s=0.1)

    async def run() -> None:
        writer = MessagesWriter(Head("m", 1, "ours"))
        state = Assembly(writer, relayed=True)
        client = Client([])
        with Deadline(LIMITS, LIMITS.total) as deadline:
            await Stream(RelayDecoder(RENDERING), state, client, deadline, client.head).run(packets)

    with pytest.raises(TransportFault) as raised:
        asyncio.run(run())
    assert raised.value.fault.kind == "timeout.idle"
