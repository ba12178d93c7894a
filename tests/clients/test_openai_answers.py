"""The official openai client gets every recorded answer of every server through route `auto`, as it was given."""

import asyncio
from typing import Any

import orjson
import pytest
from openai import AsyncOpenAI, LengthFinishReasonError, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.clients.replay import CHAT, arguments, finishes, replays, said, upstream_answers
from tests.serving.router import Router
from tests.serving.upstream import STREAM_HEAD, Request, Upstream, completion, delta, event, whole
from tests.traces.read import Trace, trace, traces

# One of them is no answer: random weights called a tool with what no client could read (tests/traps/test_vllm.py).
WHOLE = tuple(one for one in traces(CHAT, stream=False, ok=True) if one.id != "vllm-random/24-tools_named")
STREAMS = traces(CHAT, stream=True, ok=True)
TOOL_CALLS = ["vllm/20-tools_auto", "vllm/22-tools_required", "vllm/24-tools_named", "aimock/20-tools_auto"]
TOOL_STREAMS = ["vllm/21-tools_auto_stream", "vllm/23-tools_required_stream", "aimock/21-tools_auto_stream"]

each_whole = pytest.mark.parametrize("exchange", WHOLE, ids=[one.id for one in WHOLE])
each_stream = pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])


def teach(backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)


def test_the_traces_hold_every_kind_of_answer() -> None:
    assert {one.server for one in WHOLE} == {
        "aimock", "llama-cpp-python", "transformers-serve", "vllm", "vllm-random", "vllm-reasoning",
    }  # fmt: skip
    assert {one.server for one in STREAMS} == {
        "aimock", "llama-cpp-python", "transformers-serve", "vllm", "vllm-reasoning",
    }  # fmt: skip
    answers = [answer for one in (*WHOLE, *STREAMS) for answer in upstream_answers(one)]
    assert any(len(answer["choices"]) == 1 and answer["choices"][0].get("logprobs") for answer in answers)
    kinds = {kind.split(" ")[0] for _, kind in said(answers)}
    assert kinds >= {"content", "reasoning", "tool"}


def _tokens(choice: dict[str, Any]) -> Any:
    return (choice.get("logprobs") or {}).get("content")


