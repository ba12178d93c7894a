import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.types import Piece
from tests.backends import wire
from tests.backends.wire import chunk, events
from tests.traces.read import Trace, trace, traces

STREAMS = traces("/v1/chat/completions", stream=True, ok=True)
openai = OpenAI(TABLE["openai_compatible"])
each = pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])


def upstream_chunks(exchange: Trace) -> list[dict[str, Any]]:
    lines = [line[6:] for line in exchange.body.split(b"\n") if line.startswith(b"data: {")]
    return [orjson.loads(line) for line in lines]


def upstream_text(exchange: Trace, *names: str) -> str:
    deltas = [c["delta"] for one in upstream_chunks(exchange) for c in one["choices"]]
    return "".join(delta.get(name) or "" for delta in deltas for name in names)


def run(data: bytes, *, include_usage: bool = True) -> tuple[Any, list[Any]]:
    found = wire.pieces(openai, [data], include_usage=include_usage)
    assembly, sent = wire.assembled(found, include_usage=include_usage)
    assert assembly.complete
    return assembly, wire.sent_chunks(sent)


@each
def test_a_recorded_stream_is_valid_and_keeps_what_was_said(exchange: Trace) -> None:
    asked = exchange.asked_usage
    assembly, chunks = run(exchange.body, include_usage=asked)
    said = wire.joined(chunks)
    assert said["content"] == upstream_text(exchange, "content") == assembly.text
    assert said["reasoning"] == upstream_text(exchange, "reasoning")
    assert assembly.text_chars == sum(len(text) for text in said.values()) > 0
    assert {one.model for one in chunks} == {wire.MODEL_NAME}
    assert chunks[0].choices[0].delta.role == "assistant"
    finishes = [c.finish_reason for one in chunks for c in one.choices if c.finish_reason]
    assert finishes == [assembly.finish_reason]
    assert any(one.usage for one in chunks) is asked
    assert assembly.malformed == 0


@each
def test_other_fields_of_a_chunk_pass_through(exchange: Trace) -> None:
    ours = [p.chunk for p in wire.pieces(openai, [exchange.body]) if p.chunk is not None]
    upstream = upstream_chunks(exchange)
    if upstream[-1]["choices"] and upstream[-1].get("usage") and len(ours) > len(upstream):
        # It came with the finish, and is given where clients look for it: on a chunk of its own.
        upstream.append(upstream[-1] | {"choices": []})
        upstream[-2] = upstream[-2] | {"usage": None}
    for theirs in upstream:
        for choice in theirs["choices"]:
            if choice.get("logprobs"):
                choice["logprobs"].setdefault("refusal", None)
            if choice["delta"].get("reasoning"):
                choice["delta"]["reasoning_content"] = choice["delta"]["reasoning"]
    for mine, theirs in zip(ours[1:], upstream[1:], strict=True):
        doc = orjson.loads(mine)
        assert doc.pop("model") == wire.MODEL_NAME
        theirs = {name: value for name, value in theirs.items() if name != "model"}
        for choice in theirs["choices"]:
            choice.setdefault("finish_reason", None)
        for choice in doc["choices"]:
            choice.setdefault("finish_reason", None)
        for usage in (doc.get("usage"), theirs.get("usage")):
            if usage:
                usage.pop("completion_tokens_details", None)
        assert doc == theirs


@each
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_pieces_are_the_same_wherever_the_bytes_are_split(exchange: Trace, data: st.DataObject) -> None:
    body = exchange.body
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=12)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert wire.pieces(openai, parts) == wire.pieces(openai, [body])


def test_pieces_are_the_same_byte_by_byte() -> None:
    body = trace("llama-cpp-python/10-chat_stream").body
    assert wire.pieces(openai, [bytes([b]) for b in body]) == wire.pieces(openai, [body])


