"""Tool calls of streams whose servers number them, name them and repeat themselves as they like."""

from itertools import zip_longest
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.chat_writer import Chat
from llm_inference_router.dialects.messages_writer import Messages
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.types import Piece
from tests.backends import wire
from tests.serving.messages import built, named_events
from tests.support.responses import accumulated, sent

openai = OpenAI(TABLE["openai_compatible"])
HEAD = Head("0123456789abcdef" * 2, 1_700_000_000, wire.MODEL_NAME)
Call = tuple[str, str, str]
"""Id, name, arguments."""


def of(choice: int, *calls: dict[str, Any], finish: str | None = None, **delta: Any) -> dict[str, Any]:
    said = {**delta, **({"tool_calls": list(calls)} if calls else {})}
    return wire.chunk() | {"choices": [{"index": choice, "delta": said, "finish_reason": finish}]}


def part(name: str | None = None, arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {**fields, "function": {key: value for key, value in function.items() if value is not None}}


def stream(*docs: dict[str, Any], choices: int = 1) -> bytes:
    first = [of(number, role="assistant", content="") for number in range(choices)]
    last = [of(number, finish="tool_calls") for number in range(choices)]
    return wire.events(*first, *docs, *last, "[DONE]")


def pieces(*parts: bytes, choices: int = 1, name: str = "chatcmpl-ours") -> list[Piece]:
    given = wire.rendering()
    decoder = openai.decoder(type(given)(given.model, name, given.created, True, choices=choices))
    return [piece for one in parts for piece in decoder.feed(one)] + decoder.close()


def joined(data: bytes, choices: int = 1, name: str = "chatcmpl-ours") -> list[list[Call]]:
    """The calls of each choice, joined as clients do."""
    assembly, frames = wire.assembled(pieces(data, choices=choices, name=name))
    assert assembly.complete, assembly.failure
    calls: dict[tuple[int, int], list[str]] = {}
    for one in wire.sent_chunks(frames):
        for choice in one.choices:
            for call in choice.delta.tool_calls or ():
                texts = calls.setdefault((choice.index, call.index), ["", "", ""])
                texts[0] += call.id or ""
                if call.function is not None:
                    texts[1] += call.function.name or ""
                    texts[2] += call.function.arguments or ""
    assert sorted(calls) == [(c, n) for c in range(choices) for n in range(sum(key[0] == c for key in calls))]
    return [[(a, b, c) for key, (a, b, c) in sorted(calls.items()) if key[0] == choice] for choice in range(choices)]


A, B = ("call_aaaaaaaa", "f", '{"a":1}'), ("call_bbbbbbbb", "g", '{"b":2}')


def whole(call: Call, **fields: Any) -> dict[str, Any]:
    return part(call[1], call[2], id=call[0], type="function", **fields)


@pytest.mark.parametrize(
    "docs",
    [
        [of(0, whole(A, index=0)), of(0, whole(B, index=0))],
        [of(0, whole(A, index=0), whole(B, index=0))],
        [of(0, whole(A)), of(0, whole(B))],
        [of(0, whole(A), whole(B))],
        [of(0, whole(A, index=None)), of(0, whole(B, index="0"))],
    ],
    ids=["one by one", "in one delta", "without an index", "without one in one delta", "with none that is a number"],
)
def test_calls_with_ids_of_their_own_are_calls_of_their_own(docs: list[dict[str, Any]]) -> None:
    assert joined(stream(*docs)) == [[A, B]]


def test_a_delta_without_an_id_belongs_to_the_newest_call_of_its_index() -> None:
    begun = [
        of(0, part("f", "", index=0, id="x1")),
        of(0, part(None, '{"a"', index=0)),
        of(0, part(None, ":1}", index=0)),
    ]
    second = [of(0, part("g", '{"b":', index=0, id="x2")), of(0, part(None, "2}", index=0))]
    assert joined(stream(*begun, *second)) == [[("x1", "f", '{"a":1}'), ("x2", "g", '{"b":2}')]]


def test_a_delta_with_an_earlier_id_belongs_to_its_call() -> None:
    docs = [of(0, part("f", '{"a":', index=0, id="x1")), of(0, part("g", '{"b":', index=0, id="x2"))]
    docs += [of(0, part(None, "1}", index=0, id="x1")), of(0, part(None, "2}", index=0, id="x2"))]
    assert joined(stream(*docs)) == [[("x1", "f", '{"a":1}'), ("x2", "g", '{"b":2}')]]


def test_without_an_index_an_id_finds_its_call_wherever_it_stood() -> None:
    docs = [of(0, part("f", '{"a":', id="x1"), part("g", '{"b":', id="x2"))]
    docs += [of(0, part(None, "2}", id="x2")), of(0, part(None, "1}", id="x1"))]
    assert joined(stream(*docs)) == [[("x1", "f", '{"a":1}'), ("x2", "g", '{"b":2}')]]


def test_an_index_that_another_call_was_given_is_exchanged_for_the_next_one() -> None:
    docs = [of(0, whole(A, index=0)), of(0, whole(B, index=0)), of(0, part("h", "{", index=1, id="x3"))]
    assert joined(stream(*docs, of(0, part(None, "}", index=1)))) == [[A, B, ("x3", "h", "{}")]]


def test_calls_of_one_index_without_arguments_are_given_some() -> None:
    docs = [of(0, part("f", "", index=0, id="x1")), of(0, part("g", None, index=0, id="x2"))]
    assert joined(stream(*docs)) == [[("x1", "f", "{}"), ("x2", "g", "{}")]]


def test_a_new_id_without_a_name_goes_on() -> None:
    docs = [of(0, part("f", '{"a"', index=0, id="x1")), of(0, part(None, ":1}", index=0, id="x2"))]
    assert joined(stream(*docs)) == [[("x1", "f", '{"a":1}')]]


def test_a_repeated_id_is_a_repetition_whatever_else_is_repeated() -> None:
    docs = [of(0, part("f", text, index=0, id="0", type="function")) for text in ("{", '"a":1', "}")]
    assert joined(stream(*docs)) == [[("0", "f", '{"a":1}')]]


def test_a_name_that_is_repeated_without_an_id_is_said_once() -> None:
    docs = [of(0, part("f", "{", index=0, id="x1")), of(0, part("f", "}", index=0))]
    assert joined(stream(*docs)) == [[("x1", "f", "{}")]]


@pytest.mark.parametrize("empty", ["", None])
def test_whole_calls_without_ids_are_told_apart_by_what_cannot_be_joined(empty: Any) -> None:
    docs = [of(0, part(name, text, index=0, id=empty)) for _, name, text in (A, B, B)]
    [calls] = joined(stream(*docs))
    assert [call[1:] for call in calls] == [A[1:], B[1:], B[1:]]
    assert len({call[0] for call in calls}) == 3


def test_calls_of_custom_tools_are_told_apart_too() -> None:
    docs = [
        of(0, {"index": 0, "id": f"x{n}", "type": "custom", "custom": {"name": "sql", "input": f"SELECT {n}"}})
        for n in range(2)
    ]
    found = [orjson.loads(one.chunk) for one in pieces(stream(*docs)) if one.chunk and b'"custom"' in one.chunk]
    calls = [call for doc in found for call in doc["choices"][0]["delta"]["tool_calls"]]
    assert [(one["index"], one["id"], one["custom"]["input"]) for one in calls] == [
        (0, "x0", "SELECT 0"),
        (1, "x1", "SELECT 1"),
    ]


def test_a_delta_in_order_passes_as_it_came() -> None:
    docs = [of(0, whole(A, index=0)), of(0, part("g", "", index=1, id="x2"), tag="as it came")]
    docs += [
        of(0, part(None, "{", index=1), tag="as it came"),
        of(0, part(None, "}", index=1), part(None, "", index=0)),
    ]
    found = [one.chunk or b"" for one in pieces(stream(*docs))][1 : 1 + len(docs)]
    for doc, chunk in zip(docs, found, strict=True):
        renamed = wire.events(doc).replace(b'"model": "upstream-name"', b'"model":"small-model"')
        assert renamed == b"data: " + chunk + b"\n\n"


# --- whatever a server does -------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["f", "g"])
ARGUMENTS = st.sampled_from(["", "{}", '{"a":1}', '{"city": "Köln", "of": {"a": []}}', '{"a":"}{"}'])
NUMBERED = st.sampled_from(["zero", "right", "missing"])


@st.composite
def styled(draw: st.DrawFn) -> tuple[list[list[Call]], list[dict[str, Any]]]:
    """Calls of each choice, and the chunks of a server that says them in its own way: how it numbers them, in how many
    deltas it says them, whether each of these repeats the id, or the name as well, and how choices take turns."""
    numbered, repeats = draw(NUMBERED), draw(st.sampled_from(["nothing", "id", "all"]))
    answers, queues = [], []
    for choice in range(draw(st.integers(1, 2))):
        drawn = draw(st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3))
        calls = [(f"call_{choice}{number}_long", name, text) for number, (name, text) in enumerate(drawn)]
        answers.append([(one, name, text or "{}") for one, name, text in calls])
        queue = []
        for number, (one, name, text) in enumerate(calls):
            index = {"zero": {"index": 0}, "right": {"index": number}, "missing": {}}[numbered]
            cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=2)))
            for n, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(text)], strict=True)):
                told = {"id": one} if n == 0 or repeats != "nothing" else {}
                queue.append(of(choice, part(name if n == 0 or repeats == "all" else None, text[a:b], **index, **told)))
        queues.append(queue)
    return answers, [one for pair in zip_longest(*queues) for one in pair if one is not None]


