"""What a chat client asks of a Claude model: what survives, what is said otherwise, and what is told to be lost."""

import json
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.backends.anthropic_schema import closed
from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.config.claude import claude
from llm_inference_router.dialects.chat import parse
from tests.backends import wire
from tests.backends.test_anthropic_request import judge

anthropic = Anthropic()
NEW, LATE, MIDDLE, EARLY = "claude-opus-5-5", "claude-sonnet-5", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"


def encoded(model: str, /, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body for this upstream model, judged by the official client's types."""
    max_output = fields.pop("max_output", None)
    raw = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **fields}
    upstream = wire.model("anthropic", max_output=max_output, upstream_model=model)
    made = anthropic.encode(parse(orjson.dumps(raw)), upstream)
    body = orjson.loads(made.call.body)
    judge(body)
    return body, made.warnings


def answered(doc: dict[str, Any], *custom_tools: str) -> dict[str, Any]:
    """The chat.completion for a message, judged by the official client's types."""
    body = {"id": "msg_1", "type": "message", "role": "assistant", "usage": {"input_tokens": 1, "output_tokens": 1}}
    given = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, custom_tools=frozenset(custom_tools))
    answer = anthropic.answer(json.dumps(body | doc).encode(), given)
    assert isinstance(answer, Answer)
    wire.completion(answer.body)
    return answer.body