@pytest.mark.parametrize(
    ("whole", "stream"),
    [
        ("vllm/06-chat", "vllm/10-chat_stream"),
        ("vllm/18-chat_think", "vllm/19-chat_think_stream"),
        ("vllm/20-tools_auto", "vllm/21-tools_auto_stream"),
        ("vllm-reasoning/18-chat_think", "vllm-reasoning/19-chat_think_stream"),
        ("llama-cpp-python/06-chat", "llama-cpp-python/10-chat_stream"),
        ("transformers-serve/06-chat", "transformers-serve/10-chat_stream"),
        ("aimock/06-chat", "aimock/10-chat_stream"),
    ],
)
def test_a_whole_answer_and_its_stream_say_the_same(whole: str, stream: str) -> None:
    answer: Any = openai.answer(trace(whole).body, wire.rendering())
    message = answer.body["choices"][0]["message"]
    calls = "".join(c["function"]["name"] + c["function"]["arguments"] for c in message.get("tool_calls") or ())
    assembly, chunks = run(trace(stream).body)
    assert wire.joined(chunks) == {
        "content": message["content"] or "",
        "reasoning": message.get("reasoning") or "",
        "tools": calls,
    }
    assert assembly.finish_reason == answer.finish_reason
    assert assembly.text_chars == answer.text_chars


def test_usage_on_every_chunk_is_not_held_back() -> None:
    found = wire.pieces(openai, [trace("vllm/12-chat_stream_usage_cont").body])
    assembly, _ = wire.assembled(found)
    assert assembly.usage is not None
    assert (assembly.usage.input_tokens, assembly.usage.output_tokens) == (9, 3)


# --- repairs ------------------------------------------------------------------------------------------------


def test_only_the_top_level_model_is_exchanged() -> None:
    text = '"model":"upstream-name" and \\"model\\": upstream-name'
    nested = chunk({"content": text}, extra={"model": "upstream-name"})
    plain = chunk({"content": text})
    first = chunk({"role": "assistant", "content": ""})
    _, chunks = run(events(first, plain, nested, plain, chunk(finish="stop"), "[DONE]"), include_usage=False)
    assert [c.model for c in chunks] == [wire.MODEL_NAME] * 5
    assert wire.joined(chunks)["content"] == text * 3
    extra: Any = chunks[2].model_extra
    assert extra["extra"] == {"model": "upstream-name"}


def test_a_model_name_that_changes_or_is_spelt_otherwise_is_exchanged_too() -> None:
    compact = orjson.dumps(chunk({"content": "a"}, model="o/t\\her")).decode()
    spaced = json.dumps(chunk({"content": "b"})).replace('"model": ', '"model"  :   ')
    _, chunks = run(events(chunk({"content": ""}), compact, spaced, compact, chunk(finish="stop")))
    assert {c.model for c in chunks} == {wire.MODEL_NAME}
    assert wire.joined(chunks)["content"] == "aba"


def test_an_event_over_several_lines_is_still_one_frame() -> None:
    first, second = (json.dumps(chunk({"content": c}), indent=1).replace("\n", "\ndata: ") for c in "ab")
    _, chunks = run(events(first, second, chunk(finish="stop")))
    assert wire.joined(chunks)["content"] == "ab"


def tgi(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "object": "chat.completion.chunk",
        "id": "",
        "created": 1,
        "model": "upstream-name",
        "system_fingerprint": "3.3",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }


def test_tgi_tool_deltas_from_specification() -> None:
    def call(name: str | None, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {
            "role": "assistant",
            "tool_calls": [{"index": 0, "id": "0", "type": "function", "function": function}],
        }

    stream = events(
        tgi(call("f", "{")), tgi(call(None, '"a":1')), tgi(call(None, "}")),
        tgi({"role": "assistant", "content": ""}, "stop_sequence"), "[DONE]",
    )  # fmt: skip
    keep_alive = b":\n\n"
    _, chunks = run(keep_alive + stream, include_usage=False)
    calls = [call for one in chunks for c in one.choices for call in c.delta.tool_calls or ()]
    assert [c.id for c in calls] == ["0", None, None]
    assert [c.type for c in calls] == ["function", None, None]
    assert wire.joined(chunks)["tools"] == 'f{"a":1}'
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[0].id == "chatcmpl-ours"


def test_tgi_error_in_a_stream_from_specification() -> None:
    error = {"error": {"message": "Request failed during generation", "http_status_code": 424}}
    found = wire.pieces(openai, [events(tgi({"role": "assistant", "content": "a"}), error, "[DONE]")])
    assembly, sent = wire.assembled(found)
    assert assembly.failure is not None
    assert (assembly.failure.kind, assembly.failure.status, assembly.failure.final) == ("status", 424, False)
    assert b"[DONE]" not in sent


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        ({"error": {"message": "x", "type": "server_error", "code": None}}, "status", 500),
        ({"error": {"message": "x", "type": "overloaded_error"}}, "status", 529),
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, "rate_limited", 429),
        ({"error": "Model is overloaded", "error_type": "overloaded"}, "rate_limited", 429),
        ({"object": "error", "message": "x", "code": 400}, "status", 400),
        ({"error": {"message": "maximum context length is 10", "code": 400}}, "status", 400),
    ],
)
def test_an_error_inside_a_stream_ends_it(event: dict[str, Any], kind: str, status: int) -> None:
    found = wire.pieces(openai, [events(event, chunk({"content": "late"}), "[DONE]")])
    assert len(found) == 1
    assert found[0].done
    assert found[0].fault is not None
    assert (found[0].fault.kind, found[0].fault.status) == (kind, status)


