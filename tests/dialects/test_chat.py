import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.registry import backend
from llm_inference_router.dialects.chat import MAX_KEYS, parse
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import Message
from tests.backends import wire
from tests.traces.read import traces

USER = {"role": "user", "content": "hi"}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": [USER], **fields}).encode()


def refused(data: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        parse(data)
    error = raised.value
    assert error.http_status == 400
    assert error.code
    assert error.message.isprintable()
    assert len(error.message) < 400
    return error


def test_a_plain_request() -> None:
    request = parse(body())
    assert (request.model, request.messages, request.stream) == ("auto", (Message("user", "hi"),), False)
    assert request.needs == frozenset()
    assert (request.choices, request.max_tokens, request.tools) == (1, None, 0)
    assert (request.include_usage, request.response_format) == (False, "text")


def test_what_is_not_read_passes_through() -> None:
    fields = {"seed": 1, "novel": {"a": [None, 1.5]}, "metadata": {"k": "v"}, "user": "u"}
    assert parse(body(**fields)).body == {"model": "auto", "messages": [USER], **fields}


@pytest.mark.parametrize("exchange", traces("/v1/chat/completions", ok=True), ids=lambda one: one.id)
def test_requests_that_real_servers_answered(exchange: Any) -> None:
    data = exchange.request
    tolerated = {"48-err_nomodel": "model", "56-err_role": "messages[0].role"}
    param = tolerated.get(exchange.name)
    if param:
        assert refused(data).param == param
    else:
        assert orjson.loads(data) == parse(data).body


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_body"),
        (b"  ", "empty_body"),
        (b"{not json", "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b'{"model": 1e999}', "invalid_json"),
        (b'{"model": "\xff"}', "invalid_json"),
        (b'{"model": "\\ud800"}', "invalid_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"model":"a","messages":[],"x":' + b"[" * 300 + b"]" * 300 + b"}", "too_deep"),
        (b'{"model":"' + b"x" * 5000 + b'","x":' + b"[" * 300 + b"]" * 300 + b"}", "too_deep"),
        (b"[]", "invalid_type"),
        (b'"text"', "invalid_type"),
        (b"null", "invalid_type"),
        (b"{" + b",".join(b'"k%d":0' % i for i in range(MAX_KEYS + 1)) + b"}", "too_many_keys"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else value,
)
def test_what_is_no_json_object(data: bytes, code: str) -> None:
    assert refused(data).code == code


def test_the_place_of_a_syntax_error_is_named() -> None:
    assert "line 2, column 4" in refused(b'{"model": "a",\n   x').message


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "empty_string"),
        ({"model": 3}, "model", "invalid_type"),
        ({"model": "a\r\nb"}, "model", "invalid_value"),
        ({"model": "a\0"}, "model", "invalid_value"),
        ({"model": "a" * 300}, "model", "string_above_max_length"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"messages": [USER] * 10_001}, "messages", "array_above_max_length"),
        ({"messages": [USER, 3]}, "messages[1]", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream_options": 1}, "stream_options", "invalid_type"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": True}, "top_p", "invalid_type"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [1]}, "tools[0]", "invalid_type"),
        ({"tools": [{"type": 1}]}, "tools[0].type", "invalid_type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [{"function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
        ({"tools": [{"function": {"name": ""}}]}, "tools[0].function.name", "empty_string"),
        (
            {"tools": [{"function": {"name": "f", "parameters": 1}}]},
            "tools[0].function.parameters",
            "invalid_type",
        ),
        ({"functions": [{"name": 1}]}, "functions[0].name", "invalid_type"),
        ({"tool_choice": 1}, "tool_choice", "invalid_type"),
        (
            {"tools": [{"function": {"name": "f"}}], "parallel_tool_calls": 1},
            "parallel_tool_calls",
            "invalid_type",
        ),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        ({"response_format": {}}, "response_format.type", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        ({"logprobs": 1}, "logprobs", "invalid_type"),
        ({"stop": 1}, "stop", "invalid_type"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"modalities": "audio"}, "modalities", "invalid_type"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"metadata": {"a": "x\r\ny"}}, "metadata", "invalid_value"),
        ({"base_url": "http://169.254.169.254"}, "base_url", "unsupported_parameter"),
        ({"api_key": "k"}, "api_key", "unsupported_parameter"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str, code: str) -> None:
    error = refused(body(**fields))
    assert (error.param, error.code) == (param, code)
    assert param in error.message


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"content": "x"}, ".role"),
        ({"role": 1, "content": "x"}, ".role"),
        ({"role": "wizard", "content": "x"}, ".role"),
        ({"role": "user"}, ".content"),
        ({"role": "user", "content": None}, ".content"),
        ({"role": "user", "content": 5}, ".content"),
        ({"role": "system", "content": {}}, ".content"),
        ({"role": "assistant", "content": None}, ".content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, ".content"),
        ({"role": "assistant", "content": "x", "tool_calls": {}}, ".tool_calls"),
        ({"role": "assistant", "tool_calls": [1]}, ".tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, ".tool_calls[0].id"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, ".tool_calls[0].function"),
        (
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]},
            ".tool_calls[0].function.arguments",
        ),
        ({"role": "tool", "content": "x"}, ".tool_call_id"),
        ({"role": "user", "content": ["x"]}, ".content[0]"),
        ({"role": "user", "content": [{"text": "x"}]}, ".content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, ".content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 1}]}, ".content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, ".content[0].image_url"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ".content[0].image_url.url"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": 1}]}, ".content[0].input_audio"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_message_is_named(message: dict[str, Any], place: str) -> None:
    error = refused(body(messages=[USER, message]))
    assert error.param == f"messages[1]{place}"


