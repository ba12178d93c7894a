"""Requests of the Responses dialect: what chat is asked instead, what is warned of, what is refused and where."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionCustomToolParam
from pydantic import TypeAdapter

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.dialects.responses_request import resumed
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest

DIALECT = Responses()
_CHAT_TOOLS: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionCustomToolParam])
TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
OTHER = {"type": "function", "name": "g", "parameters": None, "strict": None}
LARK = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PATCH = {"type": "custom", "name": "patch", "description": "Edits files.", "format": LARK}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
}


def read(**fields: Any) -> ChatRequest:
    return DIALECT.parse(orjson.dumps({"model": "auto", "input": "Hello", **fields}))


def messages(*items: Any) -> list[dict[str, Any]]:
    """What chat is asked for these items; it is itself a valid chat request."""
    request = read(input=list(items))
    again = chat.parse(orjson.dumps(request.body))
    assert again.messages == request.messages
    assert again.needs <= request.needs
    found: list[dict[str, Any]] = list(request.body["messages"])
    return found


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def called(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": name, "name": "f", "arguments": arguments}


def result(name: str, output: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": name, "output": output}


def chat_call(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": name, "type": "function", "function": {"name": "f", "arguments": arguments}}


# --- items ------------------------------------------------------------------------------------------------------------


def test_a_string_is_what_a_user_says_and_instructions_come_before_it() -> None:
    request = read(instructions="Be brief.")
    assert request.body["messages"] == [{"role": "system", "content": "Be brief."}, user("Hello")]
    assert [one.text for one in request.messages] == ["Be brief.", "Hello"]


def test_roles_stay_and_parts_become_those_of_chat() -> None:
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]
    found = messages({"role": "developer", "content": "Rule"}, {"type": "message", "role": "user", "content": parts})
    assert found == [
        {"role": "developer", "content": "Rule"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            ],
        },
    ]


def test_what_a_model_gave_out_in_one_turn_is_one_message() -> None:
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        called("a", '{"x":1}'),
        called("b"),
    ]
    found = messages(user("q"), *output, result("a"), result("b", [{"type": "input_text", "text": "B"}]), user("so?"))
    assert found[1:4] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "hm",
            "tool_calls": [chat_call("a", '{"x":1}'), chat_call("b")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
    ]


def test_what_is_said_after_a_call_stays_before_its_result() -> None:
    said = {"role": "assistant", "content": "And now"}
    assert messages(user("q"), called("a"), said, result("a"))[1] == {
        "role": "assistant",
        "content": "And now",
        "tool_calls": [chat_call("a")],
    }


def test_answers_one_after_the_other_stay_two() -> None:
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "A"}, {"type": "refusal", "refusal": "B"}]}
    found = messages(user("q"), said, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]})
    assert [one["content"] for one in found[1:]] == [
        [{"type": "text", "text": "A"}, {"type": "refusal", "refusal": "B"}],
        None,
    ]
    assert found[2]["refusal"] == "No"


def test_a_picture_in_a_result_needs_a_model_that_sees() -> None:
    request = read(input=[user("q"), called("a"), result("a", [{"type": "input_image", "image_url": "https://x/y"}])])
    assert "vision" in request.needs


def test_a_mark_for_the_prompt_cache_stays_with_its_part() -> None:
    part = {"type": "input_text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert messages({"role": "user", "content": [part]})[0]["content"] == [
        {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    ]


@given(
    st.lists(
        st.sampled_from(["say", "answer", "think", "call", "result", "patch", "patched", "search"]),
        min_size=1,
        max_size=12,
    )
)
@settings(deadline=None)
def test_whatever_the_order_of_items_chat_is_asked_something_valid(kinds: list[str]) -> None:
    made = {
        "say": user("u"),
        "answer": {"role": "assistant", "content": "a"},
        "think": {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]},
        "call": called("c"),
        "result": result("c"),
        "patch": {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "x"},
        "patched": {"type": "custom_tool_call_output", "call_id": "d", "output": "y"},
        "search": {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    }
    found = messages(user("first"), *(made[kind] for kind in kinds))
    said = [one["content"] for one in found if one["role"] == "user"]
    assert said == ["first", *["u" for kind in kinds if kind == "say"]]
    assert sum(len(one.get("tool_calls", ())) for one in found) == kinds.count("call") + kinds.count("patch")
    for before, after in pairwise(found):
        assert "tool_calls" not in before or after["role"] != "assistant", "it stands between a call and its result"


# --- fields -----------------------------------------------------------------------------------------------------------


def test_fields_have_their_counterparts_in_chat() -> None:
    request = read(
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        reasoning={"effort": "low"},
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        top_logprobs=3,
        user="alice",
        service_tier="flex",
        metadata={"a": "b"},
        store=True,
        stream=True,
    )
    assert request.body == {
        "model": "auto",
        "messages": [user("Hello")],
        "tools": [CHAT_TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "reasoning_effort": "low",
        "max_completion_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "logprobs": True,
        "top_logprobs": 3,
        "user": "alice",
        "service_tier": "flex",
        "stream": True,
    }
    assert request.needs == {"tools", "json_schema", "logprobs"}
    assert (request.max_tokens, request.tools, request.response_format) == (50, 1, "json_schema")
    assert request.warnings == ()


@pytest.mark.parametrize(
    ("choice", "tools", "wanted", "own"),
    [
        ("auto", [TOOL], "auto", False),
        ("none", [TOOL], "none", False),
        ("auto", [], None, False),
        ({"type": "function", "name": "f"}, [TOOL], {"type": "function", "function": {"name": "f"}}, False),
        ({"type": "web_search"}, [{"type": "web_search"}], None, True),
        ({"type": "mcp", "server_label": "x"}, [TOOL, {"type": "mcp"}], None, True),
        ("required", [{"type": "web_search"}], None, True),
        ("auto", [PATCH], "auto", False),
        ("required", [PATCH], "required", False),
        ({"type": "custom", "name": "patch"}, [TOOL, PATCH], {"type": "custom", "custom": {"name": "patch"}}, False),
    ],
)
def test_a_choice_of_tools_is_that_of_chat_or_needs_a_relay(choice: Any, tools: Any, wanted: Any, own: bool) -> None:
    request = read(tools=tools, tool_choice=choice)
    assert request.body.get("tool_choice") == wanted
    assert bool(request.own) is own


def test_a_custom_tool_is_one_of_chat() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}}
    custom = {"name": "patch", "description": "Edits files.", "format": grammar}
    request = read(tools=[PATCH, {"type": "custom", "name": "c", "format": {"type": "text"}, "allowed_callers": ["x"]}])
    assert request.body["tools"] == [
        {"type": "custom", "custom": custom},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
    ]
    assert (request.tools, set(request.needs)) == (2, {"tools"})
    assert request.warnings == ("warning;dropped;tools.allowed_callers",)
    _CHAT_TOOLS.validate_python(request.body["tools"])
    allowed = [{"type": "custom", "name": "patch"}]
    request = read(tools=[TOOL, PATCH], tool_choice={"type": "allowed_tools", "mode": "auto", "tools": allowed})
    assert request.body["tools"] == [{"type": "custom", "custom": custom}]


def test_a_custom_call_and_its_output_are_those_of_chat() -> None:
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "b", "name": "patch", "input": "*** Begin"}
    output = {"type": "custom_tool_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "ok"}]}
    found = messages(user("q"), called("a"), {**call, "status": "completed"}, result("a"), output)
    custom = {"id": "b", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    assert found[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [chat_call("a"), custom]},
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "tool", "tool_call_id": "b", "content": "ok"},
    ]
    request = read(input=[user("q"), {**call, "namespace": "n"}, output])
    assert request.warnings == ("warning;dropped;custom_tool_call.namespace",)


def test_only_allowed_tools_are_offered() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    request = read(tools=[TOOL, OTHER], tool_choice=allowed)
    assert request.body["tools"] == [CHAT_TOOL]
    assert request.body["tool_choice"] == "required"
    assert request.warnings == ("info;rewritten;tool_choice",)


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"tools": [{"type": "web_search"}]}, "warning;dropped;web_search"),
        ({"input": [user("q"), {"type": "image_generation_call"}]}, "warning;dropped;image_generation_call"),
        ({"truncation": "auto"}, "warning;dropped;truncation"),
        ({"reasoning": {"summary": "auto"}}, "info;dropped;reasoning.summary"),
        ({"max_tool_calls": 2}, "info;dropped;max_tool_calls"),
        ({"top_logprobs": 2}, "warning;dropped;top_logprobs"),
        ({"context_management": [{}]}, "warning;dropped;context_management"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "warning;dropped;input_image.file_id",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}]},
            "warning;dropped;input_file.file_url",
        ),
        (
            {"input": [user("q"), {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}]},
            "warning;foreign;encrypted_content",
        ),
    ],
)
def test_what_chat_has_no_words_for_is_named(fields: dict[str, Any], warned: str) -> None:
    assert read(**fields).warnings == (warned,)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [5]}, "input[0]", "invalid_type"),
        ({"input": [{}]}, "input[0].type", "missing_required_parameter"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [user("a"), {"role": "user"}]}, "input[1].content", "missing_required_parameter"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": 1}]}]},
            "input[0].content[0].text",
            "invalid_type",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
            "missing_required_parameter",
        ),
        ({"input": [{"type": "function_call"}]}, "input[0].call_id", "missing_required_parameter"),
        ({"input": [{**called("a"), "arguments": {}}]}, "input[0].arguments", "invalid_type"),
        ({"input": [{**result("a"), "output": 5}]}, "input[0].output", "invalid_type"),
        ({"input": [{"type": "reasoning", "summary": "x"}]}, "input[0].summary", "invalid_type"),
        ({"model": ""}, "model", "empty_string"),
        ({"model": "a\r\nb"}, "model", "invalid_value"),
        ({"instructions": ["x"]}, "instructions", "invalid_type"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [{"name": "f"}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{**TOOL, "parameters": "x"}]}, "tools[0].parameters", "invalid_type"),
        ({"tools": [{**TOOL, "strict": "x"}]}, "tools[0].strict", "invalid_type"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{**PATCH, "name": ""}]}, "tools[0].name", "empty_string"),
        ({"tools": [{**PATCH, "format": "lark"}]}, "tools[0].format", "invalid_type"),
        ({"tools": [{**PATCH, "format": {}}]}, "tools[0].format.type", "missing_required_parameter"),
        ({"tools": [{**PATCH, "format": {"type": "x"}}]}, "tools[0].format.type", "invalid_value"),
        (
            {"tools": [{**PATCH, "format": {"type": "grammar", "syntax": "lark"}}]},
            "tools[0].format.definition",
            "missing_required_parameter",
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "name": "f"}}, "tool_choice", "invalid_value"),
        ({"tools": [PATCH], "tool_choice": {"type": "function", "name": "patch"}}, "tool_choice", "invalid_value"),
        ({"input": [{"type": "custom_tool_call", "call_id": "a"}]}, "input[0].name", "missing_required_parameter"),
        ({"input": [{"type": "custom_tool_call_output"}]}, "input[0].call_id", "missing_required_parameter"),
        ({"tool_choice": "any"}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice", "invalid_value"),
        ({"text": "x"}, "text", "invalid_type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"reasoning": {"effort": 5}}, "reasoning.effort", "invalid_type"),
        ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_logprobs": 1.5}, "top_logprobs", "invalid_type"),
        ({"include": "x"}, "include", "invalid_type"),
        ({"metadata": {"a": "b\r\nc"}}, "metadata", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": 1}, "stream_options", "invalid_type"),
        ({"store": "no"}, "store", "invalid_type"),
        ({"previous_response_id": ""}, "previous_response_id", "invalid_value"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
        ({"base_url": "http://x"}, "base_url", "unsupported_parameter"),
    ],
)
def test_a_mistake_is_named_by_its_place(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "id", "name", "output", "call_id", "arguments", "tools"]
            ),
            inner | st.sampled_from(["message", "reasoning", "function_call", "user", "assistant", "input_text"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


def attempt(fields: dict[str, Any]) -> tuple[ChatRequest | None, InvalidRequest | None]:
    try:
        return read(**fields), None
    except InvalidRequest as refused:
        return None, refused


@given(
    st.dictionaries(
        st.sampled_from(["input", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "instructions"]),
        JSON,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=500)
def test_whatever_comes_is_a_request_or_refused_with_its_place(fields: dict[str, Any]) -> None:
    request, refused = attempt(fields)
    if request is None:
        assert refused is not None
        assert refused.param
        assert refused.code
        return
    if not request.earlier:
        assert chat.parse(orjson.dumps(request.body)).messages == request.messages


def test_the_limits_are_those_of_chat() -> None:
    with pytest.raises(InvalidRequest) as deep:
        DIALECT.parse(b'{"model":"auto","input":' + b"[" * 300 + b"]" * 300 + b"}")
    assert deep.value.code == "too_deep"
    with pytest.raises(InvalidRequest) as many:
        read(input=[user("x")] * 10_001)
    assert many.value.code == "array_above_max_length"


# --- what it goes on from ---------------------------------------------------------------------------------------------


def test_a_request_that_names_an_answer_says_what_has_to_be_looked_up() -> None:
    request = read(input=[{"id": "msg_1"}, user("q")], previous_response_id="resp_1")
    assert request.earlier == ("resp_1", "msg_1")
    history = [user("before"), {"type": "message", "role": "assistant", "content": "said", "id": "msg_0"}]
    named = {"msg_1": {"type": "message", "role": "assistant", "content": "named"}}
    found = resumed(request, history, named)
    assert [one["content"] for one in found.body["messages"]] == ["before", "said", "named", "q"]
    assert (found.earlier, found.asked, found.warnings) == ((), request, ())


def test_an_item_that_nobody_here_knows_stays_for_its_provider_and_is_named() -> None:
    found = resumed(read(input=[{"type": "item_reference", "id": "msg_x"}, user("q")]), [], {})
    assert found.warnings == ("warning;dropped;item_reference",)
    assert found.source["input"][0] == {"type": "item_reference", "id": "msg_x"}
