"""The measurement of delays: its figures' laws, its bytes under the official clients' types, and one very short run."""

import asyncio
import sys

import pytest
from openai.types.chat import ChatCompletionChunk

from benchmarks.first import PAIRS, Delay, figures, measure, render
from benchmarks.script import PATHS, mark, script
from tests.serving.messages import built, named_events
from tests.serving.router import parse
from tests.support.responses import checked, sent

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are put on cores as Linux does it")


def body_of(raw: bytes) -> bytes:
    return parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + raw).body


def test_what_the_mock_says_is_what_the_official_clients_read() -> None:
    told = {speech: body_of(b"".join(script(speech, 3).writes())) for speech in PATHS}
    text = " tok00 tok01 tok02"
    chunks = [frame.removeprefix(b"data: ") for frame in told["chat"].split(b"\n\n") if frame]
    read = [ChatCompletionChunk.model_validate_json(one) for one in chunks if one != b"[DONE]"]
    assert "".join(one.choices[0].delta.content or "" for one in read if one.choices) == text
    assert built(named_events(told["messages"]))["content"] == [{"type": "text", "text": text}]
    assert checked(sent(told["responses"]))["output"][0]["content"][0]["text"] == text


@pytest.mark.parametrize("speech", list(PATHS))
def test_content_is_only_where_it_is_said_to_be(speech: str) -> None:
    told = script(speech, 4)  # type: ignore[arg-type]
    assert mark(0) not in told.opening
    assert [number for number, piece in enumerate(told.content) if mark(number) in piece] == [0, 1, 2, 3]


def test_what_is_added_is_taken_percentile_by_percentile() -> None:
    found = figures(PAIRS[0], Delay([1.0] * 99 + [3.0], [1.0]), Delay([2.0] * 99 + [9.0], [1.5]))
    assert (found.added_p50_ms, found.added_p99_ms, found.later_added_p50_ms) == (1.0, 6.0, 0.5)
    assert "missed  first content, added at p99: 6.00 ms" in render([found])
    assert "met  first content" in render([figures(PAIRS[0], Delay([1.0], [1.0]), Delay([2.0], [2.0]))])


@linux
def test_every_pair_is_measured_through_the_router() -> None:
    found = asyncio.run(measure(1))
    assert [one.pair for one in found] == [pair.name for pair in PAIRS]
    assert all(one.requests == 1 and 0 < one.direct_p50_ms < one.through_p99_ms + 1e4 for one in found)