def streamed(*docs: dict[str, Any], custom_tools: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The chunks of a stream of these events after a message_start, as the client gets them."""
    start = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}}
    given = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, custom_tools=frozenset(custom_tools))
    decoder = anthropic.decoder(given)
    data = b"".join(b"data: " + json.dumps(doc).encode() + b"\n\n" for doc in (start, *docs, {"type": "message_stop"}))
    assembly, sent = wire.assembled([*decoder.feed(data), *decoder.close()])
    assert assembly.complete
    return [orjson.loads(line[6:]) for line in sent.split(b"\n\n")[:-2]]


def started(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def said(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stopped(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finished(reason: str, **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": {"output_tokens": 9}}


# --- which model takes what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("claude-opus-5-5", (5, 5)),
        ("claude-opus-4-20250514", (4, 0)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("us.anthropic.claude-sonnet-4-6-v1:0", (4, 6)),
        ("anthropic/claude-sonnet-4.5", (4, 5)),
        ("claude-3-5-sonnet-20241022", (3, 5)),
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-mythos-preview", (5, 0)),
        ("claude-sonnet-latest", (5, 0)),
        ("claude-of-our-own", None),
        ("upstream-name", None),
    ],
)
def test_the_version_is_read_from_any_spelling_of_the_name(name: str, version: tuple[int, int] | None) -> None:
    assert claude(name).version == version


@pytest.mark.parametrize(
    ("name", "thinking", "unthinking", "samples", "schemas", "forced", "prefilled"),
    [
        ("claude-3-5-sonnet-20241022", "none", "omitted", True, False, True, True),
        ("claude-opus-4-1", "budget", "omitted", True, False, True, True),
        ("claude-sonnet-4-5", "budget", "omitted", True, True, True, True),
        ("claude-opus-4-6", "adaptive", "omitted", True, True, True, False),
        ("claude-opus-4-7", "adaptive", "omitted", False, True, True, False),
        ("claude-opus-5", "adaptive", "disabled", False, True, True, False),
        ("claude-fable-5", "adaptive", "never", False, True, True, False),
        ("claude-fable-5-1", "adaptive", "never", False, True, False, False),
        ("claude-opus-5-5", "adaptive", "never", False, True, False, False),
        ("claude-sonnet-5-5", "adaptive", "between_tools", False, True, False, False),
        ("another-server", "budget", "omitted", True, False, True, True),
    ],
)
def test_models_differ_in_what_they_take(
    name: str, thinking: str, unthinking: str, samples: bool, schemas: bool, forced: bool, prefilled: bool
) -> None:
    model = claude(name)
    assert (model.thinking, model.unthinking) == (thinking, unthinking)
    assert (model.samples, model.schemas, model.forced, model.prefilled) == (samples, schemas, forced, prefilled)


# --- structured output ------------------------------------------------------------------------------------------------

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": schema}}


@pytest.mark.proves("chat", "anthropic", "schema", evidence="specification")
def test_a_schema_is_enforced_by_models_that_can() -> None:
    for name in (NEW, LATE, MIDDLE, EARLY):
        body, warnings = encoded(name, response_format=form(PERSON))
        held = body["output_config"]["format"]
        assert held["type"] == "json_schema"
        assert held["schema"]["properties"]["age"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
        assert "system" not in body
        assert warnings == ()


def test_a_constraint_that_is_not_enforced_is_told_and_warned_of() -> None:
    body, warnings = encoded(NEW, response_format=form(PERSON | {"properties": {"name": {"type": "string"}, "age": {
        "type": "integer", "minimum": 0, "description": "in years"}}}))  # fmt: skip
    age = body["output_config"]["format"]["schema"]["properties"]["age"]
    assert age == {"type": "integer", "description": "in years\n\n{minimum: 0}"}
    assert warnings == ("warning;weakened;response_format",)


OPEN: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {}}},
    {"type": "array", "items": {"type": "string"}},
    {"$ref": "https://example.com/schema"},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"anyOf": [
        {"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}}]}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", OPEN, ids=str)
def test_a_schema_that_cannot_be_enforced_is_asked_for_in_the_prompt(schema: dict[str, Any]) -> None:
    body, warnings = encoded(NEW, response_format=form(schema))
    assert "output_config" not in body
    assert json.dumps(schema, separators=(",", ":")) in body["system"]
    assert warnings == ("warning;weakened;response_format",)


@pytest.mark.proves("chat", "anthropic", "json", evidence="specification", lost="weakened")
def test_json_mode_is_asked_for_in_the_prompt() -> None:
    body, warnings = encoded(NEW, response_format={"type": "json_object"})
    assert "one JSON object" in body["system"]
    assert warnings == ("warning;weakened;response_format",)


_LEAF = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": ["number", "null"]},
        {"enum": ["a", "b", 1, None]},
        {"const": "x"},
        {"type": "string", "maxLength": 2},
        {"$ref": "#/$defs/T"},
    ]
)
_SCHEMA = st.recursive(
    _LEAF,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner)
        | st.builds(lambda many: {"oneOf": many}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(
            lambda some: {"type": "object", "properties": some, "required": list(some)},
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=6,
)
_VALUE = st.recursive(
    st.none() | st.sampled_from(["a", "abc", "x"]) | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(_SCHEMA, _VALUE)
def test_what_the_closed_schema_allows_the_asked_one_allows(inner: dict[str, Any], value: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"v": inner},
        "required": ["v"],
        "$defs": {"T": {"type": "boolean"}},
    }
    made = closed(schema)
    assert made is not None
    instance = {"v": value}
    # Of several variants exactly one is asked for, and any is allowed: nobody means two at once.
    asked = json.loads(json.dumps(schema).replace("oneOf", "anyOf"))
    if not made.weaker and jsonschema.Draft202012Validator(made.schema).is_valid(instance):
        assert jsonschema.Draft202012Validator(asked).is_valid(instance)


# --- reasoning --------------------------------------------------------------------------------------------------------


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


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


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


# --- tools ------------------------------------------------------------------------------------------------------------

SECOND = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}


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


CUSTOM = {"type": "custom", "custom": {"name": "sql", "description": "Runs a query."}}


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


# --- the rest of a request --------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "anthropic", "files", evidence="specification")
def test_files_in_the_request_are_documents() -> None:
    parts = [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,QUJD"}},
        {"type": "text", "text": "what?"},
    ]
    body, warnings = encoded(EARLY, messages=[{"role": "user", "content": parts}])
    pdf, text, _ = body["messages"][0]["content"]
    assert (pdf["title"], pdf["source"]["media_type"], pdf["source"]["data"]) == ("a.pdf", "application/pdf", "QUJD")
    assert text["source"] == {"type": "text", "media_type": "text/plain", "data": "ABC"}
    assert warnings == ()
    kept = {"type": "file", "file": {"file_id": "file-1"}}
    _, warnings = encoded(EARLY, messages=[{"role": "user", "content": [kept, parts[2]]}])
    assert warnings == ("warning;dropped;file",)


@pytest.mark.proves("chat", "anthropic", "images", evidence="specification")
def test_an_image_loses_only_its_detail() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    body, warnings = encoded(EARLY, messages=[{"role": "user", "content": [image]}])
    assert body["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://example.com/a.png"}
    assert warnings == ("info;dropped;image_url.detail",)


@pytest.mark.proves("chat", "anthropic", "metadata", evidence="specification")
@pytest.mark.parametrize(
    ("fields", "user", "lost"),
    [
        ({"user": "u"}, "u", ()),
        ({"safety_identifier": "s", "user": "u"}, "s", ()),
        ({"metadata": {"user_id": "m"}}, "m", ()),
        ({"metadata": {"user_id": "m", "team": "t"}}, "m", ("warning;dropped;metadata",)),
        ({"prompt_cache_key": "k"}, None, ("info;dropped;prompt_cache_key",)),
    ],
)
def test_the_user_is_named(fields: dict[str, Any], user: str | None, lost: tuple[str, ...]) -> None:
    body, warnings = encoded(EARLY, **fields)
    assert body.get("metadata", {}).get("user_id") == user
    assert warnings == lost


@pytest.mark.proves("chat", "anthropic", "service_tier", evidence="specification")
@pytest.mark.parametrize(
    ("tier", "sent", "lost"),
    [
        ("auto", None, ()),
        ("default", "standard_only", ()),
        ("priority", "auto", ()),
        ("flex", None, ("warning;dropped;service_tier",)),
    ],
)
def test_the_service_tier_is_said_in_their_words(tier: str, sent: str | None, lost: tuple[str, ...]) -> None:
    body, warnings = encoded(EARLY, service_tier=tier)
    assert body.get("service_tier") == sent
    assert warnings == lost
    usage = {"input_tokens": 1, "output_tokens": 1, "service_tier": "standard"}
    assert answered({"content": [], "stop_reason": "end_turn", "usage": usage})["service_tier"] == "default"


_LOST: dict[str, Any] = {
    "seed": 1,
    "logprobs": True,
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
    "n": 2,
    "audio": {"voice": "alloy", "format": "wav"},
}


@pytest.mark.proves(
    "chat",
    "anthropic",
    ["seed", "logprobs", "prediction", "web_search", "n", "audio"],
    evidence="specification",
    lost="dropped",
)
@pytest.mark.parametrize("name", _LOST)
def test_what_anthropic_has_no_word_for_is_left_out_and_named(name: str) -> None:
    body, warnings = encoded(EARLY, **{name: _LOST[name]})
    assert name not in body
    assert warnings == (f"warning;dropped;{name}",)


@pytest.mark.proves("chat", "anthropic", "system", evidence="specification")
def test_developer_and_system_messages_are_the_system_prompt() -> None:
    turns = [
        {"role": "developer", "content": "a"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "b"},
    ]
    body, warnings = encoded(EARLY, messages=turns)
    assert body["system"] == "a\n\nb"
    assert warnings == ()


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("chat", "anthropic", "stop", evidence="specification")
def test_the_stop_sequence_that_was_hit_is_named() -> None:
    assert encoded(EARLY, stop=["END", "\n"])[0]["stop_sequences"] == ["END"]
    text = [{"type": "text", "text": "a"}]
    choice = answered({"content": text, "stop_reason": "stop_sequence", "stop_sequence": "END"})["choices"][0]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "END")
    chunks = streamed(
        started(0, type="text", text=""),
        said(0, type="text_delta", text="a"),
        stopped(0),
        finished("stop_sequence", stop_sequence="END"),
    )
    ends = [c for one in chunks for c in one["choices"] if c["finish_reason"]]
    assert [(c["finish_reason"], c["stop_reason"]) for c in ends] == [("stop", "END")]


@pytest.mark.proves("chat", "anthropic", "refusals", evidence="specification")
def test_a_refusal_is_a_content_filter_with_its_reason() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    choice = answered({"content": [], "stop_reason": "refusal", "stop_details": details})["choices"][0]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "Not this.")
    chunks = streamed(finished("refusal", stop_details=details))
    deltas = [c for one in chunks for c in one["choices"]]
    assert "".join(c["delta"].get("refusal") or "" for c in deltas) == "Not this."
    assert deltas[-1]["finish_reason"] == "content_filter"
    assert answered({"content": [], "stop_reason": "refusal"})["choices"][0]["message"]["refusal"] is None


WEB = {
    "type": "web_search_result_location",
    "url": "https://example.com/a",
    "title": "A",
    "cited_text": "c",
    "encrypted_index": "e",
}
PAGE = {"type": "page_location", "document_index": 0, "cited_text": "c"}


@pytest.mark.proves("chat", "anthropic", "citations", evidence="specification")
def test_citations_are_annotations_of_the_text_that_they_belong_to() -> None:
    texts: list[dict[str, Any]] = [
        {"type": "text", "text": "See "},
        {"type": "text", "text": "this", "citations": [WEB, PAGE]},
        {"type": "text", "text": "."},
    ]
    message = answered({"content": texts, "stop_reason": "end_turn"})["choices"][0]["message"]
    shown = {"start_index": 4, "end_index": 8, "url": "https://example.com/a", "title": "A"}
    assert message["content"] == "See this."
    assert message["annotations"] == [{"type": "url_citation", "url_citation": shown}]
    assert message["citations"] == [WEB, PAGE]
    events = []
    for index, block in enumerate(texts):
        events += [started(index, type="text", text=""), said(index, type="text_delta", text=block["text"])]
        events += [said(index, type="citations_delta", citation=c) for c in block.get("citations", ())]
        events.append(stopped(index))
    deltas = [c["delta"] for one in streamed(*events, finished("end_turn")) for c in one["choices"]]
    found = [delta for delta in deltas if "citations" in delta]
    assert [delta["citations"] for delta in found] == [[WEB, PAGE]]
    assert found[0]["annotations"] == message["annotations"]


@pytest.mark.proves("chat", "anthropic", ["usage", "cached_usage"], evidence="specification")
def test_usage_counts_the_cache_and_the_thinking() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 50,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 70,
        "output_tokens_details": {"thinking_tokens": 30},
    }
    expected = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 70, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    assert answered({"content": [], "stop_reason": "end_turn", "usage": usage})["usage"] == expected
    end = finished("end_turn") | {"usage": usage}
    assert streamed(end)[-1]["usage"] == expected


@pytest.mark.proves("chat", "anthropic", ["finish_reasons", "limits"], evidence="specification")
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "tool_calls"),
    ],
)
def test_finish_reasons(theirs: str, ours: str) -> None:
    assert answered({"content": [], "stop_reason": theirs})["choices"][0]["finish_reason"] == ours
    ends = [c["finish_reason"] for one in streamed(finished(theirs)) for c in one["choices"] if c["finish_reason"]]
    assert ends == [ours]


_WORDS = [
    "text",
    "tool_use",
    "thinking",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
]
_KEYS = [
    "type", "content", "usage", "input", "name", "id", "index", "delta", "content_block", "message", "stop_reason",
    "stop_sequence", "stop_details", "citations", "citation", "text", "partial_json", "thinking", "service_tier",
    "output_tokens", "output_tokens_details", "error",
]  # fmt: skip
_ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.sampled_from([*_WORDS, "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(_ODD)
def test_no_json_breaks_the_reading_of_messages_and_events(doc: Any) -> None:
    blocks = doc if isinstance(doc, list) else [doc]
    for body in (doc, {"content": doc, "usage": doc}, {"content": blocks, "stop_reason": "refusal", "usage": doc}):
        answer = anthropic.answer(orjson.dumps(body), wire.rendering())
        if isinstance(answer, Answer):
            wire.completion(answer.body)
    for event in (doc, *({"type": word, "index": 0, "delta": doc, "content_block": doc} for word in _WORDS)):
        for piece in wire.pieces(anthropic, [b"data: " + orjson.dumps(event) + b"\n\n"]):
            if piece.chunk is not None:
                ChatCompletionChunk.model_validate_json(piece.chunk, strict=True)


_EVERYTHING: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}},
    started(0, type="thinking", thinking=""),
    said(0, type="thinking_delta", thinking="hm, ü"),
    stopped(0),
    started(1, type="text", text=""),
    said(1, type="text_delta", text="See"),
    said(1, type="citations_delta", citation=WEB),
    stopped(1),
    started(2, type="tool_use", id="t", name="f", input={}),
    said(2, type="input_json_delta", partial_json='{"a"'),
    said(2, type="input_json_delta", partial_json=": 1}"),
    stopped(2),
    started(3, type="tool_use", id="c", name="sql", input={}),
    said(3, type="input_json_delta", partial_json='{"input": "SELECT 1"}'),
    stopped(3),
    finished("tool_use") | {"usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}},
    {"type": "message_stop"},
]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_stream_of_everything_is_the_same_wherever_it_is_split(data: st.DataObject) -> None:
    given_ = Rendering(wire.MODEL_NAME, "chatcmpl-ours", 1, include_usage=True, custom_tools=frozenset({"sql"}))
    body = b"".join(b"data: " + json.dumps(doc, ensure_ascii=False).encode() + b"\n\n" for doc in _EVERYTHING)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=12)))
    runs = []
    for parts in ([body], [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]):
        decoder = anthropic.decoder(given_)
        runs.append([piece for part in parts for piece in decoder.feed(part)] + decoder.close())
    assert runs[0] == runs[1]
    assert [piece.usage.reasoning_tokens for piece in runs[0] if piece.usage] == [4]
    assert sum(piece.chunk is not None and b'"custom"' in piece.chunk for piece in runs[0]) == 2


# --- there and back ---------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), _JSON, max_size=4))
def test_arguments_come_back_byte_for_byte(arguments: dict[str, Any]) -> None:
    text = json.dumps(arguments)
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": text}}
    raw = {"model": "auto", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]}
    sent = anthropic.encode(parse(orjson.dumps(raw)), wire.model("anthropic", upstream_model=EARLY)).call.body
    assert b'"input":' + text.encode() + b"}" in sent
    block = json.dumps({"type": "tool_use", "id": "a", "name": "f", "input": 0}).replace("0}", text + "}")
    body = f'{{"content": [{{"type": "text", "text": ""}}, {block}], "stop_reason": "tool_use"}}'
    answer = anthropic.answer(body.encode(), wire.rendering())
    assert isinstance(answer, Answer)
    assert answer.body["choices"][0]["message"]["tool_calls"] == [call]
    half = len(text) // 2
    chunks = streamed(
        started(0, type="tool_use", id="a", name="f", input={}),
        said(0, type="input_json_delta", partial_json=text[:half]),
        said(0, type="input_json_delta", partial_json=text[half:]),
        stopped(0),
        finished("tool_use"),
    )
    calls = [call for one in chunks for c in one["choices"] for call in c["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == text


@settings(deadline=None)
@given(st.text(min_size=1, max_size=20).filter(str.strip))
def test_text_goes_there_and_back_unchanged(text: str) -> None:
    turns = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": text},
        {"role": "user", "content": [{"type": "text", "text": text}]},
    ]
    sent = encoded(EARLY, messages=turns)[0]["messages"]
    assert [turn["content"] for turn in sent] == [text] * 3
    block = {"type": "text", "text": sent[1]["content"]}
    assert answered({"content": [block], "stop_reason": "end_turn"})["choices"][0]["message"]["content"] == text
    half = len(text) // 2
    parts = [said(0, type="text_delta", text=part) for part in (text[:half], text[half:]) if part]
    chunks = streamed(started(0, type="text", text=""), *parts, stopped(0), finished("end_turn"))
    assert "".join(c["delta"].get("content") or "" for one in chunks for c in one["choices"]) == text


@settings(deadline=None)
@given(st.sampled_from(["png", "jpeg", "gif", "webp"]), st.from_regex(r"[A-Za-z0-9+/]{4,40}", fullmatch=True))
def test_images_are_sent_byte_for_byte(kind: str, data: str) -> None:
    url = f"data:image/{kind};base64,{data}"
    image = {"type": "image_url", "image_url": {"url": url}}
    block = encoded(EARLY, messages=[{"role": "user", "content": [image]}])[0]["messages"][0]["content"][0]
    assert f"data:{block['source']['media_type']};base64,{block['source']['data']}" == url
