from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.backends.registry import relay
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.messages import parse
from llm_inference_router.dialects.messages_writer import MessagesWriter
from llm_inference_router.dialects.signature import tag
from llm_inference_router.types import Endpoint, Fault, Piece
from tests.backends import wire
from tests.serving.claude import events, message
from tests.serving.messages import built, judge, named_events
from tests.traces.read import Trace, traces

PROVIDER = "api.example.com"
STREAMS = traces("/v1/messages", stream=True, ok=True)
each_stream = pytest.mark.parametrize("trace", STREAMS, ids=[one.id for one in STREAMS])
backend = relay("anthropic", "messages")
assert backend is not None
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
CONTENT: list[dict[str, Any]] = [
    THOUGHT,
    {"type": "redacted_thinking", "data": "data"},
    {"type": "text", "text": "I ask. Ä"},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "ß"}},
    {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
]


def rendering() -> Rendering:
    return Rendering("ours", "chatcmpl-abc", 1, include_usage=False, prompt_tokens=12, provider=PROVIDER)


def wired(*docs: dict[str, Any] | bytes) -> bytes:
    lines = [doc if isinstance(doc, bytes) else orjson.dumps(doc) for doc in docs]
    return b"".join(b"event: x\ndata: %b  \n\n" % line for line in lines)


def sent(data: bytes, *parts: int) -> tuple[Assembly, bytes]:
    """What the client gets of an upstream's stream that arrives cut at these places."""
    assert backend is not None
    decoder = backend.decoder(rendering())
    places = [0, *sorted(parts), len(data)]
    found: list[Piece] = []
    for start, end in pairwise(places):
        found += decoder.feed(data[start:end])
    found += decoder.close()
    assembly = Assembly(MessagesWriter(Head("abc", 1, "ours", 12)), prompt_tokens=12, keep_text=True, relayed=True)
    frames = [frame for piece in found for frame in assembly.push(piece)]
    return assembly, b"".join(frames) + b"".join(assembly.end())


def answer(*docs: dict[str, Any] | bytes) -> dict[str, Any]:
    return built(named_events(sent(wired(*docs))[1]))


# --- streams ----------------------------------------------------------------------------------------------------------


@given(st.data())
@pytest.mark.parametrize("trace", STREAMS, ids=[one.id for one in STREAMS])
def test_a_recorded_stream_is_the_same_for_every_split(trace: Trace, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(trace.body)), max_size=8))
    assert sent(trace.body, *places)[1] == sent(trace.body)[1]


@each_stream
def test_a_recorded_stream_is_valid_and_complete(trace: Trace) -> None:
    assembly, data = sent(trace.body)
    got = built(named_events(data))
    assert assembly.complete
    assert got["model"] == "ours"
    assert assembly.text == "".join(block.get("text", "") for block in got["content"])


def test_a_stream_with_everything_passes_with_its_signatures_tagged() -> None:
    assembly, data = sent(wired(*events(CONTENT, 1)))
    got = built(named_events(data))
    assert got["content"] == [
        {**THOUGHT, "signature": tag("sig", PROVIDER)},
        {"type": "redacted_thinking", "data": tag("data", PROVIDER)},
        *CONTENT[2:],
    ]
    assert (got["id"], got["stop_reason"], got["usage"]["service_tier"]) == ("msg_upstream1", "tool_use", "standard")
    assert assembly.called
    assert assembly.finish_reason == "tool_calls"
    assert assembly.usage is not None
    assert (assembly.usage.input_tokens, assembly.usage.cached_tokens, assembly.usage.cache_write_tokens) == (
        150,
        30,
        20,
    )
    assert assembly.usage.output_tokens == 40
    assert not assembly.malformed


@given(st.lists(st.integers(0, 4000), max_size=6))
def test_it_is_the_same_for_every_split(places: list[int]) -> None:
    data = wired(*events(CONTENT, 1))
    assert sent(data, *(min(one, len(data)) for one in places))[1] == sent(data)[1]


def test_a_stream_says_what_its_whole_twin_says() -> None:
    assert backend is not None
    got = backend.answer(orjson.dumps(message(CONTENT, 1)), rendering())
    assert isinstance(got, Answer)
    judge(got.body)
    streamed = built(named_events(sent(wired(*events(CONTENT, 1)))[1]))
    assert got.body == streamed
    assert (got.dialect, got.finish_reason, got.text) == ("messages", "tool_calls", "I ask. Ä")


def test_events_pass_with_fields_that_nobody_knows() -> None:
    docs = events([{"type": "text", "text": "hello"}], 1)
    docs[3]["delta"]["tomorrow"] = {"a": 1}
    docs.insert(4, {"type": "a_kind_of_tomorrow", "b": 2})
    docs[-2]["delta"]["container"] = {"id": "c", "expires_at": "2026-01-01T00:00:00Z"}
    found = named_events(sent(wired(*docs))[1])
    assert found[3] == docs[3]
    assert found[4] == docs[4]
    assert found[-2]["delta"]["container"] == docs[-2]["delta"]["container"]


