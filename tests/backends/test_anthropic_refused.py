"""Messages that were written for one Claude and go to another: changed where that one is known to refuse them, and
nowhere else."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.registry import relay
from llm_inference_router.config.claude import claude
from llm_inference_router.dialects import messages
from tests.backends import wire
from tests.backends.claude import judge
from tests.backends.test_anthropic_thinking import BUDGET, EARLY, HI, LATE, LATER, MIDDLE, MODELS, OLD, TOOL

UNFORCED = "claude-opus-5-5"
BEGUN: dict[str, Any] = {"role": "assistant", "content": "It is"}
ADAPTIVE = {"type": "adaptive"}


def asked(model: str, *turns: dict[str, Any], **fields: Any) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """What Anthropic is sent, the warnings, and what the client sent."""
    doc: dict[str, Any] = {"model": "auto", "max_tokens": 5000, "messages": list(turns or (HI,)), **fields}
    raw = orjson.dumps(doc)
    request = messages.parse(raw)
    by = relay("anthropic", "messages")
    assert by is not None
    made = by.encode(request, wire.model("anthropic", upstream_model=model))
    assert orjson.dumps(request.source) == raw, "another try may go to another model"
    return orjson.loads(made.call.body), list(made.warnings), {**doc, "model": model}


@pytest.mark.proves("messages", "anthropic", "sampling", evidence="specification")
@pytest.mark.parametrize(
    ("model", "fields", "kept", "warned"),
    [
        (OLD, {"temperature": 0.3, "top_p": 0.9, "top_k": 5}, {"temperature", "top_p", "top_k"}, []),
        (EARLY, {"temperature": 0.3, "top_k": 5}, {"temperature", "top_k"}, []),
        (EARLY, {"temperature": 0.3, "top_p": 0.9}, {"temperature"}, ["warning;dropped;top_p"]),
        (EARLY, {"temperature": 0.3, "top_p": 1}, {"temperature"}, ["info;dropped;top_p"]),
        (EARLY, {"temperature": 1, "top_p": 0.9}, {"top_p"}, ["info;dropped;temperature"]),
        (MIDDLE, {"top_p": 0.9}, {"top_p"}, []),
        (LATER, {"temperature": 0.3}, set(), ["warning;dropped;temperature"]),
        (LATE, {"top_p": 0.3, "top_k": 5}, set(), ["warning;dropped;top_p", "warning;dropped;top_k"]),
        (LATER, {"temperature": 1}, {"temperature"}, []),
        (EARLY, {"temperature": 0.3, "thinking": BUDGET}, set(), ["warning;dropped;temperature"]),
        (MIDDLE, {"top_k": 5, "thinking": ADAPTIVE}, set(), ["warning;dropped;top_k"]),
        (EARLY, {"top_p": 0.95, "thinking": BUDGET}, {"top_p"}, []),
        (EARLY, {"top_p": 0.9, "thinking": BUDGET}, set(), ["warning;dropped;top_p"]),
        ("another-server", {"temperature": 2, "top_p": 0.3, "top_k": 1}, {"temperature", "top_p", "top_k"}, []),
    ],
)
def test_sampling_is_left_out_where_this_claude_refuses_it(
    model: str, fields: dict[str, Any], kept: set[str], warned: list[str]
) -> None:
    body, warnings, doc = asked(model, **fields)
    assert {name for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert all(body[name] == doc[name] for name in kept)
    assert warnings == warned


@pytest.mark.parametrize("model", [OLD, EARLY, "another-server"])
def test_the_beginning_of_an_answer_stays_where_it_is_gone_on_with(model: str) -> None:
    body, warnings, doc = asked(model, HI, BEGUN)
    assert (body, warnings) == (doc, [])


@pytest.mark.parametrize("model", [MIDDLE, LATER, LATE, UNFORCED])
@pytest.mark.parametrize("content", ["It is", [{"type": "text", "text": "It is"}]])
def test_where_it_is_refused_the_user_asks_for_more(model: str, content: Any) -> None:
    begun = {"role": "assistant", "content": content}
    body, warnings, _ = asked(model, HI, begun)
    assert body["messages"] == [HI, begun, {"role": "user", "content": "(go on)"}]
    assert warnings == ["info;added;messages[2]"]


def test_an_empty_beginning_is_left_out() -> None:
    body, warnings, _ = asked(LATE, HI, {"role": "assistant", "content": ""})
    assert (body["messages"], warnings) == ([HI], ["info;dropped;messages[1]"])


def test_a_turn_that_paused_for_a_tool_of_anthropics_is_no_beginning() -> None:
    searched: list[dict[str, Any]] = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "So far"},
    ]
    body, warnings, doc = asked(LATE, HI, {"role": "assistant", "content": searched})
    assert body["messages"] == doc["messages"]
    assert "info;added;messages[2]" not in warnings


@pytest.mark.proves("messages", "anthropic", "tool_choice", evidence="specification", lost="weakened")
@pytest.mark.parametrize("system", [None, "", "Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_a_tool_that_has_to_be_called_is_asked_for_where_none_can_be_forced(system: Any) -> None:
    fields = {} if system is None else {"system": system}
    choice = {"type": "tool", "name": "f", "disable_parallel_tool_use": True}
    body, warnings, _ = asked(UNFORCED, tools=[TOOL], tool_choice=choice, **fields)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["system"][-1]["text"].startswith("Call the tool f in your answer")
    assert [block["text"] for block in body["system"][:-1]] == (["Be brief."] if system else [])
    assert warnings == ["warning;weakened;tool_choice"]


@pytest.mark.parametrize("model", [OLD, EARLY, MIDDLE, LATER, LATE, "another-server"])
def test_elsewhere_it_is_forced_as_it_came(model: str) -> None:
    body, warnings, doc = asked(model, tools=[TOOL], tool_choice={"type": "any"})
    assert (body, warnings) == (doc, [])


def test_thinking_goes_on_beside_a_tool_that_is_only_asked_for() -> None:
    body, warnings, _ = asked(UNFORCED, tools=[TOOL], tool_choice={"type": "any"}, thinking=ADAPTIVE)
    assert body["thinking"] == ADAPTIVE
    assert warnings == ["warning;weakened;tool_choice"]


_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.5, 1]),
        "top_p": st.sampled_from([0.5, 0.97, 1]),
        "top_k": st.sampled_from([1, 40]),
        "thinking": st.sampled_from([ADAPTIVE, BUDGET, {"type": "disabled"}]),
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}]),
        "system": st.sampled_from(["", "Be brief."]),
    },
)


@settings(deadline=None)
@given(st.sampled_from(MODELS), _FIELDS, st.booleans())
def test_no_claude_is_asked_for_what_it_refuses(name: str, fields: dict[str, Any], begun: bool) -> None:
    body, warnings, doc = asked(name, *((HI, BEGUN) if begun else (HI,)), tools=[TOOL], **fields)
    model, thinking = claude(name), (body.get("thinking") or {}).get("type")
    judge(body)
    if model.version is None:
        return
    sampled = {n: body[n] for n in ("temperature", "top_p", "top_k") if n in body and (body[n] != 1 or n == "top_k")}
    if not model.samples:
        assert not sampled
    if thinking in ("enabled", "adaptive"):
        assert sampled.get("top_p", 1) >= 0.95
        assert not sampled.keys() - {"top_p"}
        assert body.get("tool_choice", {}).get("type") not in ("any", "tool")
    if model.one_sampler:
        assert not {"temperature", "top_p"} <= body.keys()
    assert model.prefilled or body["messages"][-1]["role"] == "user"
    assert model.forced or body.get("tool_choice", {}).get("type") not in ("any", "tool")
    if body != doc:
        assert warnings, "no change goes unsaid"
