"""How a Claude is told to think, by clients of either dialect: no road leads to what Anthropic would refuse."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.config.claude import claude
from llm_inference_router.dialects import chat, messages
from tests.backends import wire
from tests.backends.claude import judge

OLD, EARLY, MIDDLE = "claude-3-5-sonnet-20241022", "claude-haiku-4-5-20251001", "claude-sonnet-4-6"
LATER, LATE = "claude-opus-4-7", "claude-sonnet-5"
MODELS = (OLD, EARLY, MIDDLE, LATER, LATE, "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5", "another-server")
ROADS = ("relay", "hub", "chat")
HI: dict[str, Any] = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
CALLED: dict[str, Any] = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
LOOP = [HI, CALLED, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]
LOOP_OF_CHAT: list[dict[str, Any]] = [
    HI,
    {"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]},
    {"role": "tool", "tool_call_id": "t", "content": "x"},
]
BUDGET = {"type": "enabled", "budget_tokens": 3000}
SUMMED = {"type": "adaptive", "display": "summarized"}


def asked(
    road: str, model: str, *, loop: bool = False, forced: bool = False, **fields: Any
) -> tuple[dict[str, Any], list[str]]:
    """What Anthropic is sent: of a Messages client passed on, or translated; or of a chat client. With the warnings."""
    doc: dict[str, Any] = {"model": "auto", "max_tokens": 5000, "messages": [HI], **fields}
    if road == "chat":
        if loop:
            doc["messages"] = LOOP_OF_CHAT
        if loop or forced:
            doc["tools"] = [{"type": "function", "function": {"name": "f"}}]
        if forced:
            doc["tool_choice"] = "required"
        request = chat.parse(orjson.dumps(doc))
    else:
        if loop:
            doc["messages"] = LOOP
        if loop or forced:
            doc["tools"] = [TOOL]
        if forced:
            doc["tool_choice"] = {"type": "any"}
        request = messages.parse(orjson.dumps(doc))
    by = relay("anthropic", "messages") if road == "relay" else backend("anthropic")
    assert by is not None
    made = by.encode(request, wire.model("anthropic", upstream_model=model))
    return orjson.loads(made.call.body), list(made.warnings)


@pytest.mark.proves(["chat", "messages"], "anthropic", "reasoning_effort", evidence="specification")
@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    ("model", "wanted", "sent", "effort", "warned"),
    [
        (OLD, BUDGET, None, None, ["warning;dropped;thinking"]),
        (EARLY, BUDGET, BUDGET, None, []),
        (MIDDLE, BUDGET, BUDGET, None, []),
        (LATER, BUDGET, SUMMED, "medium", ["info;rewritten;thinking"]),
        (LATE, {"type": "enabled", "budget_tokens": 1024}, SUMMED, "low", ["info;rewritten;thinking"]),
        (EARLY, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 4000}, None, ["info;rewritten;thinking"]),
        (LATER, {"type": "adaptive"}, {"type": "adaptive"}, None, []),
        (EARLY, {"type": "disabled"}, {"type": "disabled"}, None, []),
        ("claude-sonnet-5-5", {"type": "disabled"}, {"type": "between_tools"}, None, ["info;rewritten;thinking"]),
        (LATE, {"type": "between_tools"}, {"type": "disabled"}, None, ["info;rewritten;thinking"]),
        ("claude-opus-5-5", {"type": "disabled"}, None, "low", ["warning;clamped;thinking"]),
        ("another-server", BUDGET, BUDGET, None, []),
        ("another-server", {"type": "between_tools"}, {"type": "between_tools"}, None, []),
    ],
)
def test_what_the_client_says_in_anthropics_words_is_said_in_those_of_the_model(
    road: str, model: str, wanted: Any, sent: Any, effort: str | None, warned: list[str]
) -> None:
    body, warnings = asked(road, model, thinking=wanted)
    assert body.get("thinking") == sent
    assert (body.get("output_config") or {}).get("effort") == effort
    assert warnings == warned


def test_anthropics_own_object_wins_over_an_effort_and_nothing_is_warned_of_twice() -> None:
    body, warnings = asked("chat", EARLY, thinking=BUDGET, reasoning_effort="high")
    assert (body["thinking"], warnings) == (BUDGET, [])
    body, warnings = asked("chat", EARLY, thinking=BUDGET, reasoning_effort="high", forced=True)
    assert (body["thinking"], warnings) == ({"type": "disabled"}, ["warning;dropped;thinking"])


@pytest.mark.parametrize("road", ["relay", "hub"])
def test_an_effort_in_anthropics_words_goes_with_adaptive_thinking_and_only_to_models_that_know_it(road: str) -> None:
    fields: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    assert asked(road, LATER, **fields)[0]["output_config"] == {"effort": "low"}
    body, warnings = asked(road, EARLY, **fields)
    assert (body["thinking"], "output_config" in body) == ({"type": "enabled", "budget_tokens": 2048}, False)
    assert warnings == ["info;rewritten;thinking"]


_THINKING = st.none() | st.sampled_from(
    [{"type": kind} for kind in ("adaptive", "disabled", "between_tools")]
    + [{"type": "enabled", "budget_tokens": budget} for budget in (1024, 3000, 9000)]
)


@settings(deadline=None)
@given(
    st.sampled_from(ROADS),
    st.sampled_from(MODELS),
    _THINKING,
    st.sampled_from([None, "none", "minimal", "low", "high", "xhigh", "max"]),
    st.sampled_from([500, 1024, 1025, 5000]),
    st.booleans(),
    st.booleans(),
)
def test_nothing_is_asked_for_that_this_claude_refuses(
    road: str, name: str, thinking: Any, effort: str | None, limit: int, loop: bool, forced: bool
) -> None:
    fields: dict[str, Any] = {"max_tokens": limit}
    if thinking is not None:
        fields["thinking"] = thinking
    if effort is not None and road == "chat":
        fields["reasoning_effort"] = effort
    elif effort not in (None, "none", "minimal"):
        fields["output_config"] = {"effort": effort}
    body, warnings = asked(road, name, loop=loop, forced=forced, **fields)
    judge(body)
    assert len({one.rpartition(";")[2] for one in warnings}) == len(warnings)
    model, sent = claude(name), body.get("thinking") or {"type": None}
    if sent["type"] in ("enabled", "adaptive"):
        assert body.get("tool_choice", {}).get("type") not in ("any", "tool")
    if sent["type"] == "enabled":
        assert 1024 <= sent["budget_tokens"] < body["max_tokens"]
        assert model.budgets
        assert not loop
    elif sent["type"] is not None and model.version is not None:
        assert sent["type"] != "adaptive" or model.thinking == "adaptive"
        assert sent["type"] != "between_tools" or model.unthinking == "between_tools"
        assert sent["type"] != "disabled" or model.unthinking in ("omitted", "disabled")
    named = (body.get("output_config") or {}).get("effort")
    assert named is None or model.version is None or named in model.efforts
