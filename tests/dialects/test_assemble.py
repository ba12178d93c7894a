import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from llm_inference_router.dialects.assemble import Assembly, estimate
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.chat_writer import ChatWriter
from llm_inference_router.dialects.sse import DONE_FRAME
from llm_inference_router.dialects.usage import usage_as_chat
from llm_inference_router.types import Fault, Piece, Usage

ROLE = Piece(chunk=b'{"role":1}')
HI = Piece(chunk=b'{"id":"up","created":7}', content=True, text_chars=8, text="hi there")
MORE = Piece(chunk=b'{"more":1}', content=True, text_chars=4, text="more")
FINISH = Piece(chunk=b'{"finish":1}', finish_reason="stop")
USAGE = Piece(chunk=b'{"usage":1}', usage=Usage(3, 4))
QUIET_USAGE = Piece(usage=Usage(3, 4))
DONE = Piece(done=True)
BAD = Piece(fault=Fault("malformed", "bad event"))
BROKEN = Piece(fault=Fault("malformed", "bad stream"), done=True)
ERROR = Piece(fault=Fault("status", "it broke", 500), done=True)


def assembly(*, include_usage: bool = False, keep_text: bool = False) -> Assembly:
    writer = ChatWriter(Head("ours", 1, "m"), include_usage=include_usage)
    return Assembly(writer, prompt_tokens=10, keep_text=keep_text)


def framed(*found: Piece) -> list[bytes]:
    return [b"data: " + piece.chunk + b"\n\n" for piece in found if piece.chunk is not None]


def test_a_role_only_chunk_waits_for_content() -> None:
    one = assembly()
    assert one.push(ROLE) == ()
    before = one.begun
    assert list(one.push(HI)) == framed(ROLE, HI)
    assert (before, one.begun) == (False, True)
    assert list(one.push(MORE)) == framed(MORE)


def test_the_end_is_held_until_it_is_asked_for() -> None:
    one = assembly()
    one.push(HI)
    assert one.push(FINISH) == one.push(USAGE) == one.push(DONE) == ()
    assert list(one.end()) == [*framed(FINISH, USAGE), DONE_FRAME]


def test_usage_among_the_content_is_not_held() -> None:
    one = assembly()
    both = Piece(chunk=b"{}", content=True, text_chars=1, usage=Usage(1, 1))
    assert list(one.push(both)) == framed(both)
    assert list(one.push(both)) == framed(both)


def test_an_answer_without_content_still_ends() -> None:
    one = assembly()
    for piece in (ROLE, FINISH, DONE):
        assert one.push(piece) == ()
    assert list(one.end()) == [*framed(ROLE, FINISH), DONE_FRAME]


def test_a_finish_that_carries_the_last_content_begins_the_answer() -> None:
    one = assembly()
    last = Piece(chunk=b"{}", content=True, text_chars=2, text="ok", finish_reason="stop")
    assert one.push(last) == ()
    assert one.begun
    assert one.complete


def test_missing_usage_is_estimated_and_marked() -> None:
    one = assembly(include_usage=True)
    for piece in (HI, FINISH, DONE):
        one.push(piece)
    assert one.billed() == Usage(10, 2, source="estimated")
    chunk = ChatCompletionChunk.model_validate_json(one.end()[-2][6:], strict=True)
    assert (chunk.id, chunk.created, chunk.model, chunk.choices) == ("up", 7, "m", [])
    assert chunk.usage is not None
    assert chunk.usage.total_tokens == 12


@pytest.mark.parametrize(("said", "output"), [((), 1), ((HI, MORE), 3)], ids=["silent", "twelve characters"])
def test_of_a_cut_stream_the_input_is_as_it_was_told_at_the_beginning(said: tuple[Piece, ...], output: int) -> None:
    one = assembly()
    told = Usage(90, 1, cached_tokens=50, cache_write_tokens=7)
    for piece in (Piece(chunk=b"{}", prompt=told), *said):
        one.push(piece)
    assert one.billed() == Usage(90, output, 50, 7, source="estimated")
    one.push(FINISH)
    one.push(QUIET_USAGE)
    assert one.billed() == Usage(3, 4)


def test_an_answer_without_end_is_ended() -> None:
    one = assembly()
    one.push(HI)
    part = Piece(chunk=b"{}", content=True, text_chars=1024 * 1024)
    for _ in range(15):
        assert one.push(part)
    assert one.push(part) == ()
    assert one.failure is not None
    assert one.failure.kind == "malformed"
    assert not one.complete


def test_reported_usage_is_not_estimated() -> None:
    one = assembly(include_usage=True)
    for piece in (HI, FINISH, QUIET_USAGE, DONE):
        one.push(piece)
    assert one.billed() == Usage(3, 4)
    assert list(one.end()) == [*framed(FINISH), DONE_FRAME]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ([], "truncated"),
        ([ROLE], "truncated"),
        ([ROLE, HI], "truncated"),
        ([HI, USAGE], "truncated"),
        ([HI, ERROR], "status"),
        ([ERROR, DONE], "status"),
        ([BROKEN], "malformed"),
        ([HI] + [BAD] * 100 + [FINISH], "malformed"),
    ],
)
def test_what_is_not_complete_never_looks_complete(found: list[Piece], kind: str) -> None:
    one = assembly()
    sent = [frame for piece in found for frame in one.push(piece)]
    assert one.end() == ()
    assert not one.complete
    assert one.truncation is not None
    assert one.truncation.kind == kind
    assert DONE_FRAME not in sent


@pytest.mark.parametrize(
    "found", [[HI, FINISH], [HI, DONE], [HI, FINISH, DONE], [HI, BAD, FINISH], [HI, FINISH, ERROR]]
)
def test_a_finish_reason_or_an_end_marker_completes(found: list[Piece]) -> None:
    one = assembly()
    for piece in found:
        one.push(piece)
    assert one.complete
    assert one.truncation is None
    assert one.end()[-1] == DONE_FRAME


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        ([HI], False),
        ([HI, FINISH], False),
        ([HI, FINISH, QUIET_USAGE], True),
        ([HI, DONE], True),
        ([ERROR], True),
    ],
)
def test_when_nothing_more_needs_to_be_read(found: list[Piece], settled: bool) -> None:
    one = assembly()
    for piece in found:
        one.push(piece)
    assert one.settled is settled


def test_text_is_kept_only_where_it_is_wanted() -> None:
    for wanted, text in ((True, "hi theremore"), (False, "")):
        one = assembly(keep_text=wanted)
        one.push(HI)
        one.push(MORE)
        assert one.text == text
        assert one.text_chars == 12


@given(st.lists(st.sampled_from([ROLE, HI, MORE, FINISH, USAGE, QUIET_USAGE, DONE, BAD, ERROR]), max_size=12))
def test_every_chunk_is_sent_once_in_order_or_the_answer_has_failed(found: list[Piece]) -> None:
    one = assembly()
    sent = [frame for piece in found for frame in one.push(piece)]
    if not any(piece.content for piece in found):
        assert sent == []
    sent += one.end()
    if one.complete:
        assert sent == [*framed(*(piece for piece in found if piece.fault is None)), DONE_FRAME]
    else:
        whole = framed(*found)
        assert sent == whole[: len(sent)]


def test_estimates_round_up() -> None:
    assert estimate(5, 9) == Usage(5, 3, source="estimated")
    assert orjson.loads(orjson.dumps(usage_as_chat(estimate(5, 9))))["total_tokens"] == 8