@pytest.mark.parametrize("delta", ["more", 1, ["a"], {"text": 7}, {"type": 1}])
def test_an_event_of_a_later_version_passes_whatever_its_delta_is(delta: Any) -> None:
    docs: list[Any] = events([{"type": "text", "text": "hello"}], 1)
    docs.insert(4, {"type": "progress", "delta": delta})
    assembly, data = sent(wired(*docs))
    assert assembly.malformed == 0
    assert {"type": "progress", "delta": delta} in named_events(data)


def test_a_message_that_never_stops_is_complete_once_it_has_a_reason() -> None:
    docs = events([{"type": "text", "text": "hello"}], 1)
    assert answer(*docs[:-1]) == answer(*docs)


def test_a_message_without_a_reason_is_given_one_at_its_end() -> None:
    docs = events(CONTENT, 1)
    got = answer(*(doc for doc in docs if doc["type"] != "message_delta"))
    assert got["stop_reason"] == "tool_use"


def test_blocks_that_are_not_closed_are_closed() -> None:
    docs = events(CONTENT, 1)
    assert answer(*(doc for doc in docs if doc["type"] != "content_block_stop")) == answer(*docs)


def test_blocks_are_numbered_anew_where_their_numbers_have_gaps() -> None:
    docs = events(CONTENT, 1)
    spread = [doc | {"index": 3 * doc["index"] + 1} if "index" in doc else doc for doc in docs]
    assert answer(*spread) == answer(*docs)


def test_a_message_without_its_beginning_is_given_one() -> None:
    got = answer(*events([{"type": "text", "text": "hello"}], 1)[2:])
    assert (got["id"], got["model"], got["usage"]["input_tokens"]) == ("msg_abc", "ours", 12)


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b'{"type": 1}',
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 1}},
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"url": "a"}}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}},
        {"type": "content_block_start", "index": 1, "content_block": 1},
        {"type": "message_start", "message": {}},
    ],
)
def test_a_malformed_event_is_skipped_and_counted(bad: dict[str, Any] | bytes) -> None:
    docs: list[Any] = events([{"type": "text", "text": "hello"}], 1)
    docs.insert(4, bad)
    assembly, data = sent(wired(*docs))
    assert built(named_events(data))["content"] == [{"type": "text", "text": "hello"}]
    assert assembly.malformed == 1


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": "many"}])
def test_usage_that_is_missing_is_estimated(usage: Any) -> None:
    docs = events([{"type": "text", "text": "hello there"}], 1)
    docs[0]["message"]["usage"] = docs[-2]["usage"] = usage
    assembly, data = sent(wired(*docs))
    assert built(named_events(data))["usage"]["output_tokens"] == 3
    assert assembly.usage is None


def test_an_error_ends_the_stream() -> None:
    docs = events([{"type": "text", "text": "hello"}], 1)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assembly, data = sent(wired(*docs[:4], error, *docs[4:]))
    assert assembly.failure is not None
    assert (assembly.failure.kind, assembly.failure.status) == ("status", 529)
    assert [one["type"] for one in named_events(data)][-1] == "content_block_delta"


@pytest.mark.parametrize("data", [b"", b"\n\n", wired({"type": "message_stop"})])
def test_a_stream_without_a_message_is_malformed(data: bytes) -> None:
    assembly, _ = sent(data)
    assert assembly.failure is not None
    assert assembly.failure.kind == "malformed"


_KINDS = ["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "error"]
_FIELDS = ["type", "index", "delta", "message", "usage", "content_block"]
_inner = st.dictionaries(
    st.sampled_from(["type", "text", "stop_reason", "id"]), st.text(max_size=3) | st.integers(-9, 9)
)
_docs = st.dictionaries(
    st.sampled_from(_FIELDS), st.none() | st.integers(-1, 2) | st.sampled_from(_KINDS) | _inner, max_size=4
)


@given(st.lists(_docs, max_size=6))
def test_no_stream_raises(docs: list[dict[str, Any]]) -> None:
    sent(wired(*docs))


# --- whole answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"type": None, "role": None},
        {"stop_reason": "eos"},
        {"stop_reason": None},
        {"stop_sequence": 7},
        {"usage": None},
        {"usage": {"input_tokens": "1"}},
        {"content": [*CONTENT, {"type": "tool_use", "name": "h"}, 1, {"type": 1}, {"type": "text", "text": 1}]},
        {"content": []},
        {"content": [{"type": "text", "text": "a", "citations": "x"}]},
        {"content": [{"type": "text", "text": "a", "citations": [None]}]},
        {"content": [{"type": "text", "text": "a", "citations": [{}]}]},
    ],
)
def test_what_the_client_would_refuse_is_mended(change: dict[str, Any]) -> None:
    assert backend is not None
    got = backend.answer(orjson.dumps(message(CONTENT, 1) | change), rendering())
    assert isinstance(got, Answer)
    judge(got.body)
    assert got.body["model"] == "ours"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b'{"content": "x"}', "malformed"),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}', "status"),
    ],
)
def test_what_is_no_message_is_a_fault(body: bytes, kind: str) -> None:
    assert backend is not None
    got = backend.answer(body, rendering())
    assert isinstance(got, Fault)
    assert got.kind == kind


