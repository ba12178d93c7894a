"""Simulated models behind the transport's interface: pacing, errors, cancellation."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from msgspec import structs

from llm_inference_router.backends.base import Call
from llm_inference_router.transport.base import Response, TransportFault
from llm_inference_router.transport.simulated import SimulatedTransport
from llm_inference_router.types import Endpoint, Model, Price

ENDPOINT = Endpoint("sim@simulated", "simulated://sim")
MODEL = Model("sim", "simulated", "sim", (ENDPOINT,), "small", "local", "", 8192, 500, Price(), frozenset())
LONG = {"messages": [{"role": "user", "content": "Write a detailed essay"}], "metadata": {"difficulty": "1"}}


def call(body: Any = LONG, *, stream: bool = True) -> Call:
    return Call("/chat/completions", json.dumps(body).encode(), stream=stream)


async def send(transport: SimulatedTransport, request: Call, model: Model = MODEL) -> Response:
    return await transport.send(request, model, ENDPOINT)


def test_whole_and_streamed_answers_have_the_same_text() -> None:
    async def run() -> tuple[str, str]:
        transport = SimulatedTransport(speed=200)
        whole = json.loads(await (await send(transport, call(stream=False))).read(10**6))
        stream = await (await send(transport, call())).read(10**6)
        events = [json.loads(e[6:]) for e in stream.split(b"\n\n") if e and e != b"data: [DONE]"]
        said = "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
        return whole["choices"][0]["message"]["content"], said

    one, other = asyncio.run(run())
    assert one == other


def test_a_stream_takes_its_time_in_several_writes() -> None:
    async def run() -> tuple[list[float], float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        response = await send(SimulatedTransport(speed=10), call())
        times: list[float] = []

        def take(data: bytes) -> bool:
            times.append(loop.time() - started)
            return True

        assert not await response.pump(take)
        return times, times[-1]

    times, total = asyncio.run(run())
    assert len(times) > 5
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert total > 300 / 90 / 10 * 0.5  # hundreds of tokens at 90 a second, ten times as fast, half for jitter


def test_a_reader_that_pauses_finds_the_rest_in_one_write() -> None:
    async def run() -> int:
        response = await send(SimulatedTransport(speed=20), call())
        assert await response.pump(lambda data: False)
        await asyncio.sleep(0.6)
        rest: list[bytes] = []

        def take(data: bytes) -> bool:
            rest.append(data)
            return True

        assert not await response.pump(take)
        return len(rest)

    assert asyncio.run(run()) <= 3


def test_closing_ends_a_reader_that_waits() -> None:
    async def run() -> str:
        response = await send(SimulatedTransport(), call())
        reader = asyncio.ensure_future(response.read(10**6))
        await asyncio.sleep(0.05)
        response.close()
        with pytest.raises(TransportFault) as raised:
            await asyncio.wait_for(reader, 1.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return raised.value.fault.kind

    assert asyncio.run(run()) == "cancelled"


@pytest.mark.parametrize("stream", [True, False])
def test_cancellation_leaves_no_task_and_no_timer(stream: bool) -> None:
    async def run() -> None:
        async def ask() -> bytes:
            return await (await send(SimulatedTransport(), call(stream=stream))).read(10**6)

        task = asyncio.ensure_future(ask())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_hundred_streams_run_side_by_side() -> None:
    async def run() -> list[bytes]:
        transport = SimulatedTransport(speed=20)

        async def one(number: int) -> bytes:
            body = {"messages": [{"role": "user", "content": f"number {number}"}]}
            return await (await send(transport, call(body))).read(10**6)

        return await asyncio.gather(*(one(number) for number in range(100)))

    answers = asyncio.run(run())
    assert all(one.endswith(b"data: [DONE]\n\n") for one in answers)
    assert len({json.loads(one.split(b"\n\n")[0][6:])["id"] for one in answers}) == 100


def test_a_prompt_beyond_the_context_is_an_error_like_openais() -> None:
    async def run() -> tuple[int, Any]:
        response = await send(SimulatedTransport(speed=100), call(), structs.replace(MODEL, context=5))
        return response.status, json.loads(await response.read(10**6))

    status, body = asyncio.run(run())
    assert status == 400
    assert body["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("body", [[], {"messages": [3]}, {"messages": [], "n": "many"}, {"messages": [{}], "tools": 7}])
def test_a_body_that_makes_no_sense_is_a_400(body: Any) -> None:
    async def run() -> int:
        return (await send(SimulatedTransport(speed=1000), call(body, stream=False))).status

    assert asyncio.run(run()) == 400


def test_the_error_rate_is_seeded_and_off_by_default() -> None:
    async def statuses(rate: float) -> list[int]:
        transport = SimulatedTransport(speed=5000, error_rate=rate, seed=3)
        body = {"messages": [{"role": "user", "content": "hi"}]}
        return [(await send(transport, call(body, stream=False))).status for _ in range(60)]

    failing = asyncio.run(statuses(0.5))
    assert failing == asyncio.run(statuses(0.5))
    assert {200, 429, 500} == set(failing)
    assert set(asyncio.run(statuses(0.0))) == {200}


def test_a_limit_on_the_body_is_kept() -> None:
    async def run(stream: bool) -> None:
        response = await send(SimulatedTransport(speed=1000), call(stream=stream))
        with pytest.raises(TransportFault, match="longer than 50 bytes"):
            await response.read(50)

    asyncio.run(run(True))
    asyncio.run(run(False))


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"error_rate": 2}, {"tick_s": -1}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="speed is above 0"):
        SimulatedTransport(**wrong)  # type: ignore[arg-type]
