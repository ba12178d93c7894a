"""The rest of a cut answer joins what was sent: nothing is lost, repeated or contradicted."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects.chat import parse
from llm_inference_router.dialects.continuation import Continuing, Seam, anchor, continued, whole
from llm_inference_router.types import ChatRequest, Fault, Piece, Usage

WORDS = (
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
)
texts = st.permutations(WORDS).flatmap(
    lambda words: st.sampled_from([" ", "\n", ", ", ". "]).map(lambda between: between.join(words))
)


def joined(said: str, rest: str, prefill: bool, sizes: list[int]) -> tuple[str, bool]:
    """What the client has in the end, and whether the rest was refused; `sizes`: how the rest is split."""
    seam = Seam(said, prefill)
    given, at, turn = said, 0, 0
    while at < len(rest):
        size = sizes[turn % len(sizes)]
        given += seam.feed(rest[at : at + size])
        at, turn = at + size, turn + 1
    return given + seam.end(False), seam.unfit


cuts = st.floats(0.02, 0.98)
splits = st.lists(st.integers(1, 30), min_size=1, max_size=5)


@given(text=texts, cut=cuts, sizes=splits)
def test_a_model_that_writes_on_from_the_last_character_completes_the_answer(
    text: str, cut: float, sizes: list[int]
) -> None:
    at = max(1, int(len(text) * cut))
    said = text[:at]
    rest = text[len(said.rstrip()) :]  # a prefill goes without the white space at its end
    assert joined(said, rest, True, sizes) == (text, False)


@given(text=texts, cut=cuts, sizes=splits, space=st.sampled_from(["", " ", "\n"]))
def test_a_model_that_repeats_the_last_words_as_it_was_asked_completes_the_answer(
    text: str, cut: float, sizes: list[int], space: str
) -> None:
    said = text[: max(1, int(len(text) * cut))]
    repeated = anchor(said)
    rest = space + repeated + text[len(said.rstrip()) :]
    got, unfit = joined(said, rest, False, sizes)
    assert not unfit
    assert got.split() == text.split()
    assert got.startswith(said)


@given(text=texts, cut=cuts, sizes=splits, prefill=st.booleans())
def test_a_model_that_begins_anew_with_the_same_words_completes_the_answer(
    text: str, cut: float, sizes: list[int], prefill: bool
) -> None:
    said = text[: max(6, int(len(text) * cut))]
    assert joined(said, text, prefill, sizes) == (text, False)


@given(words=st.permutations(WORDS), cut=st.integers(1, 15), repeated=st.integers(0, 15), sizes=splits)
def test_however_many_words_a_model_repeats_they_are_sent_once(
    words: list[str], cut: int, repeated: int, sizes: list[int]
) -> None:
    said, rest = " ".join(words[:cut]), " ".join(words[max(0, cut - repeated) :])
    assert joined(said, rest, False, sizes) == (" ".join(words), False)


@given(text=texts, other=texts, sizes=splits, prefill=st.booleans())
def test_what_was_sent_stays_the_beginning_whatever_comes(
    text: str, other: str, sizes: list[int], prefill: bool
) -> None:
    said = text[:50]
    got, unfit = joined(said, other, prefill, sizes)
    assert got.startswith(said)
    assert not unfit or got == said


@pytest.mark.parametrize(
    "rest",
    [
        "Sure, here is the rest of the answer: and so on.",
        "I apologize for the interruption. The answer is 4.",
        "Here's the continuation of what I was saying before.",
        "The quick brown fox jumps over the lazy cat, and then it went home to sleep.",
    ],
)
def test_a_rest_that_does_not_join_is_not_used(rest: str) -> None:
    said = "The quick brown fox jumps over the lazy dog, and then"
    assert joined(said, rest, False, [7]) == (said, True)


def request(**fields: object) -> ChatRequest:
    return parse(orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Tell me."}], **fields}))


def test_a_prefill_is_the_last_message_and_a_limit_counts_what_was_said() -> None:
    asked = continued(request(max_tokens=100, stream=True), "x" * 40 + " ", prefill=True)
    assert asked.body["messages"][-1] == {"role": "assistant", "content": "x" * 40}
    assert (asked.max_tokens, asked.body["max_tokens"], asked.prefilled) == (90, 90, True)
    assert asked.messages[-1].role == "assistant"


def test_without_prefill_the_model_is_told_what_to_repeat() -> None:
    said = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    asked = continued(request(), said, prefill=False)
    part, told = asked.body["messages"][-2:]
    assert part == {"role": "assistant", "content": said}
    assert anchor(said) in told["content"]
    assert said.endswith(anchor(said))
    assert (told["role"], asked.max_tokens, asked.prefilled) == ("user", None, False)


class Pieces:
    """A decoder that gives what it is made of, whatever it is fed."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = list(pieces)

    def feed(self, data: bytes) -> list[Piece]:
        return self.pieces

    def close(self) -> list[Piece]:
        return []


def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    return orjson.dumps(
        {
            "id": "other",
            "object": "chat.completion.chunk",
            "created": 2,
            "model": "second",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
    )


def test_the_pieces_of_the_rest_join_the_stream_that_the_client_has() -> None:
    usage = Usage(5, 6)
    inner = Pieces(
        Piece(chunk({"role": "assistant", "content": ""})),
        Piece(chunk({"content": "half an answer"}), True, 14, "half an answer"),
        Piece(chunk({}, "stop"), finish_reason="stop"),
        Piece(orjson.dumps({"choices": [], "usage": {}}), usage=usage),
        Piece(done=True),
    )
    pieces = Continuing(inner, Seam("Here is half ", False), "first", 1).feed(b"")
    shown = [orjson.loads(one.chunk) for one in pieces if one.chunk is not None]
    assert {(one["id"], one["created"], one["model"]) for one in shown} == {("first", 1, "second")}
    assert [one["choices"][0]["delta"] for one in shown] == [{"content": "an answer"}, {}]
    assert shown[-1]["choices"][0]["finish_reason"] == "stop"
    assert [one.usage for one in pieces if one.usage] == [usage]
    assert sum(one.text_chars for one in pieces) == 14  # what was taken out was generated and is billed
    assert pieces[-1].done


def test_a_fault_of_the_rest_is_a_fault() -> None:
    fault = Piece(fault=Fault("status", "x", status=500), done=True)
    assert Continuing(Pieces(fault), Seam("a", False), "id", 1).feed(b"") == [fault]


def test_json_in_parts_has_to_be_json_in_the_end() -> None:
    asked = request(response_format={"type": "json_object"})
    assert whole('{"a": 1}', asked) is None
    assert whole('{"a": 1', asked) is not None
    assert whole("no JSON", request()) is None
