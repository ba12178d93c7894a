"""Tools, the choice among them and their results, as Anthropic has them."""

from typing import Any

import pytest

from tests.backends.claude import (
    CUSTOM,
    EARLY,
    MIDDLE,
    NEW,
    PERSON,
    SECOND,
    TOOL,
    answered,
    encoded,
    finished,
    said,
    started,
    stopped,
    streamed,
)


@pytest.mark.proves("chat", "anthropic", "tool_choice", evidence="specification")
@pytest.mark.parametrize(
    ("wanted", "choice", "offered"),
    [
        ("auto", {"type": "auto"}, ["f", "g"]),
        ("none", {"type": "none"}, ["f", "g"]),
        ("required", {"type": "any"}, ["f", "g"]),
        ({"type": "function", "function": {"name": "g"}}, {"type": "tool", "name": "g"}, ["f", "g"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "g"}}]}},
            {"type": "any"}, ["g"],
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
            {"type": "auto"}, ["f"],
        ),
    ],
)  # fmt: skip
def test_every_form_of_tool_choice(wanted: Any, choice: dict[str, Any], offered: list[str]) -> None:
    body, warnings = encoded(MIDDLE, tools=[TOOL, SECOND], tool_choice=wanted)
    assert body["tool_choice"] == choice
    assert [tool["name"] for tool in body["tools"]] == offered
    assert warnings == ()


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("required", "at least one of the tools"),
        ({"type": "function", "function": {"name": "f"}}, "the tool f"),
    ],
)
def test_a_model_that_cannot_be_forced_is_asked(wanted: Any, asked: str) -> None:
    body, warnings = encoded(NEW, tools=[TOOL], tool_choice=wanted, parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert asked in body["system"]
    assert warnings == ("warning;weakened;tool_choice",)


@pytest.mark.proves("chat", "anthropic", "parallel_tools", evidence="specification")
def test_one_tool_at_a_time() -> None:
    for wanted, kind in ((None, "auto"), ("required", "any")):
        body, _ = encoded(MIDDLE, tools=[TOOL], parallel_tool_calls=False, tool_choice=wanted)
        assert body["tool_choice"] == {"type": kind, "disable_parallel_tool_use": True}
    assert "tool_choice" not in encoded(MIDDLE, tools=[TOOL], parallel_tool_calls=True)[0]


@pytest.mark.proves("chat", "anthropic", "strict_tools", evidence="specification")
def test_strict_tools_stay_strict() -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": PERSON}}
    body, warnings = encoded(EARLY, tools=[tool])
    assert body["tools"][0]["strict"] is True
    assert body["tools"][0]["input_schema"]["additionalProperties"] is False
    assert warnings == ()
    body, warnings = encoded("claude-opus-4-1", tools=[tool])
    assert "strict" not in body["tools"][0]
    assert body["tools"][0]["input_schema"] == PERSON
    assert warnings == ("warning;dropped;tools.strict",)


@pytest.mark.proves("chat", "anthropic", "caching", evidence="specification")
def test_a_tool_keeps_its_cache_mark() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    assert encoded(EARLY, tools=[TOOL | {"cache_control": mark}])[0]["tools"][0]["cache_control"] == mark


@pytest.mark.proves("chat", "anthropic", "custom_tools", evidence="specification")
def test_a_custom_tool_takes_free_text_and_is_called_with_it() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    wanted = {"type": "custom", "custom": {"name": "sql"}}
    body, warnings = encoded(MIDDLE, messages=turns, tools=[CUSTOM], tool_choice=wanted)
    assert body["tools"][0]["input_schema"]["required"] == ["input"]
    assert body["tool_choice"] == {"type": "tool", "name": "sql"}
    used = body["messages"][1]["content"][0]
    assert (used["type"], used["input"]) == ("tool_use", {"input": "SELECT 1"})
    assert warnings == ("info;rewritten;tools",)
    block = {"type": "tool_use", "id": "t", "name": "sql", "input": {"input": "SELECT\n2"}}
    answer = answered({"content": [block], "stop_reason": "tool_use"}, "sql")
    expected = [{"id": "t", "type": "custom", "custom": {"name": "sql", "input": "SELECT\n2"}}]
    assert answer["choices"][0]["message"]["tool_calls"] == expected
    chunks = streamed(
        started(0, type="tool_use", id="t", name="sql", input={}),
        said(0, type="input_json_delta", partial_json='{"input": "SEL'),
        said(0, type="input_json_delta", partial_json='ECT\\n2"}'),
        stopped(0),
        finished("tool_use"),
        custom_tools=("sql",),
    )
    calls = [call for one in chunks for c in one["choices"] for call in c["delta"].get("tool_calls", ())]
    assert "".join(call["custom"]["input"] for call in calls) == "SELECT\n2"
    assert (calls[0]["id"], calls[0]["custom"]["name"]) == ("t", "sql")


@pytest.mark.proves("chat", "anthropic", "functions", evidence="specification")
def test_deprecated_functions_are_tools() -> None:
    function = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
    body, warnings = encoded(EARLY, functions=[function], function_call={"name": "f"})
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == {"type": "tool", "name": "f"}
    assert warnings == ()


@pytest.mark.proves("chat", "anthropic", "tool_results", evidence="specification")
def test_the_result_of_a_tool_keeps_all_its_parts() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": [
            {"type": "text", "text": "one"}, image, {"type": "text", "text": "two"}]},
    ]  # fmt: skip
    body, warnings = encoded(EARLY, messages=turns, tools=[TOOL])
    result = body["messages"][2]["content"][0]
    assert [(b["type"], b.get("text")) for b in result["content"]] == [
        ("text", "one"),
        ("image", None),
        ("text", "two"),
    ]
    assert warnings == ()
