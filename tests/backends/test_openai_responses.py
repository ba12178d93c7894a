"""The relay of OpenAI's Responses: recorded answers, every split alike, seals, and what is never complete."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.backends.openai_responses import OpenAIResponses
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.backends.registry import relay
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.dialects.signature import tag
from llm_inference_router.types import ChatRequest, Fault, Piece, Usage
from tests.backends.wire import model
from tests.support.responses import body, sent
from tests.traces.read import trace

RELAY = OpenAIResponses(TABLE["openai"])
HOST = "api.example.org"
RENDERING = Rendering("known", "chatcmpl-ours", 1_700_000_000, False, provider=HOST)
STREAMS = ["aimock/36-responses_stream", "vllm/36-responses_stream", "transformers-serve/36-responses_stream"]


def request(**fields: Any) -> ChatRequest:
    return Responses().parse(orjson.dumps({"model": "auto", "input": "Hello", **fields}))


def decoded(*parts: bytes, rendering: Rendering = RENDERING) -> list[Piece]:
    decoder = RELAY.decoder(rendering)
    return [piece for part in parts for piece in decoder.feed(part)] + decoder.close()


def stream_of(*events: dict[str, Any] | bytes) -> bytes:
    lines = [one if isinstance(one, bytes) else orjson.dumps(one) for one in events]
    return b"".join(b"data: " + line + b"\n\n" for line in lines)


def written(pieces: list[Piece]) -> tuple[Assembly, bytes]:
    """The pieces through assembly and writer, as in a try."""
    assembly = Assembly(Responses().writer(request(), Head("0" * 32, 1, "known")), keep_text=True, relayed=True)
    frames = [frame for piece in pieces for frame in assembly.push(piece)]
    return assembly, b"".join([*frames, *assembly.end()])


def begun(**fields: Any) -> dict[str, Any]:
    answer = {"id": "resp_1", "created_at": 1, "model": "theirs", "output": [], **fields}
    return {"type": "response.created", "sequence_number": 0, "response": answer}


def ended(kind: str = "completed", **fields: Any) -> dict[str, Any]:
    answer = {"id": "resp_1", "created_at": 1, "model": "theirs", "status": kind, "output": [], **fields}
    return {"type": f"response.{kind}", "response": answer}


def test_only_openai_is_relayed() -> None:
    assert isinstance(relay("openai", "responses"), OpenAIResponses)
    assert [relay(name, "responses") for name in ("vllm", "anthropic", "openai_compatible", "simulated")] == [None] * 4
    assert relay("openai", "chat") is None


# --- there ------------------------------------------------------------------------------------------------------------


def test_a_request_passes_with_all_its_fields_but_the_model() -> None:
    asked = request(tools=[{"type": "web_search"}], store=True, background=False, unheard={"of": 1}, stream=True)
    encoded = RELAY.encode(asked, model("openai"))
    assert orjson.loads(encoded.call.body) == {**asked.source, "model": "upstream-name"}
    assert (encoded.call.path, encoded.call.stream, encoded.warnings) == ("/responses", True, ())


@pytest.mark.proves("responses", "openai", "limits", evidence="specification")
@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_beyond_what_the_model_can_write_is_lowered(stream: bool) -> None:
    asked = request(max_output_tokens=5000, stream=stream)
    encoded = RELAY.encode(asked, model("openai", max_output=4096))
    assert orjson.loads(encoded.call.body)["max_output_tokens"] == 4096
    assert encoded.warnings == ("warning;clamped;max_output_tokens",)
    assert asked.source["max_output_tokens"] == 5000, "another model may be asked after this one"
    for limit in (None, 5000, 8192):
        encoded = RELAY.encode(asked, model("openai", max_output=limit))
        assert (orjson.loads(encoded.call.body)["max_output_tokens"], encoded.warnings) == (5000, ())


@pytest.mark.parametrize(
    ("item", "wanted", "warned"),
    [
        ({"id": "rs_a", "encrypted_content": tag("seal", "127.0.0.1")}, {"encrypted_content": "seal"}, ()),
        ({"id": "rs_a", "encrypted_content": "gAAA"}, {"encrypted_content": "gAAA"}, ()),
        ({"id": "rs_a"}, {}, ()),
        ({"id": "rs_a", "encrypted_content": tag("seal", "elsewhere")}, None, ("warning;foreign;encrypted_content",)),
        ({"id": "rs_a", "encrypted_content": "redacted:x"}, None, ("warning;foreign;encrypted_content",)),
        ({"id": "rs_" + "0" * 32 + "_0"}, None, ("warning;foreign;reasoning",)),
        (
            {"id": "rs_a", "content": [{"type": "reasoning_text", "text": "hm"}]},
            None,
            ("warning;foreign;reasoning",),
        ),
    ],
)
def test_reasoning_goes_back_only_to_who_made_it(
    item: dict[str, Any], wanted: dict[str, Any] | None, warned: tuple[str, ...]
) -> None:
    made = {"type": "reasoning", "summary": [], **item}
    encoded = RELAY.encode(request(input=[{"role": "user", "content": "q"}, made]), model("openai"))
    items = orjson.loads(encoded.call.body)["input"]
    assert items[1:] == ([] if wanted is None else [{**made, **wanted}])
    assert encoded.warnings == warned


# --- back, whole ------------------------------------------------------------------------------------------------------


def test_a_whole_answer_is_read_and_made_valid() -> None:
    found = RELAY.answer(trace("vllm/35-responses").body, RENDERING)
    assert isinstance(found, Answer)
    body(orjson.dumps(found.body))
    assert found.dialect == "responses"
    assert found.finish_reason == "stop"
    assert found.usage == Usage(9, 17)
    assert found.text == "Hello! I am a tiny test model. How can I help you today?"
    assert found.text_chars == len(found.text)


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"output": [{"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}]}, "tool_calls"),
        ({}, "stop"),
    ],
)
def test_how_an_answer_ended_is_known(fields: dict[str, Any], finish: str) -> None:
    found = RELAY.answer(orjson.dumps({"id": "resp_1", "output": [], **fields}), RENDERING)
    assert isinstance(found, Answer)
    assert found.finish_reason == finish
    body(orjson.dumps(found.body))


@pytest.mark.parametrize(
    ("raw", "kind", "status", "final"),
    [
        (b"<html>", "malformed", 0, False),
        (b"[]", "malformed", 0, False),
        (b'{"id":"x"}', "malformed", 0, False),
        (b'{"output":[],"status":"in_progress"}', "truncated", 0, False),
        (b'{"output":[],"status":"cancelled"}', "truncated", 0, False),
        (b'{"status":"failed","error":{"code":"server_error","message":"no"}}', "status", 500, False),
        (b'{"status":"failed","error":{"code":"rate_limit_exceeded","message":"no"}}', "rate_limited", 429, False),
        (b'{"status":"failed","error":{"code":"invalid_prompt","message":"no"}}', "status", 400, True),
        (b'{"status":"failed","error":{"code":"bio_policy","message":"no"}}', "status", 400, True),
    ],
)
def test_what_is_no_answer_is_a_fault(raw: bytes, kind: str, status: int, final: bool) -> None:
    found = RELAY.answer(raw, RENDERING)
    assert isinstance(found, Fault)
    assert (found.kind, found.status, found.final) == (kind, status, final)


def test_seals_are_tagged_with_who_made_them() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "seal"}
    whole = RELAY.answer(orjson.dumps({"output": [item]}), RENDERING)
    assert isinstance(whole, Answer)
    assert whole.body["output"][0]["encrypted_content"] == tag("seal", HOST)
    events = [begun(), {"type": "response.output_item.done", "output_index": 0, "item": item}, ended(output=[item])]
    for piece in decoded(stream_of(*events))[1:]:
        assert piece.chunk is not None
        assert tag("seal", HOST).encode() in piece.chunk


# --- back, streamed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.lists(st.integers(0, 12_000), max_size=12))
@settings(deadline=None, max_examples=40)
def test_any_split_of_a_stream_gives_the_same_events(name: str, cuts: list[int]) -> None:
    raw = trace(name).body
    at = sorted({0, len(raw), *(min(cut, len(raw)) for cut in cuts)})
    parts = [raw[first:last] for first, last in pairwise(at)]
    assert decoded(*parts) == decoded(raw)


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_is_valid_and_known_piece_by_piece(name: str) -> None:
    assembly, raw = written(decoded(trace(name).body))
    events = sent(raw)
    assert assembly.complete
    assert assembly.finish_reason == "stop"
    assert assembly.text == "".join(one["delta"] for one in events if one["type"].endswith("text.delta"))
    assert assembly.text == events[-1]["response"]["output"][0]["content"][0]["text"]
    assert assembly.text_chars == len(assembly.text)
    assert not assembly.called
    assert events[-1]["response"]["usage"]["output_tokens"] > 0, "estimated where the upstream says nothing"


def test_a_valid_delta_passes_byte_for_byte() -> None:
    line = b'{"delta":"a","item_id":"m","output_index":0,"content_index":0,"logprobs":[] ,"sequence_number":5,"x":{},'
    line += b'"type":"response.output_text.delta","obfuscation":"qqq"}'
    [piece] = decoded(b"event: response.output_text.delta\ndata: " + line + b"\n\n")
    assert piece == Piece(line, True, 1, "a", event=b"response.output_text.delta")


def test_calls_and_hosted_tools_are_seen_to_begin() -> None:
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "", "id": "fc_1"}
    events: list[dict[str, Any]] = [
        begun(),
        {"type": "response.output_item.added", "output_index": 0, "item": call},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": "{}"},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "web_search_call", "id": "ws"}},
        {"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws"},
        ended(output=[call]),
    ]
    pieces = decoded(stream_of(*events))
    assert [piece.called for piece in pieces] == [False, True, True, True, False, False]
    assert [piece.content for piece in pieces] == [False, True, True, True, False, False]
    assert pieces[-1].finish_reason == "tool_calls"
    assert sum(piece.text_chars for piece in pieces) == 3
    numbers = [orjson.loads(piece.chunk or b"")["sequence_number"] for piece in pieces]
    assert numbers == list(range(6))


def test_a_malformed_event_is_skipped() -> None:
    text = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "m", "delta": "a"}
    raw = stream_of(begun(), b"{", b"[1]", {"no": "type"}, {"type": "response.completed"}, text, ended())
    assembly, frames = written(decoded(raw))
    assert assembly.malformed == 4
    assert assembly.complete
    assert [event["type"] for event in sent(frames)] == [
        "response.created",
        "response.output_text.delta",
        "response.completed",
    ]


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "no"}, "status"),
        ({"type": "error", "error": {"type": "server_error", "code": None, "message": "no"}}, "status"),
        ({"error": {"code": "rate_limit_exceeded", "message": "no"}}, "rate_limited"),
        (ended("failed", error={"code": "server_error", "message": "no"}), "status"),
        (ended("cancelled"), "truncated"),
    ],
)
def test_an_error_ends_the_stream(last: dict[str, Any], kind: str) -> None:
    pieces = decoded(stream_of(begun(), last, ended()))
    assert pieces[-1].fault is not None
    assert (pieces[-1].fault.kind, pieces[-1].done) == (kind, True)
    assert len(pieces) == 2, "nothing follows it"


def test_an_end_marker_alone_makes_no_answer_complete() -> None:
    assembly, _ = written(decoded(stream_of(begun(), b"[DONE]")))
    assert not assembly.complete
    assert decoded(b"")[0].fault is not None


def test_an_answer_that_was_cut_short_by_the_model_says_why() -> None:
    last = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    pieces = decoded(stream_of(begun(), last))
    assert (pieces[-1].finish_reason, pieces[-1].done) == ("length", True)


def test_what_the_request_goes_on_from_is_told_where_the_upstream_does_not_know_it() -> None:
    rendering = structs.replace(RENDERING, source={"previous_response_id": "resp_0"})
    for piece in decoded(stream_of(begun(), ended()), rendering=rendering):
        assert orjson.loads(piece.chunk or b"")["response"]["previous_response_id"] == "resp_0"
