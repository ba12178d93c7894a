"""The relay of /v1/completions: answers made valid, streams read for what the router has to know."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types import Completion

from llm_inference_router.backends.base import Answer
from llm_inference_router.backends.completions import Completions
from llm_inference_router.backends.registry import relay
from llm_inference_router.dialects.completions import parse
from llm_inference_router.types import Fault, Piece
from tests.backends.wire import MODEL_NAME, events, model, rendering
from tests.traces.read import Trace, traces

STREAMS = traces("/v1/completions", stream=True, ok=True)


def relayed(name: str = "vllm") -> Completions:
    found = relay(name, "completions")
    assert isinstance(found, Completions)
    return found


def answer(body: Any) -> Answer | Fault:
    return relayed().answer(body if isinstance(body, bytes) else orjson.dumps(body), rendering())


def text(words: str, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "text": words, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "text_completion", "created": 1, "model": "x", "choices": [choice], **more}


def stream(*parts: bytes, choices: int = 1, include_usage: bool = True) -> list[Piece]:
    decoder = relayed().decoder(replace(rendering(include_usage=include_usage), choices=choices))
    return [piece for part in parts for piece in decoder.feed(part)] + decoder.close()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ("", "stop")),
        ({"text": None, "finish_reason": "eos_token"}, ("", "stop")),
        ({"text": "a", "finish_reason": "length"}, ("a", "length")),
        ({"text": "a", "finish_reason": "tool_calls"}, ("a", "stop")),
        ({"text": "a", "finish_reason": "stop", "index": "0", "logprobs": [1]}, ("a", "stop")),
        ("odd", ("", "stop")),
    ],
)
def test_a_strange_choice_becomes_one_that_the_client_accepts(choice: Any, expected: tuple[str, str]) -> None:
    result = answer({"choices": [choice]})
    assert isinstance(result, Answer)
    made = Completion.model_validate(result.body, strict=True)
    assert (made.choices[0].text, made.choices[0].finish_reason) == expected
    assert (made.id, made.model, made.choices[0].index) == ("cmpl-ours", MODEL_NAME, 0)
    assert result.usage is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"choices": []}', "malformed"),
        (text("half", "abort"), "truncated"),
        ({"error": {"message": "no", "type": "invalid_request_error"}}, "status"),
    ],
)
def test_what_is_no_answer_is_a_fault(body: Any, kind: str) -> None:
    result = answer(body)
    assert isinstance(result, Fault)
    assert result.kind == kind


@pytest.mark.parametrize("exchange", STREAMS, ids=[one.id for one in STREAMS])
@given(cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_a_recorded_stream_is_the_same_however_it_is_split(exchange: Trace, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(exchange.body)]
    parts = [exchange.body[start:end] for start, end in pairwise(places)]
    found = stream(*parts)
    assert found == stream(exchange.body)
    assert "".join(piece.text for piece in found) == " I am a"
    assert [piece.finish_reason for piece in found if piece.finish_reason] == ["length"]


def test_a_stream_has_finished_when_all_its_choices_have() -> None:
    one, two = text("a", "stop", 0), text("b", None, 1)
    assert [piece.finish_reason for piece in stream(events(one, two, text("", "length", 1)), choices=2)] == [
        None,
        None,
        "length",
    ]
    fewer = stream(events(one), choices=2)
    assert fewer[-1].finish_reason == "stop", "the server ignores n, and what it gave is whole"
    assert not any(piece.finish_reason for piece in stream(events(two), choices=1)), "cut"


def test_the_end_marker_finishes_what_named_no_reason() -> None:
    *_, last, end = stream(events(text("a"), "[DONE]"))
    assert (last.finish_reason, end.done) == ("stop", True)
    assert last.chunk is not None
    assert orjson.loads(last.chunk)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("parts", "kind", "done"),
    [
        (b"", "malformed", True),
        (b"data: [DONE]\n\n", "malformed", True),
        (b"data: {oops\n\n", "malformed", False),
        (b'data: {"choices": 1}\n\n', "malformed", False),
        (events(text("half", "abort")), "truncated", True),
        (events({"error": {"message": "no", "code": 500}}), "status", True),
        (b'event: error\ndata: {"error": {"message": "no"}}\n\n', "status", True),
    ],
)
def test_a_broken_stream_is_a_fault(parts: bytes, kind: str, done: bool) -> None:
    fault = stream(parts)[0]
    assert fault.fault is not None
    assert (fault.fault.kind, fault.done) == (kind, done)


def test_usage_is_kept_from_who_did_not_ask() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    counted = text("a", "stop", usage=usage)
    [silent] = stream(events(counted), include_usage=False)
    assert silent.usage is not None
    assert silent.chunk is not None
    assert "usage" not in orjson.loads(silent.chunk)
    last = {"choices": [], "usage": usage}
    assert stream(events(counted, last), include_usage=False)[-1].chunk is None


def test_a_request_passes_as_it_came_but_for_what_routing_changes() -> None:
    source = {"model": "auto", "prompt": [[1, 2]], "top_k": 5, "stream": True, "suffix": None, "best_of": 2}
    encoded = relayed().encode(parse(orjson.dumps(source)), model())
    assert orjson.loads(encoded.call.body) == {
        "model": "upstream-name",
        "prompt": [[1, 2]],
        "top_k": 5,
        "stream": True,
        "max_tokens": 16,
        "stream_options": {"include_usage": True},
    }
    assert (encoded.call.path, encoded.warnings) == ("/completions", ("warning;dropped;best_of",))