def test_an_event_named_error_is_a_fault_whatever_it_holds() -> None:
    found = wire.pieces(openai, [b"event: error\ndata: it broke\n\n"])
    assert [p.fault.message for p in found if p.fault] == ["it broke"]


def test_a_malformed_event_is_skipped_and_counted() -> None:
    stream = events(chunk({"content": "a"}), "{not json", '"word"', "{}", chunk({"content": "b"}), chunk(finish="stop"))
    assembly, chunks = run(stream + b'data: {"a": "\xff"}\n\n' + events("[DONE]"))
    assert wire.joined(chunks)["content"] == "ab"
    assert assembly.malformed == 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>busy</html>\n",
        b"data: [DONE]\n\n",
        b": ping\n\n",
        b"data: " + b"x" * (1 << 20) + b"\n\n",
    ],
    ids=["nothing", "html", "only done", "comments", "long line"],
)
def test_a_stream_without_a_chunk_is_malformed(data: bytes) -> None:
    assembly, sent = wire.assembled(wire.pieces(openai, [data]))
    assert sent == b""
    assert assembly.truncation is not None
    assert assembly.truncation.kind == "malformed"


def test_a_stream_that_is_cut_is_truncated() -> None:
    body = trace("vllm/10-chat_stream").body
    cut = body[: body.index(b" tiny")]
    assembly, sent = wire.assembled(wire.pieces(openai, [cut]))
    assert assembly.truncation is not None
    assert assembly.truncation.kind == "truncated"
    assert b"[DONE]" not in sent


def test_an_end_marker_without_a_finish_reason_completes_the_answer() -> None:
    assembly, chunks = run(events(chunk({"content": "a"}), "[DONE]"), include_usage=False)
    assert assembly.finish_reason == "stop"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_finish_reason_without_an_end_marker_completes_the_answer() -> None:
    assembly, chunks = run(events(chunk({"content": "a"}), chunk(finish="length")), include_usage=False)
    assert assembly.finish_reason == "length"
    assert len(chunks) == 2


def test_an_answer_of_two_choices_is_finished_when_both_are() -> None:
    def of(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return chunk() | {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}

    begun = [of(0, {"content": "a"}), of(1, {"content": "b"}), of(0, {}, "stop"), of(1, {"content": "c"})]
    cut, _ = wire.assembled(wire.pieces(openai, [events(*begun)]))
    assert not cut.complete
    assembly, chunks = run(events(*begun, of(1, {}, "length")))
    assert wire.joined(chunks)["content"] == "abc"
    assert assembly.finish_reason == "length"


def test_a_null_usage_and_obfuscation_pass_through() -> None:
    stream = events(*(chunk({"content": c}, usage=None, obfuscation="x") for c in "ab"), chunk(finish="stop"))
    _, chunks = run(stream)
    assert [c.obfuscation for c in chunks[:2]] == ["x", "x"]


def test_a_broken_off_finish_is_no_finish() -> None:
    found: list[Piece] = wire.pieces(openai, [events(chunk({"content": "a"}), chunk(finish="abort"))])
    assert found[-1].fault is not None
    assert found[-1].fault.kind == "truncated"
