"""What a Claude answers, as chat: whole and streamed."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from llm_inference_router.backends.base import Answer, Rendering
from tests.backends import wire
from tests.backends.claude import (
    EARLY,
    WEB,
    answered,
    anthropic,
    encoded,
    finished,
    said,
    started,
    stopped,
    streamed,
)


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
