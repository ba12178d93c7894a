import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.types import Usage
from tests.backends import wire
from tests.traces.read import Trace, trace, traces

STREAMS = traces("/v1/messages", stream=True, ok=True)
TWINS = {"38-messages_stream": "37-messages", "40-messages_tools_stream": "39-messages_tools"}
anthropic = Anthropic()


@pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])
@pytest.mark.parametrize("include_usage", [True, False])
def test_a_recorded_stream_says_what_its_whole_twin_says(exchange: Trace, include_usage: bool) -> None:
    twin = trace(f"{exchange.server}/{TWINS[exchange.name]}")
    answer: Any = anthropic.answer(twin.body, wire.rendering())
    message = answer.body["choices"][0]["message"]
    found = wire.pieces(anthropic, [exchange.body], include_usage=include_usage)
    assembly, sent = wire.assembled(found, include_usage=include_usage)
    chunks = wire.sent_chunks(sent)
    said = wire.joined(chunks)
    tools = message.get("tool_calls") or ()
    assert said["content"] == assembly.text == (message["content"] or "")
    assert said["reasoning"] == message.get("reasoning_content", "")
    assert said["tools"].replace(" ", "") == "".join(
        t["function"]["name"] + t["function"]["arguments"] for t in tools
    ).replace(" ", "")
    assert assembly.finish_reason == answer.finish_reason
    assert assembly.usage == answer.usage
    assert any(c.usage for c in chunks) is include_usage
    assert {c.id for c in chunks} == {chunks[0].id}
    assert chunks[0].choices[0].delta.role == "assistant"


@pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_pieces_are_the_same_wherever_the_bytes_are_split(exchange: Trace, data: st.DataObject) -> None:
    body = exchange.body
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=12)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert wire.pieces(anthropic, parts) == wire.pieces(anthropic, [body])


def stream(*docs: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: " + doc["type"].encode() + b"\ndata: " + json.dumps(doc).encode() + b"    \n\n" for doc in docs
    )


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}


def text_delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def test_every_kind_of_event_from_specification() -> None:
    thinking = {"type": "thinking_delta", "thinking": "hm"}
    data = stream(
        START,
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": thinking},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "redacted_thinking", "data": "x"},
        },
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        text_delta("yes"),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_stop", "index": 2},
        {
            "type": "content_block_start",
            "index": 3,
            "content_block": {"type": "tool_use", "id": "t", "name": "now", "input": {}},
        },
        {"type": "content_block_stop", "index": 3},
        {"type": "novel_event", "x": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}},
        STOP,
    )
    assembly, sent = wire.assembled(wire.pieces(anthropic, [data]))
    chunks = wire.sent_chunks(sent)
    assert wire.joined(chunks) == {"content": "yes", "reasoning": "hm", "tools": "now{}"}
    assert assembly.usage is not None
    assert (assembly.usage.input_tokens, assembly.usage.output_tokens, assembly.usage.cached_tokens) == (
        12,
        30,
        7,
    )
    assert assembly.finish_reason == "tool_calls"
    assert assembly.malformed == 0


@pytest.mark.parametrize(
    ("kind", "fault_kind", "status"),
    [
        ("overloaded_error", "status", 529),
        ("api_error", "status", 500),
        ("rate_limit_error", "rate_limited", 429),
        ("authentication_error", "auth", 401),
    ],
)
def test_an_error_event_ends_the_stream(kind: str, fault_kind: str, status: int) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "no"}}
    assembly, sent = wire.assembled(wire.pieces(anthropic, [stream(START, text_delta("a"), error, STOP)]))
    assert assembly.failure is not None
    assert (assembly.failure.kind, assembly.failure.status) == (fault_kind, status)
    assert b"[DONE]" not in sent


def test_a_cut_stream_is_truncated_and_its_input_is_known() -> None:
    assembly, _ = wire.assembled(wire.pieces(anthropic, [stream(START, text_delta("a"))]))
    assert assembly.truncation is not None
    assert assembly.truncation.kind == "truncated"


def test_malformed_events_are_skipped() -> None:
    data = stream(START) + b"data: {oops\n\n" + stream(text_delta("a"), STOP)
    assembly, sent = wire.assembled(wire.pieces(anthropic, [data]))
    assert wire.joined(wire.sent_chunks(sent))["content"] == "a"
    assert assembly.malformed == 1


def test_a_cut_stream_is_billed_for_the_input_that_its_beginning_told() -> None:
    """5 tokens, 7 of the cache; what came out is estimated from its text."""
    assembly, _ = wire.assembled(wire.pieces(anthropic, [stream(START, text_delta("x" * 40))]))
    assert assembly.billed() == Usage(12, 10, cached_tokens=7, source="estimated")
