"""Streams and whole answers of the Responses dialect, from chat's."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.responses import Responses, turn_of
from llm_inference_router.dialects.responses_writer import ResponsesWriter
from llm_inference_router.errors import Busy, UpstreamBroken
from llm_inference_router.types import ChatRequest, Piece, Usage
from tests.support.responses import accumulated, body, checked, sent

HEAD = Head("0123456789abcdef" * 2, 1_700_000_000, "small")
USAGE = Usage(10, 5, 2, 1, 3)
DIALECT = Responses()


def asked(**fields: Any) -> ChatRequest:
    return DIALECT.parse(orjson.dumps({"model": "auto", "input": "Hello", **fields}))


def piece(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> Piece:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    text = delta.get("content") or ""
    content = any(delta.get(name) for name in ("content", "refusal", "reasoning_content", "tool_calls"))
    return Piece(orjson.dumps({"id": "c", "choices": [choice]}), content, len(text), text, finish)


def streamed(pieces: list[Piece], request: ChatRequest | None = None, **end: Any) -> list[dict[str, Any]]:
    """The events that a client is sent for these pieces of chat."""
    assembly = Assembly(DIALECT.writer(request or asked(), HEAD))
    frames = [frame for one in [*pieces, Piece(usage=USAGE)] for frame in assembly.push(one)]
    return sent(b"".join([*frames, *assembly.end(**end)]))


def call(index: int, name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"index": index, **({"id": f"call_{index}"} if name else {}), "function": function}


def free(index: int, name: str | None = None, text: str | None = None) -> dict[str, Any]:
    """The call of a custom tool."""
    custom = {key: value for key, value in (("name", name), ("input", text)) if value is not None}
    return {"index": index, **({"id": f"call_{index}"} if name else {}), "type": "custom", "custom": custom}


PATCH = {"type": "custom", "name": "patch"}
DELTAS = st.one_of(
    st.builds(lambda index, text: {"tool_calls": [free(index, "patch", text)]}, st.integers(3, 4), st.text(max_size=6)),
    st.builds(lambda index, text: {"tool_calls": [free(index, None, text)]}, st.integers(3, 4), st.text(max_size=6)),
    st.builds(lambda text: {"content": text}, st.text(max_size=6)),
    st.builds(lambda text: {"refusal": text}, st.text(max_size=6)),
    st.builds(lambda text: {"reasoning_content": text}, st.text(max_size=6)),
    st.builds(lambda index, text: {"tool_calls": [call(index, f"f{index}", text)]}, st.integers(0, 2), st.text()),
    st.builds(lambda index, text: {"tool_calls": [call(index, None, text)]}, st.integers(0, 2), st.text(max_size=6)),
    st.builds(
        lambda text: {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": text}]}, st.text(max_size=6)
    ),
    st.just({"thinking_blocks": [{"type": "redacted_thinking", "data": "sealed"}]}),
    st.just({"role": "assistant", "content": ""}),
)
FINISHES = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


@settings(deadline=None)
@given(st.lists(DELTAS, max_size=12), FINISHES)
def test_whatever_chat_streams_the_final_object_is_what_was_streamed(deltas: list[dict[str, Any]], finish: str) -> None:
    events = streamed([*map(piece, deltas), piece({}, finish)])
    final = checked(events)
    said = "".join(delta.get("content") or "" for delta in deltas)
    assert said == "".join(
        part["text"]
        for item in final["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )
    assert final["usage"]["total_tokens"] == 15


@settings(deadline=None)
@given(st.lists(DELTAS, max_size=8), st.integers(0, 8))
def test_a_stream_that_breaks_has_no_gap_and_says_so(deltas: list[dict[str, Any]], broken_at: int) -> None:
    writer = DIALECT.writer(asked(), HEAD)
    frames = [writer.chunk(piece(delta)) for delta in deltas[:broken_at]]
    frames.append(writer.fail(UpstreamBroken("it broke off"), "req_1"))
    events = sent(b"".join(frames))
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2]["code"] == events[-2]["error"]["code"] == "upstream_truncated"
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"] == {"code": "server_error", "message": "it broke off"}


def message_of(text: str, thought: str, calls: list[tuple[str, str]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(calls)
        ]
    return message


@settings(deadline=None)
@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.lists(st.tuples(st.sampled_from(["f", "g"]), st.sampled_from(["", "{}", '{"a":1}'])), max_size=3),
    FINISHES,
    st.integers(1, 5),
)
def test_a_whole_answer_is_what_its_stream_would_give(
    text: str, thought: str, calls: list[tuple[str, str]], finish: str, step: int
) -> None:
    message = message_of(text, thought, calls)
    completion = {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": None}
    whole = body(orjson.dumps(DIALECT.whole(completion, asked(), HEAD)))
    deltas: list[dict[str, Any]] = [
        {field: said[at : at + step]}
        for field, said in (("reasoning_content", thought), ("content", text))
        for at in range(0, len(said), step)
    ]
    for number, (name, arguments) in enumerate(calls):
        deltas.append({"tool_calls": [call(number, name, "")]})
        parts = [arguments[at : at + step] for at in range(0, len(arguments), step)]
        deltas += [{"tool_calls": [call(number, None, part)]} for part in parts]
    final = checked(streamed([*map(piece, deltas), piece({}, finish)]))
    assert {**final, "usage": None} == whole


def test_a_plain_answer_has_the_events_of_the_documentation_in_their_order() -> None:
    events = streamed([piece({"role": "assistant", "content": ""}), piece({"content": "Hi"}), piece({}, "stop")])
    assert [event["type"].removeprefix("response.") for event in events] == [
        *["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"],
        *["output_text.done", "content_part.done", "output_item.done", "completed"],
    ]
    assert events[4]["delta"] == "Hi"
    assert events[-1]["response"]["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 15,
    }


def test_parallel_calls_whose_arguments_come_in_turns_grow_beside_each_other() -> None:
    deltas = [
        {"tool_calls": [call(0, "f", "")]},
        {"tool_calls": [call(1, "g", '{"b"')]},
        {"tool_calls": [call(0, None, '{"a"'), call(1, None, ":2}")]},
        {"tool_calls": [call(0, None, ":1}")]},
    ]
    final = checked(streamed([*map(piece, deltas), piece({}, "tool_calls")]))
    assert [(item["name"], item["call_id"], item["arguments"]) for item in final["output"]] == [
        ("f", "call_0", '{"a":1}'),
        ("g", "call_1", '{"b":2}'),
    ]


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_call_of_a_custom_tool_is_an_item_of_its_kind(wrapped: bool) -> None:
    """`wrapped`: the model knows functions alone, and was offered one of one text field."""
    request = asked(tools=[PATCH, {"type": "function", "name": "f"}])
    begun = call(0, "patch", "") if wrapped else free(0, "patch", "")
    parts = (
        [call(0, None, one) for one in ('{"input": "*** Be', 'gin\\n"}')] if wrapped else [free(0, None, "*** Begin\n")]
    )
    deltas = [begun, call(1, "f", "{"), *parts, call(1, None, "}")]
    events = streamed([*(piece({"tool_calls": [one]}) for one in deltas), piece({}, "tool_calls")], request)
    final = checked(events)
    stem = HEAD.id
    patched = {
        "id": f"ctc_{stem}_0",
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "call_0",
        "name": "patch",
        "input": "*** Begin\n",
    }
    assert final["output"][0] == patched
    assert (final["output"][1]["type"], final["output"][1]["arguments"]) == ("function_call", "{}")
    assert "response.custom_tool_call_input.delta" in [event["type"] for event in events]
    raw = (
        {"type": "function", "function": {"name": "patch", "arguments": '{"input": "*** Begin\\n"}'}}
        if wrapped
        else {"type": "custom", "custom": {"name": "patch", "input": "*** Begin\n"}}
    )
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_0", **raw}]}
    completion = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": None}
    answer = body(orjson.dumps(DIALECT.whole(completion, request, HEAD)))
    assert [{**one, "id": ""} for one in answer["output"]] == [{**patched, "id": ""}]


def test_a_custom_call_that_was_cut_is_given_as_it_came() -> None:
    request = asked(tools=[PATCH])
    parts = [piece({"tool_calls": [call(0, "patch", '{"input": "*** Be')]}), piece({}, "length")]
    final = checked(streamed(parts, request))
    assert (final["output"][0]["type"], final["output"][0]["input"]) == ("custom_tool_call", '{"input": "*** Be')
    assert final["status"] == "incomplete"


def test_what_comes_with_the_finish_reason_is_not_lost() -> None:
    final = checked(streamed([piece({"content": "a"}), piece({"content": "b"}, "stop")]))
    assert final["output"][0]["content"][0]["text"] == "ab"


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("stop", None)]
)
def test_an_answer_that_was_cut_short_says_why(finish: str, reason: str | None) -> None:
    final = checked(streamed([piece({"content": "a"}), piece({}, finish)]))
    assert (final["incomplete_details"] or {}).get("reason") == reason
    assert final["output"][0]["status"] == ("completed" if reason is None else "incomplete")


def test_log_probabilities_are_in_every_place_that_has_room_for_them() -> None:
    tokens = [{"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "é", "logprob": -1.0}]}]
    final = checked(streamed([piece({"content": "a"}, logprobs={"content": tokens}), piece({}, "stop")]))
    [known] = final["output"][0]["content"][0]["logprobs"]
    assert known["bytes"] == [97]
    assert known["top_logprobs"] == [{"token": "é", "logprob": -1.0, "bytes": [195, 169]}]


def test_a_signature_goes_with_the_reasoning_that_it_signs_and_comes_back_as_a_block() -> None:
    blocks = [
        {"type": "thinking", "thinking": "first", "signature": "llmr1.0123456789.sig"},
        {"type": "redacted_thinking", "data": "llmr1.0123456789.data"},
    ]
    message = {"role": "assistant", "content": "so", "reasoning_content": "first", "thinking_blocks": blocks}
    completion = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    output = body(orjson.dumps(DIALECT.whole(completion, asked(), HEAD)))["output"]
    assert [item["type"] for item in output] == ["reasoning", "reasoning", "message"]
    assert output[0]["encrypted_content"] == "llmr1.0123456789.sig"
    back = asked(input=[{"role": "user", "content": "q"}, *output, {"role": "user", "content": "and?"}])
    assert back.body["messages"][1]["thinking_blocks"] == blocks
    assert back.body["messages"][1]["reasoning_content"] == "first"
    assert back.warnings == ()


def test_citations_become_annotations() -> None:
    cited = {"start_index": 0, "end_index": 1, "url": "https://example.org", "title": "x"}
    annotations = [{"type": "url_citation", "url_citation": cited}, {"type": "unknown"}]
    final = checked(streamed([piece({"content": "a"}), piece({"annotations": annotations}), piece({}, "stop")]))
    assert final["output"][0]["content"][0]["annotations"] == [{"type": "url_citation", **cited}]


def test_the_object_repeats_what_was_asked() -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}]
    fields: dict[str, Any] = {
        "instructions": "Be brief.",
        "tools": tools,
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "temperature": 0,
        "top_p": 0.5,
        "max_output_tokens": 100,
        "metadata": {"a": "b"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "store": False,
        "truncation": "auto",
        "user": "alice",
    }
    final = checked(streamed([piece({"content": "a"}), piece({}, "stop")], asked(**fields)))
    assert {name: final[name] for name in fields} == {**fields, "reasoning": {"effort": "low", "summary": None}}


def test_the_decision_is_added_to_the_last_event() -> None:
    events = streamed([piece({"content": "a"}), piece({}, "stop")], router={"chosen": "small"})
    assert events[-1]["response"]["router"] == {"chosen": "small"}


def test_an_upstream_limit_keeps_its_own_code_in_the_failed_object() -> None:
    writer = DIALECT.writer(asked(), HEAD)
    events = sent(writer.chunk(piece({"content": "a"})) + writer.fail(Busy("slow down"), "req_1"))
    assert events[-1]["response"]["error"]["code"] == "rate_limit_exceeded"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "a"


def test_only_text_can_be_gone_on_from() -> None:
    def resumable(*deltas: dict[str, Any]) -> bool:
        writer = DIALECT.writer(asked(), HEAD)
        for delta in deltas:
            writer.chunk(piece(delta))
        return writer.resumable

    assert resumable({"reasoning_content": "hm"}, {"content": "a"})
    assert not resumable({"content": "a"}, {"tool_calls": [call(0, "f", "")]})
    assert not resumable({"content": "a"}, {"refusal": "no"})


# --- events that come as they are -------------------------------------------------------------------------------------


def relayed_events(text: str = "Once upon") -> list[dict[str, Any]]:
    """The events of a stream of OpenAI's, without its end."""
    made = streamed([piece({"content": word}) for word in text.split(" ")] + [piece({}, "stop")])
    events: list[dict[str, Any]] = orjson.loads(orjson.dumps(made).replace(HEAD.id.encode(), b"theirs"))
    return events


