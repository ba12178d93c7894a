"""Ids of tool calls on their way to Anthropic, which refuses one that comes twice in a conversation."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.dialects.responses import Responses
from tests.backends import wire
from tests.backends.claude import EARLY, encoded, judge

HI = {"role": "user", "content": "hi"}


def calls(*ids: str) -> dict[str, Any]:
    made = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(name: str, said: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": said}


def sent(*messages: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The ids of the calls in their order, and the id that each result names."""
    body, warnings = encoded(EARLY, messages=[HI, *messages])
    assert warnings == ()
    return ids_of(body)


def ids_of(body: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    blocks = [one for turn in body["messages"] if isinstance(turn["content"], list) for one in turn["content"]]
    used = [one["id"] for one in blocks if one["type"] == "tool_use"]
    return used, {one["content"]: one["tool_use_id"] for one in blocks if one["type"] == "tool_result"}


def test_a_second_call_of_an_id_is_given_another_and_so_is_its_result() -> None:
    used, results = sent(
        calls("call_0", "call_1"), result("call_1", "b"), result("call_0", "a"),
        calls("call_0"), result("call_0", "c"), calls("call_2"), result("call_2", "d"),
    )  # fmt: skip
    assert used[:2] == ["call_0", "call_1"]
    assert used[3] == "call_2"
    assert len(set(used)) == 4
    assert results == dict(zip("abcd", used, strict=True))


def test_it_is_the_same_in_every_request_of_a_conversation() -> None:
    turns = [calls("call_0"), result("call_0", "a"), calls("call_0"), result("call_0", "b")]
    used, _ = sent(*turns)
    assert sent(*turns, calls("call_0"), result("call_0", "c"))[0][:2] == used


def test_a_call_without_a_result_takes_none_of_a_later_one() -> None:
    used, results = sent(calls("call_0"), HI, calls("call_0"), result("call_0", "a"))
    assert used[0] == "call_0"
    assert results == {"a": used[1]}


def test_results_of_one_id_in_one_turn_are_given_to_its_calls_in_their_order() -> None:
    used, results = sent(calls("call_0", "call_0"), result("call_0", "a"), result("call_0", "b"))
    assert used[0] == "call_0" != used[1]
    assert results == dict(zip("ab", used, strict=True))


def test_ids_that_differ_in_what_anthropic_does_not_take_stay_apart() -> None:
    used, results = sent(calls("f.0", "f:0", ""), result("f:0", "b"), result("", "c"), result("f.0", "a"))
    assert used[0] == "f_0"
    assert len(set(used)) == 3
    assert results == dict(zip("abc", used, strict=True))


def test_deprecated_calls_of_one_function_stay_apart() -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    used, results = sent(
        call, {"role": "function", "name": "f", "content": "a"}, call, {"role": "function", "name": "f", "content": "b"}
    )
    assert used[0] == "call_f" != used[1]
    assert results == dict(zip("ab", used, strict=True))


def test_a_result_without_a_call_keeps_its_id() -> None:
    assert sent(calls("x"), result("x", "a"), result("y", "b"), result("x", "c"))[1] == {"a": "x", "b": "y", "c": "x"}


def test_a_responses_client_may_bring_ids_twice_too() -> None:
    def items(said: str) -> list[dict[str, Any]]:
        call = {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}"}
        return [call, {"type": "function_call_output", "call_id": "call_0", "output": said}]

    request = Responses().parse(orjson.dumps({"model": "auto", "input": [HI, *items("a"), *items("b")]}))
    body = orjson.loads(Anthropic().encode(request, wire.model("anthropic", upstream_model=EARLY)).call.body)
    judge(body)
    used, results = ids_of(body)
    assert used[0] == "call_0" != used[1]
    assert results == dict(zip("ab", used, strict=True))


@given(st.lists(st.lists(st.sampled_from(["", "call_0", "call_1", "a.b", "a_b"]), min_size=1, max_size=3), max_size=4))
def test_whatever_the_ids_every_call_has_one_of_its_own_and_its_result_names_it(turns: list[list[str]]) -> None:
    messages, known = list[dict[str, Any]](), list[str]()
    for number, turn in enumerate(turns):
        messages.append(calls(*turn))
        messages += [result(one, f"{number}/{place}") for place, one in enumerate(turn)]
        known += [f"{number}/{place}" for place in range(len(turn))]
    flat = [one for turn in turns for one in turn]
    used, results = sent(*messages)
    assert len(set(used)) == len(used) == len(flat)
    assert results == dict(zip(known, used, strict=True))
    for kept in ("call_0", "call_1"):
        assert kept not in flat or used[flat.index(kept)] == kept
