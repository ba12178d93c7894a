"""Whatever an upstream of the Responses API answers: what goes out is valid for the official client, or a fault."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.backends.openai_responses import OpenAIResponses
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.errors import UpstreamBroken
from llm_inference_router.types import Fault, Piece
from tests.support.responses import body, valid

RELAY = OpenAIResponses(TABLE["openai"])
RENDERING = Rendering("known", "chatcmpl-ours", 1_700_000_000, False, provider="api.example.org")
REQUEST = Responses().parse(b'{"model": "auto", "input": "hi", "stream": true}')
MISSING = "(missing)"
Path = tuple[str | int, ...]


def cited(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "start_index": 0, "end_index": 1, "file_id": "f", "filename": "n", "index": 0, **fields}


LIKELY = {"token": "H", "bytes": [72], "logprob": -0.5}
TEXT = {
    "type": "output_text",
    "text": "Hi",
    "annotations": [cited("url_citation", title="t", url="u"), cited("file_citation"), cited("file_path")],
    "logprobs": [{**LIKELY, "top_logprobs": [LIKELY]}],
}
ITEMS: list[dict[str, Any]] = [
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "s"}],
        "content": [{"type": "reasoning_text", "text": "r"}],
        "encrypted_content": "seal",
        "status": "completed",
    },
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [TEXT, {"type": "refusal", "refusal": "no"}],
    },
    {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
]
ANSWER: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "theirs",
    "output": ITEMS,
    "incomplete_details": None,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "metadata": {},
    "instructions": "Be brief.",
    "temperature": 0.5,
    "store": True,
    "usage": {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
BEGUN = {**ANSWER, "status": "in_progress", "output": [], "usage": None}


def events() -> Iterator[dict[str, Any]]:
    """A stream with every kind of event that is known."""
    yield {"type": "response.created", "response": BEGUN}
    yield {"type": "response.in_progress", "response": BEGUN}
    message = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    opened = {**ITEMS[1], "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
    yield {"type": "response.content_part.added", **message, "part": {**TEXT, "text": ""}}
    yield {"type": "response.output_text.delta", **message, "delta": "Hi", "logprobs": [LIKELY]}
    yield {"type": "response.output_text.annotation.added", **message, "annotation_index": 0, "annotation": cited("x")}
    yield {"type": "response.output_text.done", **message, "text": "Hi", "logprobs": [LIKELY]}
    yield {"type": "response.content_part.done", **message, "part": TEXT}
    yield {"type": "response.refusal.delta", **message, "delta": "no"}
    yield {"type": "response.refusal.done", **message, "refusal": "no"}
    yield {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[1]}
    thought = {"output_index": 1, "item_id": "rs_1"}
    yield {"type": "response.output_item.added", "output_index": 1, "item": ITEMS[0]}
    yield {"type": "response.reasoning_text.delta", **thought, "content_index": 0, "delta": "r"}
    yield {"type": "response.reasoning_text.done", **thought, "content_index": 0, "text": "r"}
    summary = {**thought, "summary_index": 0}
    yield {"type": "response.reasoning_summary_part.added", **summary, "part": {"type": "summary_text", "text": ""}}
    yield {"type": "response.reasoning_summary_text.delta", **summary, "delta": "s"}
    yield {"type": "response.reasoning_summary_text.done", **summary, "text": "s"}
    yield {"type": "response.reasoning_summary_part.done", **summary, "part": {"type": "summary_text", "text": "s"}}
    for place, name, field in (
        (2, "function_call_arguments", "arguments"),
        (3, "custom_tool_call_input", "input"),
        (4, "mcp_call_arguments", "arguments"),
        (5, "code_interpreter_call_code", "code"),
    ):
        if place < 4:
            yield {"type": "response.output_item.added", "output_index": place, "item": ITEMS[place]}
        at = {"output_index": place, "item_id": f"i_{place}"}
        yield {"type": f"response.{name}.delta", **at, "delta": "{}"}
        yield {"type": f"response.{name}.done", **at, field: "{}"}
    yield {"type": "response.web_search_call.searching", "output_index": 6, "item_id": "ws_1"}
    yield {"type": "response.completed", "response": ANSWER}


EVENTS = [{"sequence_number": number, **event} for number, event in enumerate(events())]
KINDS = frozenset(str(event["type"]) for event in EVENTS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**40) | st.sampled_from([0.0, 1.5, "", "x", "incomplete"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text"]), inner, max_size=2),
    max_leaves=4,
) | st.just(MISSING)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from paths(one, (*path, key))


def changed(value: Any, path: Path, to: Any) -> Any:
    found = deepcopy(value)
    place = found
    for key in path[:-1]:
        place = place[key]
    if to == MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return found


def named(to: Any) -> bool:
    """Whether there is a type that the official client does not know (yet): that passes as it came."""
    if isinstance(to, dict):
        return bool(to.get("type") and isinstance(to["type"], str)) or any(map(named, to.values()))
    return isinstance(to, list) and any(map(named, to))


def unknown(path: Path, to: Any) -> bool:
    return named(to) or (path[-1] == "type" and isinstance(to, str) and to not in ("", MISSING))


def pieces(stream: list[Any]) -> list[Piece]:
    decoder = RELAY.decoder(RENDERING)
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in stream)
    return [*decoder.feed(raw), *decoder.close()]


def sent(found: list[Piece]) -> list[dict[str, Any]]:
    """What goes out of pieces, and then of the end of the stream: its own, another model's, or an error."""
    assembly = Assembly(Responses().writer(REQUEST, Head("0" * 32, 1, "known")), keep_text=True, relayed=True)
    frames = [frame for piece in found for frame in assembly.push(piece)]
    if assembly.complete:
        frames += assembly.end()
    elif assembly.begun and assembly.writer.resumable:
        doc = {"choices": [{"index": 0, "delta": {"content": " there"}, "finish_reason": None}]}
        frames.append(assembly.writer.chunk(Piece(orjson.dumps(doc), True, 6, " there")))
        frames += assembly.writer.end((), assembly.billed(), told=False, router=None)
    elif assembly.begun:
        frames += [assembly.writer.fail(UpstreamBroken("broken"), "req")]
    lines = b"".join(frames).split(b"\n")
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]


