"""The official openai client through route `auto` of a real router to a real vLLM."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.real.report import totals
from tests.real.vllm import TIERS, WEATHER, config, generated, running, user
from tests.serving.router import Router, serving

pytestmark = [pytest.mark.real, pytest.mark.parametrize("backend", ["vllm"], indirect=True)]

COUNT = user("Count to twelve.")


@pytest.fixture(scope="module")
def router(vllm_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp("vllm"), config(vllm_url)) as running_router:
        yield running_router


@pytest.fixture
def client(router: Router) -> Iterator[OpenAI]:
    with OpenAI(base_url=router.url + "/v1", api_key="unused", timeout=180) as made:
        yield made


@pytest.fixture
def direct(vllm_url: str) -> Iterator[OpenAI]:
    """vLLM without the router: at temperature 0 it says the same every time."""
    with OpenAI(base_url=vllm_url, api_key="unused", timeout=180) as made:
        yield made


def wait_until(law: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not law():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def test_a_whole_answer_is_vllms_own(client: OpenAI, direct: OpenAI) -> None:
    asked: dict[str, Any] = {"messages": user("hi"), "temperature": 0, "max_tokens": 48}
    response = client.chat.completions.with_raw_response.create(model="auto", **asked)
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    expected = direct.chat.completions.create(model="tiny", **asked)
    assert answer.choices[0].message.content == expected.choices[0].message.content != ""
    assert answer.choices[0].finish_reason == expected.choices[0].finish_reason
    assert answer.usage == expected.usage
    assert answer.model == response.headers["x-router-model"] in {f"tiny-{tier}" for tier in TIERS}
    assert response.headers["x-router-route"] == "auto"


def test_a_streamed_answer_is_vllms_own(client: OpenAI, direct: OpenAI) -> None:
    asked: dict[str, Any] = {"messages": COUNT, "temperature": 0, "max_tokens": 64}
    expected = direct.chat.completions.create(model="tiny", **asked)
    with client.chat.completions.with_streaming_response.create(
        model="auto", stream=True, stream_options={"include_usage": True}, **asked
    ) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines.pop() == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]
    assert "".join(c.delta.content or "" for one in chunks for c in one.choices) == expected.choices[0].message.content
    assert len(chunks) > 5
    assert [c.finish_reason for one in chunks for c in one.choices if c.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert expected.usage is not None
    assert chunks[-1].usage.prompt_tokens == expected.usage.prompt_tokens
    assert chunks[-1].usage.completion_tokens == expected.usage.completion_tokens


def test_a_stream_without_usage_asked_for_has_none_and_is_billed_all_the_same(client: OpenAI, router: Router) -> None:
    before = totals(router)
    chunks = list(client.chat.completions.create(model="auto", messages=COUNT, stream=True, temperature=0))
    assert not any(chunk.usage for chunk in chunks)
    after = totals(router)
    assert after["with_usage"] == before["with_usage"] + 1
    assert after["estimated"] == before["estimated"]
    assert after["output_tokens"] > before["output_tokens"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(client: OpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"messages": user("What is the weather in Paris?"), "tools": [WEATHER], "temperature": 0}
    if stream:
        with client.chat.completions.stream(model="auto", max_tokens=80, **asked) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model="auto", max_tokens=80, **asked).choices[0]
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert set(orjson.loads(call.function.arguments)) == {"city"}
    turns = [*asked["messages"], choice.message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    asked["messages"] = turns
    after = client.chat.completions.create(model="auto", max_tokens=40, **asked)
    assert after.choices[0].finish_reason in ("stop", "length", "tool_calls")


@pytest.mark.parametrize("stream", [False, True])
def test_the_token_limit_ends_an_answer_with_length(client: OpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"model": "auto", "messages": COUNT, "max_tokens": 3, "temperature": 0}
    if stream:
        chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
        finish = [c.finish_reason for one in chunks for c in one.choices if c.finish_reason]
        usage = chunks[-1].usage
    else:
        answer = client.chat.completions.create(**asked)
        finish, usage = [answer.choices[0].finish_reason], answer.usage
    assert finish == ["length"]
    assert usage is not None
    assert usage.completion_tokens == 3


# Few characters of ours, many tokens of this vocabulary: what the router's estimate cannot foresee.
DENSE = user(" ".join(f"zyx{n}qj" for n in range(180)))
LONG = user("All the words of a very long letter. " * 600)


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_overflows_comes_back_as_vllms_own_error(client: OpenAI, direct: OpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"messages": DENSE, "max_tokens": 16}
    with pytest.raises(openai.BadRequestError) as theirs:
        direct.chat.completions.create(model="tiny", **asked)
    with pytest.raises(openai.BadRequestError) as ours:
        client.chat.completions.create(model="auto", stream=stream, **asked)
    assert ours.value.code == "context_length_exceeded"
    assert isinstance(theirs.value.body, dict)
    assert isinstance(ours.value.body, dict)
    assert ours.value.body["message"] == theirs.value.body["message"]
    assert ours.value.response.headers["x-router-attempts"] == "1"


@pytest.mark.parametrize(("messages", "attempts"), [(DENSE, "2"), (LONG, "1")])
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_overflows_goes_to_a_larger_model(
    client: OpenAI, messages: Any, attempts: str, stream: bool
) -> None:
    """Foreseen it never asks the small one; unforeseen it falls back after the small one's refusal."""
    response = client.chat.completions.with_raw_response.create(
        model="roomy", messages=messages, max_tokens=16, stream=stream
    )
    assert response.headers["x-router-model"] == "wide"
    assert response.headers["x-router-attempts"] == attempts
    assert response.headers["x-router-simulated"] == "true"
    answer: Any = response.parse()
    assert {one.model for one in answer} == {"wide"} if stream else answer.model == "wide"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_vllm(client: OpenAI, vllm_metrics: str, figures: list[str], stream: bool) -> None:
    endless: dict[str, Any] = {"messages": user("hi"), "max_tokens": 900, "extra_body": {"ignore_eos": True}}
    assert wait_until(lambda: running(vllm_metrics) == 0, 30)
    before = generated(vllm_metrics)
    if stream:
        with client.chat.completions.create(model="auto", stream=True, **endless) as chunks:
            for number, _ in enumerate(chunks):
                if number == 3:
                    break
            assert running(vllm_metrics) == 1
    else:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5, max_retries=0).chat.completions.create(model="auto", **endless)
    left = time.monotonic()
    assert wait_until(lambda: running(vllm_metrics) == 0, 2)
    assert 0 < generated(vllm_metrics) - before < 900  # it had begun, and it did not finish
    figures.append(
        f"vLLM idle {time.monotonic() - left:.2f} s after the client left ({'stream' if stream else 'whole'})"
    )


def test_a_bad_parameter_comes_back_with_vllms_words(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="auto", messages=user("hi"), n=2, temperature=0)
    assert "greedy" in caught.value.message
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
