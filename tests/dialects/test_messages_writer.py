from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.messages_answer import UNSIGNED, message
from llm_inference_router.dialects.messages_writer import MessagesWriter
from llm_inference_router.dialects.usage import usage_as_messages
from llm_inference_router.errors import UpstreamBroken
from llm_inference_router.types import Piece, Usage
from tests.serving.messages import built, judge, named_events

HEAD = Head("0123456789abcdef", 1_700_000_000, "ours", 12)


def piece(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> Piece:
    chunk = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "ours",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}],
    }
    content = any(delta.get(name) for name in ("content", "reasoning_content", "reasoning", "tool_calls", "refusal"))
    text = delta.get("content") or ""
    return Piece(orjson.dumps(chunk), content, len(text), text, finish)


def call(index: int, arguments: str | None = None, name: str | None = None, id: str | None = None) -> dict[str, Any]:  # noqa: A002
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"tool_calls": [{"index": index, "function": function} | ({} if id is None else {"id": id})]}


def stream(*pieces: Piece, usage: Usage | None = None, router: dict[str, Any] | None = None) -> bytes:
    assembly = Assembly(MessagesWriter(HEAD), prompt_tokens=12)
    sent = [frame for one in pieces for frame in assembly.push(one)]
    if usage is not None:
        sent += assembly.push(Piece(usage=usage))
    sent += assembly.push(Piece(done=True))
    return b"".join(sent) + b"".join(assembly.end(router))


def answer(*pieces: Piece, **more: Any) -> dict[str, Any]:
    return built(named_events(stream(*pieces, **more)))


def test_text_becomes_one_block() -> None:
    got = answer(
        piece({"role": "assistant", "content": ""}),
        piece({"content": "Hello"}),
        piece({"content": " there"}),
        piece({}, "stop"),
        usage=Usage(100, 7, cached_tokens=60, cache_write_tokens=30, reasoning_tokens=2),
    )
    assert got["content"] == [{"type": "text", "text": "Hello there"}]
    assert (got["id"], got["model"]) == ("msg_0123456789abcdef", "ours")
    assert (got["stop_reason"], got["stop_sequence"]) == ("end_turn", None)
    assert got["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 2},
    }


def test_the_first_event_says_what_we_estimate() -> None:
    events = named_events(stream(piece({"content": "a"}), piece({}, "stop"), usage=Usage(100, 7)))
    assert events[0]["message"]["usage"]["input_tokens"] == 12


def test_an_answer_without_a_word_is_a_message_all_the_same() -> None:
    assert answer(piece({"role": "assistant", "content": ""}), piece({}, "stop"))["content"] == []


def test_reasoning_that_nobody_signed_gets_a_signature_for_nobody() -> None:
    got = answer(piece({"reasoning": "Hm."}), piece({"content": "Yes"}), piece({}, "stop"))
    assert got["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": UNSIGNED},
        {"type": "text", "text": "Yes"},
    ]


def test_signed_reasoning_keeps_its_signature_and_is_not_said_twice() -> None:
    whole = {"type": "thinking", "thinking": "Hm. So.", "signature": "sig"}
    got = answer(
        piece({"reasoning_content": "Hm. "}),
        piece({"reasoning_content": "So."}),
        piece({"thinking_blocks": [whole]}),
        piece({"thinking_blocks": [{"type": "redacted_thinking", "data": "secret"}]}),
        piece({"thinking_blocks": [{"type": "thinking", "thinking": "Unsaid.", "signature": "two"}]}),
        piece({"content": "Yes"}),
        piece({}, "stop"),
    )
    assert got["content"] == [
        whole,
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "Unsaid.", "signature": "two"},
        {"type": "text", "text": "Yes"},
    ]