# --- requests ---------------------------------------------------------------------------------------------------------


def encoded(*turns: Any, host: str = PROVIDER, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    assert backend is not None
    doc = {"model": "auto", "max_tokens": 100, "messages": list(turns), **fields}
    before = orjson.dumps(doc)
    request = parse(before)
    model = wire.model("anthropic", endpoints=(Endpoint("e", f"https://{host}/v1"),))
    made = backend.encode(request, model)
    assert orjson.dumps(request.source) == before
    return orjson.loads(made.call.body), made.warnings


HI = {"role": "user", "content": "hi"}


def thought(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "Hm.", "signature": signature}


def test_what_needs_no_change_gets_none() -> None:
    turns = [HI, {"role": "assistant", "content": [thought("untagged"), {"type": "text", "text": "a"}]}, HI]
    body, warnings = encoded(*turns, unknown={"a": 1})
    assert body == {"model": "upstream-name", "max_tokens": 100, "messages": turns, "unknown": {"a": 1}}
    assert warnings == ()


def test_reasoning_goes_back_to_who_signed_it_alone() -> None:
    blocks = [
        thought(tag("mine", PROVIDER)),
        thought(tag("theirs", "other.example.com")),
        thought(tag("", PROVIDER)),
        {"type": "redacted_thinking", "data": tag("secret", PROVIDER)},
        {"type": "redacted_thinking", "data": tag("secret", "other.example.com")},
        {"type": "text", "text": "a"},
    ]
    body, warnings = encoded(HI, {"role": "assistant", "content": blocks}, HI)
    kept = [thought("mine"), {"type": "redacted_thinking", "data": "secret"}, {"type": "text", "text": "a"}]
    assert body["messages"][1]["content"] == kept
    assert warnings == ("warning;foreign;messages.thinking",)


def test_a_turn_of_nothing_but_foreign_reasoning_leaves_no_gap() -> None:
    foreign = {"role": "assistant", "content": [thought(tag("", "x"))]}
    body, _ = encoded(HI, foreign, {"role": "user", "content": [{"type": "text", "text": "go on"}]})
    said = [{"type": "text", "text": "hi"}, {"type": "text", "text": "go on"}]
    assert body["messages"] == [{"role": "user", "content": said}]


def test_ids_and_names_of_other_models_are_mended_on_both_sides() -> None:
    used = {"type": "tool_use", "id": "functions.f:0", "name": "ns.f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "functions.f:0", "content": "x"}
    body, _ = encoded(HI, {"role": "assistant", "content": [used]}, {"role": "user", "content": [result]})
    assert body["messages"][1]["content"][0] == used | {"id": "functions_f_0", "name": "ns_f"}
    assert body["messages"][2]["content"][0]["tool_use_id"] == "functions_f_0"


CALL = [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]
LOOP = [
    HI,
    {"role": "assistant", "content": CALL},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]},
]
ENABLED = {"type": "enabled", "budget_tokens": 1024}


def test_an_id_that_comes_again_with_another_call_is_made_another() -> None:
    def loop(text: str) -> list[dict[str, Any]]:
        use = {"type": "tool_use", "id": "call_0", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "call_0", "content": text}
        return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]

    turns = [{"role": "user", "content": "hi"}, *loop("one"), *loop("two")]
    sent = encoded(*turns)[0]["messages"]
    calls = [turn["content"][0]["id"] for turn in sent[1::2]]
    results = [turn["content"][0]["tool_use_id"] for turn in sent[2::2]]
    assert calls == results
    assert calls[0] == "call_0" != calls[1]
    again = [*turns, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Thanks"}]
    assert encoded(*again)[0]["messages"][:5] == sent, "what was cached stays as it is"


def test_thinking_is_off_where_a_tool_loop_began_without_it() -> None:
    body, warnings = encoded(*LOOP, thinking=ENABLED, max_tokens=2000)
    assert body["thinking"] == {"type": "disabled"}
    assert warnings == ("warning;dropped;thinking",)


@pytest.mark.parametrize(
    ("turns", "thinking"),
    [
        (LOOP, {"type": "adaptive"}),
        ([*LOOP, {"role": "assistant", "content": "done"}, HI], ENABLED),
        ([HI, {"role": "assistant", "content": [thought("s"), *CALL]}, LOOP[2]], ENABLED),
    ],
)
def test_otherwise_thinking_stays_as_it_was_asked_for(turns: list[Any], thinking: dict[str, Any]) -> None:
    body, warnings = encoded(*turns, thinking=thinking, max_tokens=2000)
    assert body["thinking"] == thinking
    assert warnings == ()


def test_a_cut_stream_is_billed_for_the_input_that_its_beginning_told() -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 40}}
    assembly, _ = sent(wired(begun, block, delta))
    billed = assembly.billed()
    assert (billed.input_tokens, billed.output_tokens, billed.source) == (7, 10, "estimated")