def test_messages_of_every_kind() -> None:
    messages = [
        {"role": "developer", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "d"},
        {"role": "function", "name": "f", "content": "e"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "refusal": "never"},
    ]
    assert parse(body(messages=messages)).messages == (
        Message("system", "a"),
        Message("user", "b\nc"),
        Message("assistant", "", (), 2),
        Message("tool", "d"),
        Message("tool", "e"),
        Message("assistant", "no"),
        Message("assistant", "never"),
    )


def test_parts_that_are_not_text_are_attachments() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:x"}},
        {"type": "input_audio", "input_audio": {"data": "x"}},
        {"type": "file", "file": {}},
        {"type": "novel"},
    ]
    request = parse(body(messages=[{"role": "user", "content": parts}]))
    assert request.messages[0].attachments == ("image", "audio", "file", "file")
    assert request.needs == {"vision", "audio"}


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools"}),
        ({"tools": [{"type": "custom"}], "parallel_tool_calls": True}, {"tools", "parallel_tools"}),
        ({"tools": [{"function": {"name": "f"}}], "parallel_tool_calls": False}, {"tools"}),
        ({"tools": [], "parallel_tool_calls": True}, set()),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, {"json_schema"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"response_format": {"type": "novel"}}, set()),
        ({"logprobs": True}, {"logprobs"}),
        ({"logprobs": False}, set()),
        ({"modalities": ["text", "audio"]}, {"audio"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # the same in every process
)
def test_needs(fields: dict[str, Any], needs: set[str]) -> None:
    assert parse(body(**fields)).needs == needs


def test_null_is_absence() -> None:
    names = [
        "stream",
        "stream_options",
        "max_tokens",
        "n",
        "temperature",
        "tools",
        "stop",
        "logprobs",
        "metadata",
    ]
    assert parse(body(**dict.fromkeys(names))).needs == frozenset()


def test_the_newer_limit_wins() -> None:
    assert parse(body(max_tokens=5)).max_tokens == 5
    assert parse(body(max_tokens=5, max_completion_tokens=7)).max_tokens == 7
    assert parse(body(max_tokens=5, max_completion_tokens=None)).max_tokens == 5


def test_streaming_fields() -> None:
    request = parse(body(stream=True, stream_options={"include_usage": True}, n=3))
    assert (request.stream, request.include_usage, request.choices) == (True, True, 3)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(-2, 2) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "temperature",
    "top_p",
    "tools",
    "functions",
    "function_call",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "logprobs",
    "stop",
    "modalities",
    "metadata",
    "user",
    "top_k",
    "seed",
    "logit_bias",
]
_MESSAGE_FIELDS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "developer", "function"]) | _JSON},
    optional={
        "content": st.text(max_size=5)
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["text", "image_url", "file", "refusal", "novel"])},
                optional={
                    "text": st.just("t") | _JSON,
                    "image_url": st.just({"url": "u"}) | _JSON,
                    "file": _JSON,
                    "cache_control": _JSON,
                },
            ),
            max_size=2,
        )
        | _JSON,
        "tool_call_id": st.just("c") | _JSON,
        "tool_calls": st.lists(st.just(CALL) | _JSON, max_size=2) | _JSON,
        "function_call": st.just({"name": "f", "arguments": "[]"}) | _JSON,
        "refusal": _JSON,
        "name": _JSON,
    },
)
_BODY = st.builds(
    lambda known, more: {**known, **more},
    st.fixed_dictionaries({"model": st.just("m"), "messages": st.lists(_MESSAGE_FIELDS, min_size=1, max_size=3)}),
    st.dictionaries(st.sampled_from(_FIELDS[2:]), _JSON, max_size=4),
)


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(data)


@settings(deadline=None, max_examples=500)
@given(_BODY | st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=5) | _JSON)
@example({"model": "m", "messages": [{"role": "user", "content": "", "tool_calls": [None], "tool_call_id": 1}]})
@example({"model": "m", "messages": [{"role": "user", "content": [], "tool_calls": {"a": 1}, "function_call": 2}]})
def test_no_json_raises_anything_else_and_what_passes_can_be_sent_to_every_backend(doc: Any) -> None:
    try:
        request = parse(orjson.dumps(doc))
    except InvalidRequest:
        return
    for name in ("openai", "vllm", "tgi", "ollama", "llamacpp", "openai_compatible", "anthropic"):
        made = backend(name).encode(request, wire.model(name))
        assert orjson.loads(made.call.body)["model"] == "upstream-name"
        assert all(warning.isascii() and warning.isprintable() for warning in made.warnings)