@given(styled())
def test_every_call_comes_out_once_and_whole(case: tuple[list[list[Call]], list[dict[str, Any]]]) -> None:
    answers, docs = case
    assert joined(stream(*docs, choices=len(answers)), choices=len(answers)) == answers


@given(styled(), st.data())
def test_and_wherever_the_bytes_are_split(case: Any, data: st.DataObject) -> None:
    answers, docs = case
    body = stream(*docs, choices=len(answers))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=8)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert pieces(*parts, choices=len(answers)) == pieces(body, choices=len(answers))


def told(found: list[Piece], dialect: Any, asked: dict[str, Any]) -> bytes:
    assembly = Assembly(dialect.writer(dialect.parse(orjson.dumps({"model": "auto", "stream": True, **asked})), HEAD))
    frames = [frame for piece in found for frame in assembly.push(piece)]
    assert assembly.complete
    return b"".join([*frames, *assembly.end()])


@given(styled().filter(lambda case: len(case[0]) == 1))
def test_and_so_it_does_for_clients_of_other_dialects(case: Any) -> None:
    [calls], docs = case
    found = pieces(stream(*docs))
    hi = [{"role": "user", "content": "hi"}]
    message = built(named_events(told(found, Messages(), {"messages": hi, "max_tokens": 9})))
    assert [(one["id"], one["name"], one["input"]) for one in message["content"]] == [
        (one, name, orjson.loads(text)) for one, name, text in calls
    ]
    items = accumulated(sent(told(found, Responses(), {"input": "hi"})))
    assert [(one["call_id"], one["name"], one["arguments"]) for one in items] == calls
    assert told(found, Chat(), {"messages": hi})


