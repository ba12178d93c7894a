"""Effort and sampling, as far as each Claude takes them."""

from typing import Any

import pytest

from tests.backends.claude import EARLY, LATE, MIDDLE, NEW, TOOL, encoded


@pytest.mark.proves("chat", "anthropic", "reasoning_effort", evidence="specification")
@pytest.mark.parametrize(
    ("model", "effort", "thinking", "level"),
    [
        (NEW, "minimal", {"type": "adaptive", "display": "summarized"}, "low"),
        (NEW, "xhigh", {"type": "adaptive", "display": "summarized"}, "xhigh"),
        (MIDDLE, "high", {"type": "adaptive"}, "high"),
        (MIDDLE, "max", {"type": "adaptive"}, "max"),
        (EARLY, "low", {"type": "enabled", "budget_tokens": 2048}, None),
        (EARLY, "high", {"type": "enabled", "budget_tokens": 16384}, None),
        (EARLY, "none", None, None),
        (MIDDLE, "none", None, None),
        (LATE, "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
    ],
)
def test_effort_becomes_thinking(model: str, effort: str, thinking: Any, level: str | None) -> None:
    body, warnings = encoded(model, reasoning_effort=effort)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == level
    if thinking and "budget_tokens" in thinking:
        assert body["max_tokens"] > thinking["budget_tokens"]
    assert warnings == ()


@pytest.mark.parametrize(
    ("model", "plain", "thinking"),
    [
        ("claude-3-opus-20240229", 4096, 4096),
        ("claude-3-5-haiku-latest", 8192, 8192),
        ("claude-3-7-sonnet-latest", 16_384, 49_152),
        ("claude-opus-4-1", 16_384, 32_000),
        ("claude-opus-4-6", 16_384, 49_152),
        (NEW, 16_384, 49_152),
        ("qwen-on-another-server", 4096, 36_864),
    ],
)
def test_what_thinking_may_take_comes_on_top_where_nobody_names_a_limit(model: str, plain: int, thinking: int) -> None:
    assert encoded(model)[0]["max_tokens"] == plain
    body, _ = encoded(model, reasoning_effort="max")
    assert body["max_tokens"] == thinking
    budget = body.get("thinking", {}).get("budget_tokens", 0)
    assert budget < body["max_tokens"]
    body, _ = encoded(model, reasoning_effort="max", max_completion_tokens=3000)
    assert body["max_tokens"] == 3000
    body, _ = encoded(model, thinking={"type": "enabled", "budget_tokens": 32_000})
    assert body.get("thinking", {}).get("budget_tokens", 0) < body["max_tokens"] <= thinking


def test_thinking_that_is_left_to_the_model_has_room_too_and_none_is_made_for_none() -> None:
    assert encoded("claude-opus-4-6", thinking={"type": "adaptive"})[0]["max_tokens"] == 32_768
    assert encoded("claude-opus-4-6", thinking={"type": "disabled"})[0]["max_tokens"] == 16_384


def test_another_server_is_asked_for_the_thinking_that_the_client_named() -> None:
    body, warnings = encoded("qwen-on-another-server", reasoning_effort="high")
    assert (body["thinking"], body["max_tokens"]) == ({"type": "enabled", "budget_tokens": 16_384}, 20_480)
    assert warnings == ()


def test_an_effort_that_the_model_does_not_know_is_clamped() -> None:
    body, warnings = encoded(MIDDLE, reasoning_effort="xhigh")
    assert body["output_config"] == {"effort": "high"}
    assert warnings == ("warning;clamped;reasoning_effort",)
    body, warnings = encoded(NEW, reasoning_effort="none")
    assert (body["output_config"], "thinking" in body) == ({"effort": "low"}, False)
    assert warnings == ("warning;clamped;reasoning_effort",)


def test_a_budget_leaves_room_for_the_answer() -> None:
    body, warnings = encoded(EARLY, reasoning_effort="high", max_completion_tokens=5000)
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (5000, 4000)
    assert warnings == ("warning;clamped;reasoning_effort",)
    body, warnings = encoded(EARLY, reasoning_effort="low", max_completion_tokens=1000)
    assert "thinking" not in body
    assert warnings == ("warning;dropped;reasoning_effort",)


@pytest.mark.parametrize(("model", "kept"), [(EARLY, None), (MIDDLE, {"effort": "high"})])
def test_a_forced_tool_wins_over_thinking(model: str, kept: Any) -> None:
    body, warnings = encoded(model, reasoning_effort="high", tools=[TOOL], tool_choice="required")
    assert body["tool_choice"] == {"type": "any"}
    assert ("thinking" in body, body.get("output_config")) == (False, kept)
    assert warnings == ("warning;dropped;reasoning_effort",)


def test_no_budget_is_given_within_a_turn_that_began_without_thinking() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ]
    body, warnings = encoded(EARLY, messages=turns, tools=[TOOL], reasoning_effort="low")
    assert "thinking" not in body
    assert warnings == ("warning;dropped;reasoning_effort",)
    asked = [*turns, {"role": "assistant", "content": "one"}, {"role": "user", "content": "y"}]
    assert "thinking" in encoded(EARLY, messages=asked, tools=[TOOL], reasoning_effort="low")[0]


@pytest.mark.proves("chat", "anthropic", "sampling", evidence="specification")
@pytest.mark.parametrize(
    ("model", "fields", "kept", "lost"),
    [
        (EARLY, {"temperature": 0.2}, {"temperature": 0.2}, ()),
        (EARLY, {"temperature": 0.2, "top_p": 0.5}, {"temperature": 0.2}, ("top_p",)),
        (EARLY, {"top_p": 0.5, "top_k": 4}, {"top_p": 0.5, "top_k": 4}, ()),
        (EARLY, {"temperature": 0.2, "top_k": 4, "top_p": 0.5, "reasoning_effort": "low"}, {},
         ("temperature", "top_p", "top_k")),
        (EARLY, {"temperature": 1, "top_p": 0.97, "reasoning_effort": "low"}, {"top_p": 0.97}, ()),
        (MIDDLE, {"temperature": 0.2}, {"temperature": 0.2}, ()),
        (NEW, {"temperature": 0.2, "top_p": 0.5, "top_k": 4}, {}, ("temperature", "top_p", "top_k")),
        (NEW, {"temperature": 1, "top_p": 1}, {}, ()),
    ],
)  # fmt: skip
def test_sampling_is_sent_as_far_as_the_model_takes_it(
    model: str, fields: dict[str, Any], kept: dict[str, Any], lost: tuple[str, ...]
) -> None:
    body, warnings = encoded(model, **fields)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert set(warnings) == {f"warning;dropped;{name}" for name in lost}


@pytest.mark.parametrize("model", [MIDDLE, NEW])
def test_the_beginning_of_an_answer_gets_a_turn_after_it_where_it_would_be_refused(model: str) -> None:
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "It is"}]
    body, warnings = encoded(model, messages=turns)
    assert body["messages"][-1]["role"] == "user"
    assert warnings == ("info;added;messages[2]",)
    assert encoded(EARLY, messages=turns)[0]["messages"][-1]["role"] == "assistant"
