import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.dialects import sse
from llm_inference_router.dialects.sse import BROKEN, MALFORMED, Parser


def events(*parts: bytes, limit: int = sse.LINE_LIMIT) -> list[sse.Event]:
    parser = Parser(limit)
    return [event for part in (*parts, sse.END) for event in parser.feed(part)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [(b"", b"a")]),
        (b"data:a\n\n", [(b"", b"a")]),
        (b"data:  a\n\n", [(b"", b" a")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b": hello\n\ndata: a\n: between\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", [(b"x", b"a"), (b"", b"b")]),
        (b"event:x\nevent\ndata: a\n\n", [(b"", b"a")]),
        (b"event: lost\n\ndata: a\n\n", [(b"", b"a")]),
        (b"id: 1\nretry: 5\nnonsense\ndata: a\n\n", [(b"", b"a")]),
        (b"data\n\n", [(b"", b"")]),
        (b"data: a\ndata\ndata: b\n\n", [(b"", b"a\n\nb")]),
        (b"\n\n\n", []),
        (b"", []),
        (b"database: x\n\n", []),
        (b"data: a\n\ndata: [DONE]", [(b"", b"a"), (b"", b"[DONE]")]),
        (b"data: \xc3\xa9\n\n", [(b"", "é".encode())]),
        (b"data: \xff\n\ndata: a\n\n", [(MALFORMED, b"invalid UTF-8"), (b"", b"a")]),
    ],
)
def test_the_event_stream_as_specified(stream: bytes, expected: list[sse.Event]) -> None:
    assert events(stream) == expected
    assert events(*(bytes([byte]) for byte in stream)) == expected
    for cut in range(len(stream)):
        assert events(stream[:cut], stream[cut:]) == expected


_LINE = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data:  \xe2\x82\xac",
        b"data",
        b"event: x",
        b"event",
        b": c",
        b"",
        b"",
        b"id: 1",
        b"data: \xff",
        b"\xef\xbb\xbfdata: z",
    ]
)
_END = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=300)
@given(st.lists(st.tuples(_LINE, _END), max_size=12), st.data())
def test_events_are_the_same_for_every_split(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(line + end for line, end in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events(*parts) == events(stream)


@given(st.binary(max_size=80), st.integers(0, 80))
def test_no_bytes_break_the_parser(stream: bytes, cut: int) -> None:
    assert events(stream[:cut], stream[cut:]) == events(stream)


@given(st.text(max_size=50).filter(lambda t: "\n" not in t and "\r" not in t))
def test_a_frame_is_read_back(text: str) -> None:
    assert events(sse.frame(text.encode())) == [(b"", text.encode())]


@pytest.mark.parametrize("end", [b"\n\n", b""])
def test_a_line_over_the_limit_breaks_the_stream(end: bytes) -> None:
    stream = b"data: a\n\ndata: " + b"x" * 200 + end + b"data: b\n\n"
    for size in (1, 7, 1000):
        parts = [stream[i : i + size] for i in range(0, len(stream), size)]
        found = events(*parts, limit=100)
        assert found == [(b"", b"a"), (BROKEN, b"a line of more than 100 bytes")]


def test_an_event_over_the_limit_breaks_the_stream() -> None:
    stream = b"data: 0123456789\n" * 20 + b"\ndata: b\n\n"
    assert events(stream, limit=100) == [(BROKEN, b"a event of more than 100 bytes")]


def test_after_a_break_nothing_is_kept() -> None:
    parser = Parser(limit=10)
    parser.feed(b"x" * 11)
    assert parser.feed(b"data: a\n\n") == []
    assert parser.feed(sse.END) == []
