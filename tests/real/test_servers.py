"""What every real server says of itself arrives through the router: the same words,
usage and end, valid for the official client.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.real.conftest import Backend
from tests.serving.router import Router

pytestmark = [
    pytest.mark.real,
    pytest.mark.parametrize("backend", ["llama-cpp", "transformers", "vllm"], indirect=True),
]


@pytest.fixture
def routed(router: Router) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{router.url}/v1", api_key="unused", timeout=300, max_retries=0) as client:
        yield client


@pytest.fixture
def direct(backend: Backend) -> Iterator[OpenAI]:
    with OpenAI(base_url=backend.url, api_key="unused", timeout=300, max_retries=0) as client:
        yield client


def asked(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 60}


@pytest.mark.proves("chat", ["llamacpp", "transformers", "vllm"], "usage", stream=False, evidence="real")
@pytest.mark.parametrize("text", ["hi", "count", "2+2"])
def test_a_whole_answer_is_the_servers_own(routed: OpenAI, direct: OpenAI, backend: Backend, text: str) -> None:
    response = routed.chat.completions.with_raw_response.create(model="auto", **asked(text))
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    expected = direct.chat.completions.create(model=backend.server.model, **asked(text))
    assert response.headers["x-router-model"] == answer.model == "real"
    assert answer.choices[0].message.content == expected.choices[0].message.content != ""
    assert answer.choices[0].finish_reason == expected.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert expected.usage is not None
    assert answer.usage.completion_tokens == expected.usage.completion_tokens
    assert answer.usage.prompt_tokens == expected.usage.prompt_tokens


def test_a_thought_in_the_text_stays_in_the_text(routed: OpenAI) -> None:
    content = routed.chat.completions.create(model="auto", **asked("2+2")).choices[0].message.content or ""
    assert content.startswith("<think>")
    assert content.endswith("</think>\n\nThe answer is 4.")


@pytest.mark.proves(
    "chat", ["llamacpp", "transformers", "vllm"], ["text", "finish_reasons"], stream=True, evidence="real"
)
@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_is_the_servers_own(routed: OpenAI, direct: OpenAI, backend: Backend, usage: bool) -> None:
    expected = direct.chat.completions.create(model=backend.server.model, **asked("count")).choices[0].message.content
    options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": usage}}
    with routed.chat.completions.with_streaming_response.create(model="auto", **options, **asked("count")) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == expected
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk for chunk in chunks if chunk.usage] == (chunks[-1:] if usage else [])


@pytest.mark.proves("chat", ["llamacpp", "transformers", "vllm"], "limits", evidence="real")
@pytest.mark.parametrize("stream", [False, True])
def test_the_token_limit_ends_an_answer_with_length(routed: OpenAI, stream: bool) -> None:
    wanted = asked("count") | {"max_tokens": 3}
    if stream:
        finishes = [
            choice.finish_reason
            for chunk in routed.chat.completions.create(model="auto", stream=True, **wanted)
            for choice in chunk.choices
            if choice.finish_reason
        ]
    else:
        finishes = [routed.chat.completions.create(model="auto", **wanted).choices[0].finish_reason]
    assert finishes == ["length"]
