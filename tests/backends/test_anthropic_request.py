import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.dialects.chat import parse
from tests.backends import wire
from tests.backends.claude import anthropic, judge


def encoded(messages: list[Any] | None = None, /, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for these messages and fields, judged by the official client's types."""
    max_output = fields.pop("max_output", None)
    raw = {"model": "auto", "messages": messages or [{"role": "user", "content": "hi"}], **fields}
    made = anthropic.encode(parse(orjson.dumps(raw)), wire.model("anthropic", max_output=max_output))
    assert made.call.path == "/messages"
    assert ("anthropic-version", "2023-06-01") in made.call.headers
    body = orjson.loads(made.call.body)
    judge(body)
    return body, made.warnings


def test_a_plain_request() -> None:
    body, warnings = encoded(stream=True, temperature=0.5, stop="x", user="u1", top_k=3, top_p=0.9)
    assert body == {
        "model": "upstream-name",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u1"},
        "stream": True,
    }
    assert warnings == ()


def test_system_and_developer_messages_become_the_system_prompt() -> None:
    body, _ = encoded(
        [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": "hi"},
        ]
    )
    assert body["system"] == "a\n\nb"
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_cache_marks_are_kept() -> None:
    mark = {"type": "ephemeral"}
    body, _ = encoded(
        [
            {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": mark}]},
            {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": mark}]},
        ]
    )
    assert body["system"] == [{"type": "text", "text": "a", "cache_control": mark}]
    assert body["messages"][0]["content"][0]["cache_control"] == mark


def call(id_: str, arguments: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_tool_calls_and_their_results() -> None:
    body, warnings = encoded(
        [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": None, "tool_calls": [call("a", '{"x": 1}'), call("b:1", "")]},
            {"role": "tool", "tool_call_id": "a", "content": "rain"},
            {"role": "tool", "tool_call_id": "b:1", "content": [{"type": "text", "text": "sun"}]},
            {"role": "user", "content": "thanks"},
        ]
    )
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b_1", "name": "f", "input": {}},
    ]
    assert body["messages"][2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "b_1", "content": [{"type": "text", "text": "sun"}]},
            {"type": "text", "text": "thanks"},
        ],
    }
    assert warnings == ()


@pytest.mark.parametrize("arguments", ["[1]", "{not json", "false", '{"a":' * 300 + "1" + "}" * 300])
def test_arguments_that_are_no_object_are_wrapped(arguments: str) -> None:
    body, warnings = encoded(
        [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "", "tool_calls": [call("a", arguments)]},
        ]
    )
    assert list(body["messages"][1]["content"][0]["input"]) == ["arguments"]
    assert len(warnings) == 1


@pytest.mark.parametrize("stray", [{}, {"tool_call_id": True}, {"tool_call_id": ["x"]}])
def test_the_deprecated_function_call_pairs_with_its_result(stray: dict[str, Any]) -> None:
    body, _ = encoded(
        [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1", **stray},
        ],
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    assert body["messages"][1]["content"][0]["id"] == body["messages"][2]["content"][0]["tool_use_id"]
    assert body["tool_choice"] == {"type": "tool", "name": "f"}


def test_turns_are_repaired() -> None:
    body, warnings = encoded(
        [
            {"role": "assistant", "content": "earlier"},
            {"role": "user", "content": " "},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "begin "},
        ]
    )
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert body["messages"][-1]["content"] == "begin"
    assert set(warnings) == {"info;rewritten;messages", "info;added;messages[0]"}


def test_images_and_files() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,QUJD"}},
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "text", "text": "what?"},
    ]
    body, warnings = encoded([{"role": "user", "content": parts}])
    assert [b["type"] for b in body["messages"][0]["content"]] == ["image", "image", "document", "text"]
    assert body["messages"][0]["content"][0]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": "QUJD",
    }
    assert len(warnings) == 3


TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"properties": {}}}}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice(wanted: Any, expected: dict[str, Any]) -> None:
    body, warnings = encoded(tools=[TOOL], tool_choice=wanted)
    assert body["tool_choice"] == expected
    assert body["tools"] == [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}]
    assert warnings == ()


def test_one_tool_at_a_time() -> None:
    body, _ = encoded(tools=[TOOL], parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    body, _ = encoded(tools=[TOOL], parallel_tool_calls=False, tool_choice="none")
    assert body["tool_choice"] == {"type": "none"}


def test_limits_of_output() -> None:
    assert encoded(max_output=100)[0]["max_tokens"] == 100
    assert encoded(max_completion_tokens=7, max_output=100)[0]["max_tokens"] == 7
    body, warnings = encoded(max_tokens=500, max_output=100)
    assert body["max_tokens"] == 100
    assert len(warnings) == 1


def test_temperature_is_clamped_with_a_warning() -> None:
    body, warnings = encoded(temperature=1.7)
    assert body["temperature"] == 1
    assert warnings == ("warning;clamped;temperature",)


def test_a_schema_becomes_an_instruction() -> None:
    schema = {"type": "object", "required": ["a"]}
    body, warnings = encoded(response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}})
    assert json.dumps(schema, separators=(",", ":")) in body["system"]
    assert len(warnings) == 1


def test_whatever_is_dropped_is_named() -> None:
    _, warnings = encoded(
        n=2, seed=1, logprobs=True, presence_penalty=1, logit_bias={"1": 2}, reasoning_effort="utmost",
        stop=["\n", "x"],
        **{"odd\r\nname": 1},
    )  # fmt: skip
    for name in (
        "n",
        "seed",
        "logprobs",
        "presence_penalty",
        "logit_bias",
        "reasoning_effort",
        "stop",
        "unknown_field",
    ):
        assert f"warning;dropped;{name}" in warnings, name
    assert all(warning.isascii() and warning.isprintable() for warning in warnings)


def test_defaults_are_dropped_in_silence() -> None:
    _, warnings = encoded(n=1, logprobs=False, presence_penalty=0, frequency_penalty=0.0, store=False, seed=None)
    assert warnings == ()


_TEXT = st.text(max_size=8)
_CONTENT = _TEXT | st.lists(
    st.builds(lambda t: {"type": "text", "text": t}, _TEXT)
    | st.builds(lambda t: {"type": "image_url", "image_url": {"url": t}}, _TEXT | st.just("https://e.com/a.png"))
    | st.just({"type": "input_audio", "input_audio": {"data": "x"}})
    | st.just({"type": "novel", "x": 1}),
    max_size=3,
)
_MESSAGE = st.one_of(
    st.builds(lambda r, c: {"role": r, "content": c}, st.sampled_from(["user", "system", "developer"]), _CONTENT),
    st.builds(lambda c: {"role": "assistant", "content": c}, _CONTENT),
    st.builds(
        lambda i, a: {
            "role": "assistant",
            "tool_calls": [{"id": i, "function": {"name": "f", "arguments": a}}],
        },
        _TEXT,
        _TEXT | st.just('{"a": [1]}'),
    ),
    st.builds(lambda i, c: {"role": "tool", "tool_call_id": i, "content": c}, _TEXT, _CONTENT),
)


@settings(deadline=None)
@given(st.lists(_MESSAGE, min_size=1, max_size=6))
def test_any_conversation_becomes_an_acceptable_one(messages: list[Any]) -> None:
    encoded(messages)