def test_reasoning_in_both_fields_at_once_is_said_once() -> None:
    got = answer(
        piece({"reasoning_content": "Hm.", "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}]}),
        piece({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "sig"}]}),
        piece({"content": "Yes"}),
        piece({}, "stop"),
    )
    assert got["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "sig"}


@pytest.mark.parametrize(
    ("finish", "choice", "stop"),
    [
        ("stop", {}, ("end_turn", None)),
        ("stop", {"stop_reason": "###"}, ("stop_sequence", "###")),
        ("stop", {"stop_reason": 128001}, ("end_turn", None)),
        ("length", {"stop_reason": "###"}, ("max_tokens", None)),
        ("content_filter", {}, ("refusal", None)),
    ],
)
def test_why_it_stopped(finish: str, choice: dict[str, Any], stop: tuple[str, str | None]) -> None:
    got = answer(piece({"content": "a"}), piece({}, finish, **choice))
    assert (got["stop_reason"], got["stop_sequence"]) == stop


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_a_call_stops_for_the_tool_whatever_the_server_says(finish: str) -> None:
    got = answer(piece(call(0, "", "f", "call_12345")), piece(call(0, '{"a":1}')), piece({}, finish))
    assert got["stop_reason"] == "tool_use"
    assert got["content"] == [{"type": "tool_use", "id": "call_12345", "name": "f", "input": {"a": 1}}]


def test_an_id_that_would_come_again_is_exchanged() -> None:
    got = answer(piece(call(0, "{}", "f", "call_0")), piece(call(1, "{}", "g")), piece({}, "tool_calls"))
    assert [block["id"] for block in got["content"]] == ["toolu_0123456789abcdef00", "toolu_0123456789abcdef01"]


def test_the_first_of_several_calls_leaves_as_it_comes() -> None:
    writer = MessagesWriter(HEAD)
    writer.chunk(piece(call(0, "", "f", "call_aaaaa")))
    assert b'\\"a\\"' in writer.chunk(piece(call(0, '{"a"')))
    assert writer.chunk(piece(call(1, "{}", "g", "call_bbbbb"))) == b""
    events = named_events(writer.chunk(piece(call(0, ":1}"))))
    assert [event["type"] for event in events] == [
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Piece]]:
    """Several calls, text and reasoning, cut into deltas that come in any order that keeps each call's own."""
    inputs = draw(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=6), max_size=3), max_size=4))
    left = [cut(draw, orjson.dumps(one).decode()) for one in inputs]
    pieces = [piece({"reasoning": draw(st.text(min_size=1, max_size=5))})] if draw(st.booleans()) else []
    begun: set[int] = set()
    while any(left):
        number = draw(st.sampled_from([index for index, parts in enumerate(left) if parts]))
        part = left[number].pop(0)
        name = None if number in begun else f"f{number}"
        begun.add(number)
        pieces.append(piece(call(number, part, name, f"call_{number:05d}" if name else None)))
        if draw(st.integers(0, 4)) == 0:
            pieces.append(piece({"content": draw(st.text(min_size=1, max_size=3))}))
    return inputs, pieces


def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=4))})
    return [text[a:b] for a, b in pairwise(places)]


@given(interleaved())
def test_calls_that_come_at_once_become_blocks_in_a_row(made: tuple[list[dict[str, Any]], list[Piece]]) -> None:
    inputs, pieces = made
    got = answer(*pieces, piece({}, "tool_calls"))
    calls = {block["name"]: block["input"] for block in got["content"] if block["type"] == "tool_use"}
    assert calls == {f"f{index}": one for index, one in enumerate(inputs)}
    said = "".join(orjson.loads(one.chunk or b"")["choices"][0]["delta"].get("content") or "" for one in pieces)
    assert "".join(block["text"] for block in got["content"] if block["type"] == "text") == said


def test_arguments_that_are_no_object_pass_in_a_stream() -> None:
    events = named_events(
        stream(piece(call(0, "[1,", "f", "call_aaaaa")), piece(call(0, "2]")), piece({}, "tool_calls"))
    )
    parts = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert parts == ["[1,", "2]"]
    assert events[-1]["type"] == "message_stop"


def test_the_decision_comes_with_the_usage() -> None:
    events = named_events(stream(piece({"content": "a"}), piece({}, "stop"), router={"route": "auto"}))
    assert [event.get("router") for event in events[-2:]] == [{"route": "auto"}, None]


def test_an_error_is_the_last_event() -> None:
    writer = MessagesWriter(HEAD)
    [event] = named_events(writer.fail(UpstreamBroken("it broke"), "req_1"))
    assert event == {"type": "error", "error": {"type": "api_error", "message": "it broke"}, "request_id": "req_1"}


# --- one answer, two sources ------------------------------------------------------------------------------------------


def event(doc: dict[str, Any], text: str = "") -> Piece:
    return Piece(orjson.dumps(doc), bool(text), len(text), text, event=doc["type"].encode())


def begun(*blocks: dict[str, Any]) -> list[Piece]:
    """A relayed stream that broke within its last block."""
    start = {**judged_start(), "id": "msg_theirs"}
    pieces = [event({"type": "message_start", "message": start})]
    for index, block in enumerate(blocks):
        if index:
            pieces.append(event({"type": "content_block_stop", "index": index - 1}))
        kind = block["type"]
        empty = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
        pieces.append(event({"type": "content_block_start", "index": index, "content_block": empty}))
        delta = {"type": f"{kind}_delta", kind: block[kind]}
        pieces.append(event({"type": "content_block_delta", "index": index, "delta": delta}, block[kind]))
        if block.get("signature"):
            signed = {"type": "signature_delta", "signature": block["signature"]}
            pieces.append(event({"type": "content_block_delta", "index": index, "delta": signed}))
    return pieces


