"""OpenAI's published document judges what clients are given, and what OpenAI would be sent."""

from typing import Any

import orjson
import pytest

from llm_inference_router.backends.base import Answer, Backend
from llm_inference_router.backends.registry import backend
from llm_inference_router.dialects.chat import parse
from llm_inference_router.dialects.fault import render, to_error
from tests.backends import wire
from tests.openapi.judge import faults
from tests.traces.read import Trace, traces

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
_NO_CALL = "vllm-random/24-tools_named"  # what it answered is a fault, and no answer
WHOLE = [one for path in (CHAT, MESSAGES) for one in traces(path, stream=False, ok=True) if one.id != _NO_CALL]
STREAMS = [one for path in (CHAT, MESSAGES) for one in traces(path, stream=True, ok=True)]
ERRORS = traces(CHAT, ok=False)


def spoken(exchange: Trace) -> Backend:
    return backend("anthropic" if exchange.path == MESSAGES else "openai_compatible")


@pytest.mark.parametrize("exchange", WHOLE, ids=[f"{one.id}" for one in WHOLE])
def test_an_answer_is_as_openai_publishes_it(exchange: Trace) -> None:
    answer = spoken(exchange).answer(exchange.body, wire.rendering())
    assert isinstance(answer, Answer)
    assert faults("CreateChatCompletionResponse", answer.body) == []


@pytest.mark.parametrize("exchange", STREAMS, ids=[f"{one.id}" for one in STREAMS])
@pytest.mark.parametrize("include_usage", [True, False])
def test_every_chunk_is_as_openai_publishes_it(exchange: Trace, include_usage: bool) -> None:
    found = wire.pieces(spoken(exchange), [exchange.body], include_usage=include_usage)
    _, sent = wire.assembled(found, include_usage=include_usage)
    chunks = [orjson.loads(frame[6:]) for frame in sent.split(b"\n\n")[:-2]]
    assert chunks
    assert [fault for chunk in chunks for fault in faults("CreateChatCompletionStreamResponse", chunk)] == []


@pytest.mark.parametrize("exchange", ERRORS, ids=[one.id for one in ERRORS])
def test_an_error_is_as_openai_publishes_it(exchange: Trace) -> None:
    fault = backend("openai").fault(exchange.status, exchange.headers, exchange.body)
    _, _, body = render(to_error(fault), "request")
    assert faults("ErrorResponse", orjson.loads(body)) == []


def test_what_openai_is_sent_is_as_it_publishes_it() -> None:
    mark = {"type": "ephemeral"}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    raw: dict[str, Any] = {
        "model": "auto",
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "s", "cache_control": mark}]},
            {"role": "user", "content": [image, {"type": "text", "text": "hi", "cache_control": mark}]},
            {"role": "assistant", "tool_calls": [call], "thinking_blocks": [], "reasoning_content": "hm"},
            {"role": "tool", "tool_call_id": "a", "content": [image], "is_error": True},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": mark}],
        "stream": True,
        "reasoning_effort": "low",
    }
    made = backend("openai").encode(parse(orjson.dumps(raw)), wire.model("openai"))
    assert faults("CreateChatCompletionRequest", orjson.loads(made.call.body)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"choices": []},
        {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0}]},
    ],
)
def test_the_judge_finds_what_is_missing(wrong: dict[str, Any]) -> None:
    assert faults("CreateChatCompletionResponse", wrong)