@each_whole
def test_a_recorded_whole_answer_arrives_as_it_was_given(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    teach(backend, exchange)
    response = client.chat.completions.with_raw_response.create(**arguments(exchange))
    raw = response.content
    strict = ChatCompletion.model_validate_json(raw, strict=True)
    answer = response.parse()
    assert answer == strict
    assert answer.model == response.headers["x-router-model"] == exchange.server
    [given] = upstream_answers(exchange)
    [got] = [orjson.loads(raw)]
    assert said([got]) == said([given])
    assert finishes([got]) == finishes([given])
    for mine, theirs in zip(got["choices"], given["choices"], strict=True):
        assert _tokens(mine) == _tokens(theirs)
    if given.get("usage"):
        assert got["usage"]["total_tokens"] == given["usage"]["total_tokens"]
    assert set(given) <= set(got)


@each_stream
def test_a_recorded_stream_arrives_as_it_was_given(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    teach(backend, exchange)
    with client.chat.completions.with_streaming_response.create(**arguments(exchange)) as response:
        lines = [line for line in response.iter_lines() if line]
        headers = response.headers
    assert headers["content-type"].startswith("text/event-stream")
    assert lines[-1] == "data: [DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line.removeprefix("data: "), strict=True) for line in lines[:-1]]
    assert {chunk.model for chunk in chunks} == {exchange.server}
    assert len({chunk.id for chunk in chunks}) == 1
    got = [orjson.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    given = upstream_answers(exchange)
    assert said(got) == said(given)
    assert finishes(got) == finishes(given)
    logprobs = [
        [_tokens(c) for answer in side for c in answer["choices"] if c.get("logprobs")] for side in (got, given)
    ]
    assert logprobs[0] == logprobs[1]
    assert any(chunk.usage for chunk in chunks) is exchange.asked_usage


@each_stream
def test_the_client_reads_a_recorded_stream_chunk_by_chunk(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    teach(backend, exchange)
    chunks = list(client.chat.completions.create(**arguments(exchange)))
    assert all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks)
    assert said([chunk.model_dump() for chunk in chunks]) == said(upstream_answers(exchange))


@each_stream
def test_the_clients_accumulator_rebuilds_the_whole_answer(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    """`stream()` puts chunks together by rules of its own, tool calls by index, and validates what comes out."""
    teach(backend, exchange)
    wanted = arguments(exchange)
    del wanted["stream"]
    answer: ChatCompletion
    with client.chat.completions.stream(**wanted) as stream:
        try:
            answer = stream.get_final_completion()
        except LengthFinishReasonError as cut:  # its way to say that the model was cut short
            answer = cut.completion
    given = upstream_answers(exchange)
    assert (answer.choices[0].message.content or "") == said(given).get((0, "content"), "")
    assert answer.choices[0].finish_reason == finishes(given)[0]


async def _ask(router: Router, exchange: Trace) -> list[dict[str, Any]]:
    async with AsyncOpenAI(base_url=router.url + "/v1", api_key="unused", timeout=20) as client:
        wanted = arguments(exchange)
        if exchange.stream:
            return [chunk.model_dump() async for chunk in await client.chat.completions.create(**wanted)]
        answer = await client.chat.completions.create(**wanted)
        return [answer.model_dump()]


@pytest.mark.parametrize("exchange", [*WHOLE, *STREAMS], ids=[one.id for one in (*WHOLE, *STREAMS)])
def test_the_async_client_gets_the_same(router: Router, backend: Upstream, exchange: Trace) -> None:
    teach(backend, exchange)
    got = asyncio.run(_ask(router, exchange))
    assert said(got) == said(upstream_answers(exchange))
    assert {answer["model"] for answer in got} == {exchange.server}


def test_many_answers_at_once_are_not_mixed_up(router: Router, backend: Upstream) -> None:
    exchanges = [trace(name) for name in (*TOOL_CALLS[:1], *TOOL_STREAMS[2:], "llama-cpp-python/10-chat_stream")]
    for exchange in exchanges:
        teach(backend, exchange)

    async def ask_all() -> list[list[dict[str, Any]]]:
        return await asyncio.gather(*(_ask(router, exchange) for exchange in exchanges * 10))

    for exchange, got in zip(exchanges * 10, asyncio.run(ask_all()), strict=True):
        assert said(got) == said(upstream_answers(exchange))


@pytest.mark.parametrize("name", TOOL_CALLS)
def test_a_tool_call_can_be_run_and_answered(client: OpenAI, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    teach(backend, exchange)
    wanted = arguments(exchange)
    message = client.chat.completions.create(**wanted).choices[0].message
    assert message.tool_calls
    [call] = message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert "city" in orjson.loads(call.function.arguments)
    teach(backend, trace("vllm/25-tools_result" if exchange.server == "vllm" else "aimock/06-chat"))
    turns = [*wanted["messages"], message, {"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 21}'}]
    answer = client.chat.completions.create(**{**wanted, "messages": turns})
    assert answer.choices[0].message.content
    sent = backend.requests[-1].body["messages"]
    assert sent[-2]["tool_calls"][0]["id"] == sent[-1]["tool_call_id"] == call.id


@pytest.mark.parametrize("name", TOOL_STREAMS)
def test_a_streamed_tool_call_is_put_together_by_the_client(client: OpenAI, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    teach(backend, exchange)
    wanted = arguments(exchange)
    del wanted["stream"]
    with client.chat.completions.stream(**wanted) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        answer = stream.get_final_completion()
    [call] = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert "city" in orjson.loads(call.function.arguments)
    assert [event.name for event in done] == ["get_weather"]


def test_the_upstream_is_asked_what_the_client_asked(client: OpenAI, backend: Upstream) -> None:
    exchange = trace("vllm/61-unknown_field")
    teach(backend, exchange)
    client.chat.completions.create(**arguments(exchange))
    [request] = backend.requests
    asked = orjson.loads(exchange.request)
    assert request.body == asked | {"model": "vllm-upstream"}
    assert "unused" not in request.head


def _two_choices(request: Request) -> bytes:
    texts = ("Heads.", "Tails.")
    if not request.body.get("stream"):
        body = completion()
        body["choices"] = [
            body["choices"][0] | {"index": i, "message": {"role": "assistant", "content": t}}
            for i, t in enumerate(texts)
        ]
        return whole(body)
    chunks = []
    for position in range(len(texts[0])):
        for index, text in enumerate(texts):
            chunk = orjson.loads(delta(text[position]))
            chunk["choices"][0]["index"] = index
            chunks.append(event(orjson.dumps(chunk)))
    for index in (1, 0):
        chunk = orjson.loads(delta(finish="stop"))
        chunk["choices"][0]["index"] = index
        chunks.append(event(orjson.dumps(chunk)))
    return STREAM_HEAD + b"".join(chunks) + event(b"[DONE]") + b"0\r\n\r\n"


@pytest.mark.parametrize("stream", [False, True])
def test_two_choices_arrive_apart(client: OpenAI, backend: Upstream, stream: bool) -> None:
    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        assert request.body["n"] == 2
        writer.write(_two_choices(request))

    backend.behaviours["vllm-upstream"] = behave
    answer = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Toss twice."}], n=2, stream=stream
    )
    got = [one.model_dump() for one in answer] if isinstance(answer, Stream) else [answer.model_dump()]
    assert said(got) == {(0, "content"): "Heads.", (1, "content"): "Tails."}
    assert finishes(got) == {0: "stop", 1: "stop"}