# --- ids that the router makes up -------------------------------------------------------------------------------------


def whole_ids(name: str, *given_ids: Any) -> list[str]:
    calls = [{**whole(A), "id": one} for one in given_ids]
    choices = [{"index": n, "finish_reason": "tool_calls", "message": {"tool_calls": calls}} for n in range(2)]
    given = wire.rendering()
    answer: Any = openai.answer(orjson.dumps({"choices": choices}), type(given)(given.model, name, 1, True))
    wire.completion(answer.body)
    return [call["id"] for one in answer.body["choices"] for call in one["message"]["tool_calls"]]


def streamed_ids(name: str, *given_ids: Any) -> list[str]:
    docs = [of(choice, *(whole((one, "f", "{}"), index=n) for n, one in enumerate(given_ids))) for choice in range(2)]
    return [call[0] for calls in joined(stream(*docs, choices=2), 2, name) for call in calls]


@pytest.mark.parametrize("ids", [whole_ids, streamed_ids])
def test_ids_that_are_made_up_are_those_of_one_answer_alone(ids: Any) -> None:
    names = ["chatcmpl-" + "0" * 31 + "1", "chatcmpl-" + "0" * 31 + "2", "chatcmpl-x/y z" + "long" * 40]
    made = [one for name in names for one in ids(name, "", None)]
    assert len(set(made)) == len(made) == 12
    for one in made:
        assert 9 <= len(one) <= 40
        assert one.replace("_", "").replace("-", "").isalnum()
        assert one.isascii()
    assert [one for name in names for one in ids(name, "", None)] == made
    assert ids("chatcmpl-1", "call_0", "x")[:2] == ["call_0", "x"]


def test_whole_and_streamed_answers_make_up_the_same_ids() -> None:
    assert whole_ids("chatcmpl-1", "", None) == streamed_ids("chatcmpl-1", "", None)