def relayed(writer: ResponsesWriter, events: list[dict[str, Any]]) -> bytes:
    frames = b""
    for event in events:
        text = event["delta"] if event["type"] == "response.output_text.delta" else ""
        frames += writer.relayed(Piece(orjson.dumps(event), text=text, event=event["type"].encode(), content=True))
    return frames


@pytest.mark.parametrize("cut", range(3, 9))
def test_another_model_goes_on_with_what_came_as_it_was_in_one_valid_response(cut: int) -> None:
    events = relayed_events()
    writer = DIALECT.writer(asked(), HEAD)
    frames = relayed(writer, events[:cut])
    assert writer.resumable
    frames += writer.chunk(piece({"content": " a time"})) + writer.chunk(piece({}, "stop"))
    final = checked(sent(frames + b"".join(writer.end([], USAGE, told=False, router=None))))
    assert final["id"] == events[0]["response"]["id"]
    texts = [part["text"] for item in final["output"] for part in item["content"]]
    assert "".join(texts).endswith(" a time")
    assert final["usage"]["total_tokens"] == 15


def test_a_stream_with_a_call_or_a_hosted_tool_underway_is_not_gone_on_from() -> None:
    events = relayed_events()[:4]
    for kind in ("function_call", "web_search_call"):
        writer = DIALECT.writer(asked(), HEAD)
        begun = {"type": "response.output_item.added", "output_index": 0, "sequence_number": 2, "item": {"type": kind}}
        relayed(writer, [*events[:2], begun])
        assert not writer.resumable


def test_a_relayed_stream_that_breaks_ends_with_numbers_that_follow() -> None:
    events = relayed_events()
    writer = DIALECT.writer(asked(), HEAD)
    frames = relayed(writer, events[:5]) + writer.fail(UpstreamBroken("it broke off"), "req_1")
    last = sent(frames)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["id"] == events[0]["response"]["id"]


def test_what_is_kept_of_an_answer_is_what_was_asked_and_said() -> None:
    request = asked(previous_response_id="resp_before")
    writer = DIALECT.writer(request, HEAD)
    writer.chunk(piece({"content": "Hi"}))
    writer.end([], USAGE, told=False, router=None)
    kept = turn_of(request, None, writer)
    assert kept is not None
    assert (kept.id, kept.previous) == ("resp_" + HEAD.id, "resp_before")
    assert orjson.loads(kept.input) == [{"type": "message", "role": "user", "content": "Hello"}]
    assert orjson.loads(kept.output)[0]["content"][0]["text"] == "Hi"
    assert turn_of(asked(store=False), None, writer) is None


def test_the_law_compares_something() -> None:
    events = relayed_events()
    events[4]["delta"] = "Other"
    with pytest.raises(AssertionError):
        accumulated(events)
