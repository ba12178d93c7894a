import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from llm_inference_router.backends.base import Answer
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.backends.registry import backend
from llm_inference_router.dialects.chat import parse
from llm_inference_router.types import Fault
from tests.backends import wire
from tests.traces.read import Trace, trace, traces

CHAT = "/v1/chat/completions"
# One answer forces a tool upon a model with random weights, and gets what is no call: tests/traps/test_vllm.py.
WHOLE = tuple(one for one in traces(CHAT, stream=False, ok=True) if one.id != "vllm-random/24-tools_named")
STREAMS = traces(CHAT, stream=True, ok=True)
ERRORS = traces(CHAT, ok=False)
openai = OpenAI(TABLE["openai_compatible"])


def named(found: tuple[Trace, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("exchange", found, ids=[one.id for one in found])


def whole(body: bytes) -> Answer:
    answer = openai.answer(body, wire.rendering())
    assert isinstance(answer, Answer)
    return answer


def test_the_traces_cover_every_server() -> None:
    servers = {"vllm", "vllm-random", "vllm-reasoning", "llama-cpp-python", "transformers-serve", "aimock"}
    assert {one.server for one in WHOLE} == servers
    assert {one.server for one in STREAMS} == servers - {"vllm-random"}
    assert len(WHOLE) >= 59


# --- whole answers ------------------------------------------------------------------------------------------


@named(WHOLE)
def test_a_recorded_answer_is_valid_and_keeps_what_was_said(exchange: Trace) -> None:
    theirs = orjson.loads(exchange.body)
    answer = whole(exchange.body)
    ours = wire.completion(answer.body)
    assert ours.model == wire.MODEL_NAME
    for mine, original in zip(ours.choices, theirs["choices"], strict=True):
        assert mine.message.content == original["message"].get("content")
        assert mine.finish_reason == original["finish_reason"]
        calls = [call["function"] for call in original["message"].get("tool_calls") or ()]
        assert [c.function.model_dump() for c in mine.message.tool_calls or () if c.type == "function"] == calls
    assert answer.usage is not None
    assert answer.usage.input_tokens == theirs["usage"]["prompt_tokens"]
    assert answer.usage.output_tokens == theirs["usage"]["completion_tokens"]
    assert answer.text_chars > 0


@named(tuple(one for one in WHOLE if one.server.startswith("vllm")))
def test_a_valid_answer_keeps_all_that_it_says(exchange: Trace) -> None:
    theirs = orjson.loads(exchange.body)
    theirs["model"] = wire.MODEL_NAME
    theirs["usage"] = {k: v for k, v in theirs["usage"].items() if v is not None}
    for choice in theirs["choices"]:
        for name in ("annotations", "function_call"):
            if choice["message"].get(name, 0) is None:
                del choice["message"][name]  # null where OpenAI would leave it out
        if choice["logprobs"]:
            choice["logprobs"].setdefault("refusal", None)
        if choice["message"].get("reasoning"):
            choice["message"]["reasoning_content"] = choice["message"]["reasoning"]  # added, for clients that read it
    assert whole(exchange.body).body == theirs


BROKEN_BODIES: list[dict[str, Any]] = [
    {"choices": [{"message": {"content": "hi"}}]},
    {"id": "", "created": None, "choices": [{"message": {"content": "hi"}, "finish_reason": "eos_token"}]},
    {
        "id": 7,
        "created": 1.5,
        "object": "text",
        "choices": [{"message": {"content": "hi", "tool_calls": "x"}}],
    },
    {"choices": [{"index": "0", "message": {"role": "bot", "content": "hi", "refusal": 3}, "logprobs": []}]},
    {"choices": [{"message": {"content": [{"type": "text", "text": "hi"}], "annotations": {}}}]},
    {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 3}, "service_tier": "gold"},
    {"choices": [{"message": {"content": "hi"}}], "usage": "none", "system_fingerprint": 3},
    {"choices": [{"message": {"content": "hi"}, "logprobs": {"content": [{"token": "hi"}]}}]},
]


@pytest.mark.parametrize("body", BROKEN_BODIES, ids=str)
def test_an_invalid_answer_is_made_valid(body: dict[str, Any]) -> None:
    answer = whole(json.dumps(body).encode())
    ours = wire.completion(answer.body)
    assert ours.choices[0].message.content == "hi"
    assert ours.choices[0].finish_reason == "stop"
    assert ours.id


def test_tool_arguments_that_are_an_object_become_text() -> None:
    call = {"id": 0, "function": {"name": "f", "arguments": {"a": 1}}}
    answer = whole(json.dumps({"choices": [{"message": {"content": None, "tool_calls": [call]}}]}).encode())
    tool = (wire.completion(answer.body).choices[0].message.tool_calls or [])[0]
    assert tool.type == "function"
    assert (tool.id, tool.function.arguments) == ("0", '{"a":1}')
    assert answer.finish_reason == "tool_calls"


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": None, "odd": "x"},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    doc = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": usage}
    answer = whole(json.dumps(doc).encode())
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.cached_tokens, answer.usage.reasoning_tokens) == (
        100,
        64,
        12,
    )
    assert wire.completion(answer.body).usage is not None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>502</html>", "malformed"),
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b'{"choices": []}', "malformed"),
        (b'{"choices": [{"message": {"content": "\xff"}}]}', "malformed"),
        (b'{"choices":' + b"[" * 300 + b"]" * 300 + b"}", "malformed"),
        (b'{"error": {"message": "no", "code": 500}}', "status"),
        (b'{"error": {"message": "slow down", "type": "rate_limit_error"}}', "rate_limited"),
        (b'{"choices": [{"message": {"content": "h"}, "finish_reason": "abort"}]}', "truncated"),
    ],
)
def test_a_body_that_is_no_answer_is_a_fault(body: bytes, kind: str) -> None:
    fault = openai.answer(body, wire.rendering())
    assert isinstance(fault, Fault)
    assert fault.kind == kind


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**40), 2**40)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "message",
                        "delta",
                        "content",
                        "tool_calls",
                        "function",
                        "arguments",
                        "name",
                        "index",
                        "usage",
                        "id",
                        "finish_reason",
                        "logprobs",
                        "role",
                        "prompt_tokens",
                        "completion_tokens",
                        "created",
                        "error",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=25,
    )
)
def test_no_json_breaks_the_reading_of_answers_and_chunks(doc: Any) -> None:
    for body in ({"choices": doc}, {"choices": [{"message": doc, "delta": doc}], "usage": doc}, doc):
        data = orjson.dumps(body)
        answer = openai.answer(data, wire.rendering())
        if isinstance(answer, Answer):
            wire.completion(answer.body)
        stream = b"data: " + data + b"\n\n"
        for piece in wire.pieces(openai, [stream]):
            if piece.chunk is not None:
                ChatCompletionChunk.model_validate_json(piece.chunk, strict=True)