def test_the_stream_itself_is_valid_and_passes() -> None:
    found = pieces(EVENTS)
    assert not [piece.fault for piece in found if piece.fault is not None]
    assert len(sent(found)) == len(EVENTS)


@pytest.mark.parametrize("number", range(len(EVENTS)), ids=[str(event["type"]) for event in EVENTS])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_whatever_stands_in_an_event_goes_out_valid_or_not_at_all(number: int, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(paths(EVENTS[number]))))
    to = data.draw(JSON)
    assume(not unknown(path, to))
    for event in sent(pieces([*EVENTS[:number], changed(EVENTS[number], path, to), *EVENTS[number + 1 :]])):
        if event["type"] in KINDS and not event["type"].endswith("annotation.added"):
            valid(event)


@given(path=st.sampled_from(list(paths(ANSWER))), to=JSON)
@example(path=("output", 0, "type"), to=[])
@example(path=("output", 1, "content", 0, "text"), to=None)
@example(path=("output", 1, "content"), to=[None])
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_whole_answer_goes_out_valid_or_not_at_all(path: Path, to: Any) -> None:
    assume(not unknown(path, to))
    found = RELAY.answer(orjson.dumps(changed(ANSWER, path, to)), RENDERING)
    if isinstance(found, Answer):
        body(orjson.dumps(found.body))
    else:
        assert isinstance(found, Fault)


@pytest.mark.parametrize(
    ("number", "field", "value"),
    [
        (4, "delta", None), (4, "delta", 5), (4, "delta", MISSING), (4, "output_index", MISSING),
        (4, "output_index", "0"), (4, "content_index", MISSING), (7, "part", "x"), (7, "part", None),
        (10, "item", None),
    ],
)  # fmt: skip
def test_an_event_that_a_client_cannot_read_is_left_out(number: int, field: str, value: Any) -> None:
    found = pieces([*EVENTS[:number], changed(EVENTS[number], (field,), value), *EVENTS[number + 1 :]])
    faults = [piece.fault for piece in found if piece.fault is not None]
    assert [fault.kind for fault in faults] == ["malformed"]
    assert str(EVENTS[number]["type"]) in faults[0].message
    assert [event["type"] for event in sent(found)] == [
        event["type"] for at, event in enumerate(EVENTS) if at != number
    ]


@pytest.mark.parametrize(("number", "field"), [(0, "response"), (2, "item"), (3, "part"), (14, "part")])
@pytest.mark.parametrize("value", [None, "x", [], MISSING])
def test_one_that_others_refer_to_ends_the_stream(number: int, field: str, value: Any) -> None:
    found = pieces([*EVENTS[:number], changed(EVENTS[number], (field,), value), *EVENTS[number + 1 :]])
    assert found[-1].done
    assert found[-1].fault is not None
    assert found[-1].fault.kind == "malformed"
    assert len(found) == number + 1


def test_what_is_not_known_passes_as_it_came() -> None:
    new: list[dict[str, Any]] = [
        {"type": "response.dream.delta", "sequence_number": 2, "delta": {"of": None}, "part": "x", "item": None},
        {"type": "response.dream.done", "sequence_number": 3, "output_index": None},
        {
            "type": "response.output_item.done",
            "sequence_number": 4,
            "output_index": 0,
            "item": {"type": "dream", "id": "d", "of": [None]},
            "why": {"not": 1},
        },
    ]
    found = pieces([*EVENTS[:2], *new])
    assert [orjson.loads(piece.chunk or b"") for piece in found[2:]] == new


def test_an_id_that_is_left_out_is_the_same_in_all_events() -> None:
    stream = [deepcopy(event) for event in EVENTS[:11]]
    for event in stream:
        event.pop("item_id", None)
        event.get("item", {}).pop("id", None)
    last = {**ANSWER, "output": [{**ITEMS[1]}]}
    del last["output"][0]["id"]
    found = sent(pieces([*stream, {"type": "response.completed", "sequence_number": 11, "response": last}]))
    told = {event.get("item_id") or event["item"]["id"] for event in found[2:-1]}
    assert told == {found[-1]["response"]["output"][0]["id"]}
    assert len(told) == 1
