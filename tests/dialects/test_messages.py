import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects.messages import LOW_BUDGET, MEDIUM_BUDGET, effort_of, parse_count
from llm_inference_router.signals.base import view
from tests.support.messages import CACHED, HI, TOOL, assistant, parsed, text, user


def test_a_plain_request() -> None:
    request = parsed(
        HI,
        system="Be short.",
        stream=True,
        stop_sequences=["a", "b"],
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        metadata={"user_id": "u1"},
        service_tier="standard_only",
    )
    assert request.body == {
        "model": "auto",
        "messages": [{"role": "system", "content": "Be short."}, HI],
        "max_tokens": 100,
        "stream": True,
        "stop": ["a", "b"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "user": "u1",
        "service_tier": "default",
    }
    assert (request.stream, request.max_tokens, request.warnings) == (True, 100, ())


def test_marks_of_cached_prefixes_stay_where_they_are() -> None:
    request = parsed(
        user(text("q", **CACHED)),
        assistant(text("a"), {"type": "tool_use", "id": "t1", "name": "f", "input": {}, **CACHED}),
        user({"type": "tool_result", "tool_use_id": "t1", "content": "r", **CACHED}),
        system=[text("one"), text("two", **CACHED)],
        tools=[{**TOOL, **CACHED}],
    )
    system, question, call, result = request.body["messages"]
    assert system["content"] == [text("one"), text("two", **CACHED)]
    assert question["content"] == [text("q", **CACHED)]
    assert call["cache_control"] == result["cache_control"] == request.body["tools"][0]["cache_control"]


def test_tools_and_the_choice_among_them() -> None:
    request = parsed(tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}])
    function = {"name": "f", "description": "d", "parameters": TOOL["input_schema"]}
    assert request.body["tools"] == [{"type": "function", "function": function}]
    assert (request.tools, request.needs) == (1, frozenset({"tools"}))
    assert request.warnings == ("warning;dropped;tools",)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            {"tool_choice": "required", "parallel_tool_calls": False},
        ),
    ],
)
def test_each_choice(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    body = parsed(tools=[TOOL], tool_choice=choice).body
    assert {name: body[name] for name in body if name in ("tool_choice", "parallel_tool_calls")} == expected
    assert "tool_choice" not in parsed(tool_choice=choice).body


def test_results_become_tool_messages_before_what_else_the_turn_says() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}
    calls = [{"type": "tool_use", "id": f"t{i}", "name": "f", "input": {"n": i}} for i in (1, 2, 3)]
    request = parsed(
        HI,
        assistant(text("I ask."), *calls),
        user(
            text("Here:"),
            {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "t2", "content": [text("two"), image], "is_error": True},
            {"type": "tool_result", "tool_use_id": "t3"},
        ),
    )
    part = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    assert request.body["messages"][2:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": [text("two"), part], "is_error": True},
        {"role": "tool", "tool_call_id": "t3", "content": ""},
        {"role": "user", "content": "Here:"},
    ]
    called = request.body["messages"][1]
    assert called["content"] == "I ask."
    assert [one["function"]["arguments"] for one in called["tool_calls"]] == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "tool", "tool", "user"]
    assert request.needs == frozenset({"vision"})


@given(st.recursive(st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), st.lists))
def test_the_arguments_of_a_call_are_its_input(value: Any) -> None:
    block = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": value}}
    request = parsed(HI, assistant(block))
    assert json.loads(request.body["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"a": value}


def test_reasoning_stays_with_its_turn() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    request = parsed(HI, assistant(*blocks, text("So.")), HI)
    assert request.body["messages"][1] == {"role": "assistant", "content": "So.", "thinking_blocks": blocks}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            },
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
        ),
        (
            {"type": "document", "title": "A", "source": {"type": "text", "media_type": "text/plain", "data": "said"}},
            text('<document title="A">\nsaid\n</document>'),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [text("one"), text("two")]}},
            text("<document>\none\ntwo\n</document>"),
        ),
        (
            {"type": "search_result", "title": "T", "source": "https://x.example", "content": [text("found")]},
            text('<document title="T" source="https://x.example">\nfound\n</document>'),
        ),
    ],
)
def test_blocks_become_parts(block: dict[str, Any], part: dict[str, Any]) -> None:
    request = parsed(user({**block, **CACHED}, text("What is it?")))
    assert request.body["messages"][0]["content"] == [{**part, **CACHED}, text("What is it?")]
    assert request.warnings == ()


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f1"}},
        {"type": "document", "source": {"type": "file", "file_id": "f1"}},
        {"type": "container_upload", "file_id": "f1"},
        {"type": "a_kind_of_tomorrow", "whatever": 1},
    ],
)
def test_what_only_anthropic_can_read_is_left_to_it(block: dict[str, Any]) -> None:
    request = parsed(user(block, text("What is it?")))
    assert request.body["messages"][0]["content"] == "What is it?"
    assert request.warnings == ("warning;dropped;messages.content",)


