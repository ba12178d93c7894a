"""The official openai client gets recorded Anthropic Messages as chat answers: whole, streamed, with tools."""

from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.clients.replay import finishes, replays, said
from tests.serving.upstream import Upstream, sends, whole
from tests.traces.read import Trace, traces

MESSAGES = "/v1/messages"
WHOLE = traces(MESSAGES, stream=False, ok=True)
STREAMS = traces(MESSAGES, stream=True, ok=True)
FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "stop_sequence": "stop"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
each_whole = pytest.mark.parametrize("exchange", WHOLE, ids=[one.id for one in WHOLE])
each_stream = pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])


def wanted(**fields: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "What is the weather in Paris?"},
    ]
    return {
        "model": "auto",
        "messages": messages,
        "tools": TOOLS,
        "extra_headers": {"x-router-tags": "server=claude"},
    } | fields


def events(exchange: Trace) -> list[dict[str, Any]]:
    lines = exchange.body.replace(b"\r\n", b"\n").split(b"\n")
    return [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def given(exchange: Trace) -> tuple[dict[str, str], list[tuple[str, Any]], str]:
    """What a trace says: its text and thinking, its tool calls (name, input), and its stop reason."""
    if not exchange.stream:
        body = orjson.loads(exchange.body)
        blocks, stop = body["content"], body["stop_reason"]
    else:
        blocks, stop = [], ""
        for event in events(exchange):
            if event["type"] == "content_block_start":
                blocks.append({**event["content_block"], "partial": ""})
            elif event["type"] == "content_block_delta":
                delta = event["delta"]
                name = {"text_delta": "text", "input_json_delta": "partial", "thinking_delta": "thinking"}.get(
                    delta["type"]
                )
                if name:
                    blocks[-1][name] += delta.get(name, delta.get("partial_json"))
            elif event["type"] == "message_delta":
                stop = event["delta"]["stop_reason"]
        for block in blocks:
            if block["type"] == "tool_use":
                block["input"] = orjson.loads(block["partial"])
    texts = {kind: "".join(b[kind] for b in blocks if b["type"] == kind) for kind in ("text", "thinking")}
    return texts, [(b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"], stop


def matches(got: list[dict[str, Any]], exchange: Trace) -> None:
    texts, calls, stop = given(exchange)
    words = said(got)
    assert words.get((0, "content"), "") == texts["text"]
    assert words.get((0, "reasoning"), "") == texts["thinking"]
    named = [(words[0, f"tool {i} name"], orjson.loads(words[0, f"tool {i} arguments"])) for i in range(len(calls))]
    assert named == calls
    assert finishes(got) == {0: FINISH[stop]}


def test_the_traces_hold_text_thinking_and_tools() -> None:
    for exchanges in (WHOLE, STREAMS):
        assert any(given(one)[0]["text"] for one in exchanges)
        assert any(given(one)[0]["thinking"] for one in exchanges)
        assert any(given(one)[1] for one in exchanges)


@each_whole
def test_a_recorded_message_becomes_a_chat_answer(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    response = client.chat.completions.with_raw_response.create(**wanted())
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    assert answer == response.parse()
    assert answer.model == "claude"
    matches([answer.model_dump()], exchange)
    usage = orjson.loads(exchange.body)["usage"]
    assert answer.usage is not None
    if usage["input_tokens"] == 0:  # a mock that counts nothing: the router estimates
        assert answer.usage.prompt_tokens > 0
        return
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        usage["input_tokens"],
        usage["output_tokens"],
    )


@each_stream
def test_a_recorded_message_stream_becomes_a_chat_stream(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    asked = wanted(stream=True, stream_options={"include_usage": True})
    with client.chat.completions.with_streaming_response.create(**asked) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]
    assert {chunk.model for chunk in chunks} == {"claude"}
    assert len({chunk.id for chunk in chunks}) == 1
    matches([chunk.model_dump() for chunk in chunks], exchange)
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


@each_stream
def test_the_clients_accumulator_rebuilds_a_message_stream(client: OpenAI, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    with client.chat.completions.stream(**wanted()) as stream:
        answer = stream.get_final_completion()
    texts, calls, _ = given(exchange)
    assert (answer.choices[0].message.content or "") == texts["text"]
    made = answer.choices[0].message.tool_calls or []
    assert [(call.function.name, orjson.loads(call.function.arguments)) for call in made] == calls


def test_a_tool_result_goes_back_in_anthropics_words(client: OpenAI, backend: Upstream) -> None:
    tool_use, answers = (
        next(one for one in WHOLE if bool(given(one)[1]) is with_tools) for with_tools in (True, False)
    )
    backend.behaviours["claude-upstream"] = replays(tool_use)
    asked = wanted()
    message = client.chat.completions.create(**asked).choices[0].message
    [call] = message.tool_calls
    backend.behaviours["claude-upstream"] = replays(answers)
    turns = [*asked["messages"], message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    assert client.chat.completions.create(**asked | {"messages": turns}).choices[0].message.content
    first, second = backend.requests
    assert "/messages " in first.head.split("\r\n")[0]
    assert "anthropic-version: 2023-06-01" in first.head.lower()
    assert first.body["system"] in ("Be short.", [{"type": "text", "text": "Be short."}])
    assert first.body["max_tokens"] > 0
    [*_, used, result] = second.body["messages"]
    assert (used["role"], used["content"][-1]["type"], used["content"][-1]["id"]) == ("assistant", "tool_use", call.id)
    assert (result["role"], result["content"][0]["type"], result["content"][0]["tool_use_id"]) == (
        "user",
        "tool_result",
        call.id,
    )


def test_a_recorded_error_becomes_a_bad_request(client: OpenAI, backend: Upstream) -> None:
    for exchange in (one for one in traces(MESSAGES, ok=False) if one.status == 400):
        backend.behaviours["claude-upstream"] = replays(exchange)
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**wanted())
        assert isinstance(caught.value.body, dict)
        assert set(caught.value.body) == {"message", "type", "param", "code"}


def test_an_overloaded_anthropic_is_not_asked_by_the_client_again(client: OpenAI, backend: Upstream) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    backend.behaviours["claude-upstream"] = sends(whole(overloaded, 529))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(**wanted())
    assert caught.value.status_code == 503
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(backend.requests) == int(caught.value.response.headers["x-router-attempts"])