def judged_start() -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "model": "ours",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        ([], ["text: rest"]),
        ([{"type": "text", "text": "The "}], ["text:The  rest"]),
        ([{"type": "thinking", "thinking": "Hm"}], [f"thinking:Hm:{UNSIGNED}", "text: rest"]),
        ([{"type": "thinking", "thinking": "Hm", "signature": "s"}], ["thinking:Hm:s", "text: rest"]),
        (
            [{"type": "thinking", "thinking": "Hm", "signature": "s"}, {"type": "text", "text": "The"}],
            ["thinking:Hm:s", "text:The rest"],
        ),
    ],
)
def test_another_model_goes_on_where_a_relayed_stream_broke(blocks: list[dict[str, Any]], content: list[str]) -> None:
    writer = MessagesWriter(HEAD)
    first = Assembly(writer, relayed=True)
    sent = b"".join(frame for one in begun(*blocks) for frame in first.push(one))
    held = b"" if blocks else writer.relayed(begun()[0])
    assert writer.resumable
    second = Assembly(writer, spent=Usage(5, 2))
    for one in (piece({"content": " rest"}), piece({}, "stop"), Piece(usage=Usage(20, 3)), Piece(done=True)):
        sent += b"".join(second.push(one))
    got = built(named_events(held + sent + b"".join(second.end())))
    assert [":".join(str(value) for value in block.values()) for block in got["content"]] == content
    assert (got["stop_reason"], got["usage"]["output_tokens"]) == ("end_turn", 5)


def test_nobody_goes_on_within_a_tool_call() -> None:
    writer = MessagesWriter(HEAD)
    for one in begun({"type": "text", "text": "I ask."}):
        writer.relayed(one)
    before = writer.resumable
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    writer.relayed(event({"type": "content_block_start", "index": 1, "content_block": block}))
    hub = MessagesWriter(HEAD)
    hub.chunk(piece(call(0, "{", "f", "call_aaaaa")))
    assert [before, writer.resumable, hub.resumable] == [True, False, False]


# --- whole answers ----------------------------------------------------------------------------------------------------


def completion(said: dict[str, Any], finish: str = "stop", **choice: Any) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    message = {"role": "assistant", "content": None, **said}
    choice = {"index": 0, "message": message, "finish_reason": finish, **choice}
    return {"id": "chatcmpl-1", "model": "ours", "choices": [choice], "usage": usage}


def arguments(*texts: str) -> list[dict[str, Any]]:
    functions = [{"name": f"f{index}", "arguments": text} for index, text in enumerate(texts)]
    return [{"id": f"call_{i:05d}", "type": "function", "function": one} for i, one in enumerate(functions)]


def test_a_whole_answer_says_what_its_stream_says() -> None:
    calls = arguments('{"a": [1, 2]}', "{}")
    got = message(completion({"content": "So.", "reasoning_content": "Hm.", "tool_calls": calls}, "tool_calls"), HEAD)
    judge(got)
    got = orjson.loads(orjson.dumps(got))
    streamed = answer(
        piece({"reasoning_content": "Hm."}),
        piece({"content": "So."}),
        *(piece(call(i, one["function"]["arguments"], f"f{i}", one["id"])) for i, one in enumerate(calls)),
        piece({}, "tool_calls"),
        usage=Usage(9, 4, 3, 2, 1),
    )
    assert got == streamed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  ", {}),
        ("[1]", {"arguments": [1]}),
        ('"Paris"', {"arguments": "Paris"}),
        ('{"city": ', {"arguments": '{"city": '}),
        ("[" * 300 + "]" * 300, {"arguments": "[" * 300 + "]" * 300}),
    ],
)
def test_arguments_that_are_no_object_are_wrapped_in_a_whole_answer(text: str, value: dict[str, Any]) -> None:
    got = message(completion({"tool_calls": arguments(text)}, "tool_calls"), HEAD)
    assert judge(got).stop_reason == "tool_use"
    assert orjson.loads(orjson.dumps(got))["content"][0]["input"] == value


def test_a_whole_answers_signed_reasoning_is_passed_on() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "Unsigned."},
    ]
    got = message(completion({"content": "So.", "reasoning_content": "Hm.", "thinking_blocks": blocks}), HEAD)
    judge(got)
    assert got["content"] == [*blocks[:2], {**blocks[2], "signature": UNSIGNED}, {"type": "text", "text": "So."}]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_parts_of_the_input_add_up(fresh: int, cached: int, written: int, output: int) -> None:
    got = usage_as_messages(Usage(fresh + cached + written, output, cached, written))
    counted = [got[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")]
    assert counted == [fresh, cached, written]
    assert got["output_tokens"] == output