def test_server_tools_in_the_conversation_are_left_to_anthropic() -> None:
    used = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    request = parsed(HI, assistant(used, found, text("Found.")), HI)
    assert request.body["messages"][1] == {"role": "assistant", "content": "Found."}


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(1024, "low"), (LOW_BUDGET, "low"), (LOW_BUDGET + 1, "medium"), (MEDIUM_BUDGET, "medium"), (16_000, "high")],
)
def test_a_budget_of_reasoning_is_an_effort_too(budget: int, effort: str) -> None:
    wanted = {"type": "enabled", "budget_tokens": budget}
    body = parsed(thinking=wanted).body
    assert (body["thinking"], body["reasoning_effort"]) == (wanted, effort)


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_more_budget_is_never_less_effort(one: int, other: int) -> None:
    order = ["low", "medium", "high"]
    assert one > other or order.index(effort_of(one)) <= order.index(effort_of(other))


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "high"),
        ({"output_config": {"effort": "low"}}, "low"),
    ],
)
def test_an_effort_that_is_named(fields: dict[str, Any], effort: str | None) -> None:
    assert parsed(**fields).body.get("reasoning_effort") == effort


@pytest.mark.parametrize("place", ["output_format", "output_config"])
def test_a_schema_for_the_answer(place: str) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    wanted: dict[str, Any] = {"type": "json_schema", "schema": schema}
    request = parsed(**{place: wanted if place == "output_format" else {"format": wanted}})
    described = {"name": "output", "schema": schema, "strict": True}
    assert request.body["response_format"] == {"type": "json_schema", "json_schema": described}
    assert (request.response_format, request.needs) == ("json_schema", frozenset({"json_schema"}))
    loose = {**wanted, "schema": {**schema, "required": []}}
    assert parsed(output_format=loose).body["response_format"]["json_schema"]["strict"] is False


def test_the_beginning_of_the_answer_is_known_as_such() -> None:
    assert parsed(HI, {"role": "assistant", "content": "The answer is"}).prefilled
    assert not parsed(HI, {"role": "assistant", "content": "Done."}, HI).prefilled


def test_fields_without_a_counterpart_are_named() -> None:
    request = parsed(container="c", context_management={"edits": []}, mcp_servers=[], inference_geo=None)
    assert request.warnings == (
        "warning;dropped;container",
        "warning;dropped;context_management",
        "warning;dropped;mcp_servers",
    )


@pytest.mark.parametrize(
    ("turn", "warned"),
    [
        (user({"type": "text", "text": "Hi.", "weight": 2}), "warning;dropped;text.weight"),
        (user({"type": "text", "text": "Hi.", "citations": None, "weight": None}), None),
        ({**HI, "clear_at": "end"}, "warning;dropped;messages.clear_at"),
        ({**HI, "clear_at": None}, None),
        (
            assistant({"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}}),
            "info;dropped;tool_use.caller",
        ),
        (
            assistant({"type": "thinking", "thinking": "Hm.", "signature": "s", "budget": 1}),
            "warning;dropped;thinking.budget",
        ),
    ],
)
def test_fields_of_turns_and_blocks_without_a_counterpart_are_named(turn: dict[str, Any], warned: str | None) -> None:
    assert parsed(HI, turn, HI).warnings == ((warned,) if warned else ())


def test_fields_of_a_result_without_a_counterpart_are_named() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "ok", "cache_control": {}, "took_ms": 3}
    asked = assistant({"type": "tool_use", "id": "a", "name": "f", "input": {}})
    assert parsed(HI, asked, user(result)).warnings == ("warning;dropped;tool_result.took_ms",)


def test_counting_needs_no_limit_of_tokens() -> None:
    assert parse_count(orjson.dumps({"model": "auto", "messages": [HI]})).max_tokens is None


# --- what signals see -------------------------------------------------------------------------------------------------


def test_the_last_thing_a_human_asked_is_found_among_what_machines_say() -> None:
    reminder = text("<system-reminder>The task list is empty. Do not mention it.</system-reminder>")
    request = parsed(
        user(reminder, text("Why does the parser hang on empty files?")),
        assistant({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
        user({"type": "tool_result", "tool_use_id": "t1", "content": "Write an essay about cats."}, reminder),
        tools=[TOOL],
        system="Be a careful engineer. " * 100,
    )
    seen = view(request)
    assert seen.ask == "Why does the parser hang on empty files?"
    assert seen.working
    assert not view(parsed(user(reminder, text("Why?")))).working


def test_a_document_is_context_and_not_the_question() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Prove that every group is a monoid. " * 20}
    seen = view(parsed(user({"type": "document", "source": source}, text("How many sentences are in it?"))))
    assert seen.window == "How many sentences are in it?"
