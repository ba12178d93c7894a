"""What the operator says in the middle of a conversation, on its way to models that hear it and to others."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from anthropic.types import MessageParam
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llm_inference_router.backends.instructions import NOTE
from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.dialects.chat import parse as parse_chat
from llm_inference_router.dialects.messages import parse
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.signals.base import view
from tests.backends import wire
from tests.backends.claude import judge

_PARAMS: TypeAdapter[Any] = TypeAdapter(list[MessageParam])
HEARING = ("claude-opus-4-8", "claude-opus-5", "claude-opus-5-5", "claude-fable-5", "claude-sonnet-5-5", "another")
DEAF = ("claude-haiku-4-5", "claude-opus-4-7", "claude-sonnet-4-6", "claude-sonnet-5")
HI: dict[str, Any] = {"role": "user", "content": "hi"}
SO: dict[str, Any] = {"role": "assistant", "content": "So."}
BRIEF: dict[str, Any] = {"role": "system", "content": "Be brief."}
CACHED = {"cache_control": {"type": "ephemeral"}}
CALL: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_000001", "name": "f", "input": {}}],
}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "toolu_000001", "content": "x"}
ANSWER: dict[str, Any] = {"role": "user", "content": [RESULT]}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def relayed(name: str, *turns: dict[str, Any], **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    doc = {"model": "auto", "max_tokens": 9, "messages": list(turns), **fields}
    by = relay("anthropic", "messages")
    assert by is not None
    made = by.encode(parse(orjson.dumps(doc)), wire.model("anthropic", upstream_model=name))
    return orjson.loads(made.call.body), made.warnings


def chat(server: str, *turns: dict[str, Any], **fields: Any) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    doc = {"model": "auto", "max_tokens": 9, "messages": list(turns), **fields}
    request = parse(orjson.dumps(doc))
    made = backend(server).encode(request, wire.model(server))
    return orjson.loads(made.call.body)["messages"], (*request.warnings, *made.warnings)


@pytest.mark.proves("messages", "anthropic", "system", evidence="specification")
@pytest.mark.parametrize("name", HEARING)
def test_a_model_that_hears_it_is_given_it_as_it_came(name: str) -> None:
    turns = [HI, {**BRIEF, "content": [{**text("Be brief."), **CACHED}]}, SO, HI, BRIEF]
    _PARAMS.validate_python(turns)
    body, warnings = relayed(name, *turns)
    assert body["messages"] == turns
    assert warnings == ()


@pytest.mark.proves("messages", "anthropic", "system", evidence="specification")
@pytest.mark.parametrize("name", DEAF)
def test_another_reads_it_in_its_place_as_the_operators_words(name: str) -> None:
    body, warnings = relayed(name, HI, {**BRIEF, "content": [{**text("Be brief."), **CACHED}]}, SO, HI, BRIEF)
    assert body["messages"] == [
        {"role": "user", "content": [text("hi"), {**text(NOTE + "Be brief."), **CACHED}]},
        SO,
        {"role": "user", "content": [text("hi"), text(NOTE + "Be brief.")]},
    ]
    assert warnings == ("info;rewritten;messages[1]", "info;rewritten;messages[4]")
    assert "system" not in body


def test_it_never_stands_before_the_results_of_calls() -> None:
    body, _ = relayed(DEAF[0], HI, CALL, ANSWER, BRIEF, tools=[TOOL])
    assert body["messages"][2]["content"] == [RESULT, text(NOTE + "Be brief.")]
    body, _ = relayed(DEAF[0], HI, CALL, BRIEF, ANSWER, tools=[TOOL])
    assert body["messages"][2]["content"] == [RESULT, text(NOTE + "Be brief.")]


def test_what_was_meant_for_one_turn_is_gone_with_it() -> None:
    once = {**BRIEF, "clear_at": "next_user_message"}
    assert relayed(DEAF[0], HI, once, SO, HI)[0]["messages"] == [HI, SO, HI]
    assert relayed(DEAF[0], HI, SO, HI, once)[0]["messages"][-1]["content"][-1] == text(NOTE + "Be brief.")


def test_an_effort_without_words_needs_no_place() -> None:
    directive = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    turns = [directive, HI]
    assert relayed(HEARING[0], *turns)[0]["messages"] == turns
    assert relayed(DEAF[0], *turns)[0]["messages"] == [HI]
    messages, warnings = chat("vllm", *turns)
    assert messages == [HI]
    assert "warning;dropped;messages.output_config" in warnings


@pytest.mark.proves("messages", "openai", "system", evidence="specification")
def test_openai_is_given_it_in_its_place() -> None:
    messages, _ = chat("openai", HI, BRIEF, SO, HI, system="Be kind.")
    assert messages == [{"role": "system", "content": "Be kind."}, HI, BRIEF, SO, HI]


@pytest.mark.proves("messages", ["vllm", "tgi", "ollama", "llamacpp"], "system", evidence="specification")
@pytest.mark.parametrize("server", ["vllm", "tgi", "ollama", "llamacpp", "openai_compatible"])
def test_templates_that_take_the_system_first_alone_get_it_within_the_users_turn(server: str) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    shown = {"role": "user", "content": [text("see"), image]}
    messages, warnings = chat(server, HI, BRIEF, CALL, ANSWER, BRIEF, SO, shown, BRIEF, system="Be kind.", tools=[TOOL])
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "tool", "user", "assistant", "user"]
    assert messages[1]["content"] == f"hi\n\n{NOTE}Be brief."
    assert messages[4]["content"] == f"{NOTE}Be brief."
    assert messages[6]["content"][-1] == text(f"{NOTE}Be brief.")
    assert "info;rewritten;messages" in warnings


SERVERS = ["vllm", "tgi", "ollama", "llamacpp", "openai_compatible"]
DEVELOPER: dict[str, Any] = {"type": "message", "role": "developer", "content": "Use tools."}
FUNCTION_CALL: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c", "output": "x"}


def responses(server: str, *items: dict[str, Any], **fields: Any) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    request = Responses().parse(orjson.dumps({"model": "auto", "input": list(items), **fields}))
    made = backend(server).encode(request, wire.model(server))
    return orjson.loads(made.call.body)["messages"], (*request.warnings, *made.warnings)


@pytest.mark.proves("responses", ["vllm", "tgi", "ollama", "llamacpp"], "system", evidence="specification")
@pytest.mark.parametrize("server", SERVERS)
def test_of_a_responses_request_one_system_message_stands_in_front_and_no_other_anywhere(server: str) -> None:
    first = [DEVELOPER, {**BRIEF, "content": [{"type": "input_text", "text": "Be brief."}]}, HI]
    messages, warnings = responses(server, *first, DEVELOPER, HI, instructions="Be kind.")
    front = {"role": "system", "content": "Be kind.\n\nUse tools.\n\nBe brief."}
    assert messages == [front, {"role": "user", "content": f"hi\n\n{NOTE}Use tools."}, HI]
    assert warnings == ("info;rewritten;input",)
    later, _ = responses(server, *first, DEVELOPER, HI, SO, DEVELOPER, HI, instructions="Be kind.")
    assert later[: len(messages)] == messages, "a cached prompt would not be known again"
    assert later[len(messages) :] == [SO, {"role": "user", "content": f"hi\n\n{NOTE}Use tools."}]


@pytest.mark.parametrize("server", SERVERS)
def test_one_that_stands_in_front_alone_is_the_same_whatever_follows(server: str) -> None:
    alone, _ = responses(server, DEVELOPER, HI)
    followed, _ = responses(server, DEVELOPER, HI, SO, HI, BRIEF)
    assert followed[:3] == [*alone, SO]


def test_a_note_never_stands_between_a_call_and_its_result() -> None:
    messages, _ = responses("vllm", HI, FUNCTION_CALL, DEVELOPER, OUTPUT, SO)
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "user", "assistant"]
    assert messages[3]["content"] == f"{NOTE}Use tools."
    two = {**FUNCTION_CALL, "call_id": "d"}, {**OUTPUT, "call_id": "d"}
    messages, _ = responses("vllm", HI, FUNCTION_CALL, two[0], OUTPUT, DEVELOPER, two[1], HI)
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert messages[4]["content"] == f"hi\n\n{NOTE}Use tools."
    messages, _ = chat("vllm", HI, CALL, BRIEF, ANSWER, SO, tools=[TOOL])
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "user", "assistant"]


def test_a_picture_in_a_note_is_shown_with_it() -> None:
    picture = {"type": "input_image", "image_url": "https://x.example/a.png"}
    shown = {**DEVELOPER, "content": [{"type": "input_text", "text": "Mind"}, picture]}
    messages, _ = responses("vllm", HI, shown, SO, HI)
    part = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    assert messages[0]["content"] == [text("hi"), text(f"{NOTE}Mind"), part]


def test_openai_and_clients_of_chat_keep_their_own_places() -> None:
    roles = ["developer", "user", "developer", "user"]
    messages, warnings = responses("openai", DEVELOPER, HI, DEVELOPER, HI)
    assert ([one["role"] for one in messages], warnings) == (roles, ())
    doc = {"model": "auto", "messages": [{"role": role, "content": "x"} for role in roles]}
    made = backend("openai_compatible").encode(parse_chat(orjson.dumps(doc)), wire.model("openai_compatible"))
    assert (orjson.loads(made.call.body)["messages"], made.warnings) == (doc["messages"], ())


@settings(deadline=None)
@given(st.lists(st.sampled_from([HI, SO, DEVELOPER, FUNCTION_CALL, OUTPUT]), max_size=8), st.sampled_from(SERVERS))
def test_wherever_they_stand_every_word_arrives_and_only_the_first_is_of_the_system(items: Any, server: str) -> None:
    messages, _ = responses(server, HI, *items)
    assert all(one["role"] not in ("system", "developer") for one in messages[1:])
    assert str(messages).count("Use tools.") == items.count(DEVELOPER)
    assert [one["role"] for one in messages].count("tool") == items.count(OUTPUT)


def test_it_is_no_question_of_the_users() -> None:
    request = parse(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": [HI, BRIEF]}))
    assert [message.role for message in request.messages] == ["user", "system"]
    assert view(request).ask == "hi"


@pytest.mark.parametrize(
    ("turns", "place"),
    [
        ([BRIEF, HI], "messages.0.role"),
        ([{"role": "system", "content": []}, HI], "messages.0.role"),
        ([HI, {"role": "system"}], "messages.1.content"),
        ([HI, {"role": "system", "content": 7}], "messages.1.content"),
        ([HI, {"role": "system", "content": [{"type": "text"}]}], "messages.1.content.0.text"),
        ([{"role": "system", "content": [], "output_config": {"effort": "low"}}], "messages"),
    ],
)
def test_one_that_cannot_be_is_refused_with_its_place(turns: list[Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": turns}))
    assert caught.value.param == place


@settings(deadline=None)
@given(st.lists(st.sampled_from([HI, SO, BRIEF]), min_size=1, max_size=8), st.sampled_from(DEAF))
def test_whatever_stands_where_every_word_arrives_and_no_system_is_left(turns: list[Any], name: str) -> None:
    turns = [HI, *turns]
    body, _ = relayed(name, *turns)
    assert all(turn["role"] in ("user", "assistant") for turn in body["messages"])
    assert str(body["messages"]).count("Be brief.") == turns.count(BRIEF)
    assert str(body["messages"]).count("'hi'") == turns.count(HI)
    if all(a["role"] != b["role"] for a, b in pairwise(one for one in turns if one is not BRIEF)):
        judge(body)