# --- errors -------------------------------------------------------------------------------------------------


@named(ERRORS)
def test_a_recorded_error_is_classified(exchange: Trace) -> None:
    fault = openai.fault(exchange.status, exchange.headers, exchange.body)
    assert fault.kind == "status"
    assert fault.message
    assert "File" not in fault.message
    assert len(fault.message) <= 1000
    context = exchange.name in ("49-err_ctx", "50-err_ctx_stream") or "max_model_len" in fault.message
    if context:
        assert (fault.code, fault.final, fault.status) == ("context_length_exceeded", False, 400)
    elif "pinned to" in fault.message:
        assert (fault.status, fault.final) == (404, False)  # the wrong model at this address, and not a wrong request
    elif exchange.status in (400, 422):
        assert fault.final is ("Unexpected fields" not in fault.message)  # another server may know the field
        assert fault.status == exchange.status
    else:
        assert not fault.final
    if b"validation error" in exchange.body:
        assert fault.status == 400  # llama-cpp-python says 500


def test_vllm_words_are_kept_and_its_integer_code_is_not() -> None:
    exchange = trace("vllm/52-err_temp")
    fault = openai.fault(exchange.status, exchange.headers, exchange.body)
    assert fault.message.startswith("temperature must be non-negative") or "temperature" in fault.message
    assert (fault.type, fault.code) == ("BadRequestError", None)


# --- requests -----------------------------------------------------------------------------------------------


def encoded(name: str, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **fields}
    made = backend(name).encode(parse(orjson.dumps(body)), wire.model(name))
    assert made.call.path == "/chat/completions"
    return orjson.loads(made.call.body), made.warnings


NAMES = sorted(TABLE)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_request_changes_only_its_model(name: str) -> None:
    body, warnings = encoded(name, temperature=0.3, max_tokens=5, unknown={"a": [1]}, seed=1)
    assert body == {
        "model": "upstream-name",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.3,
        "max_tokens": 5,
        "unknown": {"a": [1]},
        "seed": 1,
    }
    assert warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_streams_always_ask_for_usage(name: str) -> None:
    body, _ = encoded(name, stream=True)
    assert body["stream_options"] == {"include_usage": True}
    body, _ = encoded(name, stream=True, stream_options={"include_usage": False, "continuous_usage_stats": True})
    assert body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


def test_stream_options_without_a_stream_are_left_out() -> None:
    body, _ = encoded("openai", stream_options={"include_usage": True})
    assert "stream_options" not in body


def test_the_client_s_own_body_is_never_changed() -> None:
    raw = {
        "model": "auto",
        "messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 5,
        "top_p": 1,
        "n": 2,
        "response_format": {"type": "json_object"},
        "stream": True,
    }
    request = parse(orjson.dumps(raw))
    for name in [*NAMES, "anthropic"]:
        backend(name).encode(request, wire.model(name))
    assert request.body == raw


def test_the_developer_role_reaches_only_servers_that_know_it() -> None:
    messages = [{"role": "developer", "content": "x"}, {"role": "user", "content": "hi"}]
    assert encoded("openai", messages=messages)[0]["messages"] == messages
    body, warnings = encoded("vllm", messages=messages)
    assert body["messages"][0] == {"role": "system", "content": "x"}
    assert len(warnings) == 1


def test_openai_gets_the_limit_that_the_client_named() -> None:
    assert encoded("openai", max_completion_tokens=9)[0]["max_completion_tokens"] == 9


@pytest.mark.parametrize("name", ["tgi", "llamacpp", "ollama"])
def test_servers_that_know_max_tokens_alone_get_that(name: str) -> None:
    body, warnings = encoded(name, max_completion_tokens=9, max_tokens=99)
    assert body["max_tokens"] == 9
    assert "max_completion_tokens" not in body
    assert len(warnings) == 1


def test_tgi_from_specification() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": schema}}
    body, warnings = encoded("tgi", top_p=1, n=2, response_format=form)
    assert "top_p" not in body
    assert "n" not in body
    assert body["response_format"] == {"type": "json", "value": schema}
    assert len(warnings) == 3
    tools = [{"type": "function", "function": {"name": "f"}}]
    body, warnings = encoded("tgi", top_p=0.9, tools=tools, response_format=form)
    assert body["top_p"] == 0.9
    assert "response_format" not in body
    assert len(warnings) == 1


def test_llamacpp_gets_a_schema_in_the_form_that_it_knows() -> None:
    schema = {"type": "object"}
    body, _ = encoded("llamacpp", response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    assert body["response_format"] == {"type": "json_object", "schema": schema}
