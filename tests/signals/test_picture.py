"""Sizes of pictures and lengths of sounds, read from headers; no bytes raise anything."""

import struct
from base64 import b64encode
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_inference_router.dialects.chat import parse
from llm_inference_router.signals.attached import wav_seconds
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.picture import Read, size
from llm_inference_router.types import Attachment

side16 = st.integers(1, 0xFFFF)
side14 = st.integers(1, 0x3FFF)


def reader(data: bytes) -> Read:
    return lambda offset, count: data[offset : offset + count]


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 6, 0, 0, 0) + b"\0" * 8


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def jpeg(width: int, height: int, segments: tuple[bytes, ...] = (), frame: int = 0xC0) -> bytes:
    before = b"".join(b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in segments)
    return b"\xff\xd8" + before + struct.pack(">BBHBHHB", 0xFF, frame, 17, 8, height, width, 3) + b"\0" * 9


def webp(kind: bytes, rest: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(rest)) + b"WEBP" + kind + struct.pack("<I", len(rest)) + rest


def vp8(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height) + b"\0" * 8)


def vp8l(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0" * 8)


def vp8x(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\0\0\0\0" + sides)


def wav(seconds: float, rate: int = 16_000, told: int | None = None, extra: bytes = b"") -> bytes:
    samples = b"\0" * (int(seconds * rate) * 2)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    other = b"LIST" + struct.pack("<I", len(extra)) + extra + b"\0" * (len(extra) % 2) if extra else b""
    data = b"data" + struct.pack("<I", len(samples) if told is None else told) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(other) + len(data)) + b"WAVE" + form + other + data


@given(width=st.integers(1, 2**31 - 1), height=st.integers(1, 2**31 - 1))
def test_the_size_of_a_png(width: int, height: int) -> None:
    assert size(reader(png(width, height))) == (width, height)


@given(width=side16, height=side16)
def test_the_size_of_a_gif(width: int, height: int) -> None:
    assert size(reader(gif(width, height))) == (width, height)


@given(
    width=side16,
    height=side16,
    segments=st.lists(st.binary(max_size=300), max_size=5).map(tuple),
    frame=st.sampled_from([0xC0, 0xC1, 0xC2, 0xC9]),
)
@example(width=640, height=480, segments=(b"\xff\xc0" * 30_000, b"ICC"), frame=0xC2)
def test_the_size_of_a_jpeg_stands_behind_any_segments(
    width: int, height: int, segments: tuple[bytes, ...], frame: int
) -> None:
    assert size(reader(jpeg(width, height, segments, frame))) == (width, height)


@pytest.mark.parametrize("make", [vp8, vp8l, vp8x])
@given(width=side14, height=side14)
def test_the_size_of_a_webp_of_each_kind(make: Any, width: int, height: int) -> None:
    assert size(reader(make(width, height))) == (width, height)


@given(
    start=st.sampled_from([b"", *(one(9, 9)[:n] for one in (png, gif, jpeg, vp8, vp8l, vp8x) for n in (2, 8, 12, 21))]),
    rest=st.binary(max_size=400),
)
def test_no_bytes_raise_anything(start: bytes, rest: bytes) -> None:
    found = size(reader(start + rest))
    assert found is None or min(found) > 0
    seconds = wav_seconds(reader(start + rest), len(start + rest))
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("data", [b"", png(0, 5), jpeg(5, 0), b"\xff\xd8\xff\xda" + jpeg(5, 5)[2:], b"<svg/>"])
def test_what_has_no_size_has_none(data: bytes) -> None:
    assert size(reader(data)) is None


def test_a_jpeg_of_endless_segments_is_given_up() -> None:
    reads = 0

    def read(offset: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        return b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff"[:count]

    assert size(read) is None
    assert reads < 1000


@given(seconds=st.floats(0.1, 3), rate=st.sampled_from([8_000, 16_000, 44_100]), extra=st.binary(max_size=9))
def test_a_wav_is_as_long_as_its_samples(seconds: float, rate: int, extra: bytes) -> None:
    data = wav(seconds, rate, extra=extra)
    assert wav_seconds(reader(data), len(data)) == pytest.approx(seconds, abs=2 / rate)


@pytest.mark.parametrize("told", [0, 0xFFFFFFFF])
def test_a_wav_whose_encoder_did_not_know_its_length_is_as_long_as_what_is_there(told: int) -> None:
    data = wav(2.0, told=told)
    assert wav_seconds(reader(data), len(data)) == pytest.approx(2.0)


def test_other_sounds_have_no_length() -> None:
    assert wav_seconds(reader(b"ID3" + b"\0" * 100), 103) is None
    assert wav_seconds(reader(wav(1.0).replace(b"fmt ", b"fmx ")), 32_044) is None


# --- in a request -----------------------------------------------------------------------------------------------------


def attached(*parts: Any) -> tuple[Attachment, ...]:
    text = {"type": "text", "text": "What is this?"}
    body = {
        "model": "auto",
        "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": [text, *parts]}],
    }
    request = parse(orjson.dumps(body))
    return extract(request, view(request)).attachments


def image(data: bytes | str, kind: str = "png", **more: Any) -> dict[str, Any]:
    text = data if isinstance(data, str) else b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{text}", **more}}


def test_pictures_sounds_and_files_are_measured_where_they_stand() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": b64encode(wav(3.0)).decode(), "format": "wav"}}
    mp3 = {"type": "input_audio", "input_audio": {"data": b64encode(b"\0" * 48_000).decode(), "format": "mp3"}}
    document = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}
    far = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    found = attached(
        image(png(640, 480)), image(jpeg(3000, 2000, (b"x" * 9999,)), "jpeg", detail="low"), sound, mp3, document, far
    )
    assert found == (
        Attachment("image", 640, 480, media="image/png"),
        Attachment("image", 3000, 2000, low=True, media="image/jpeg"),
        Attachment("audio", seconds=pytest.approx(3.0)),  # type: ignore[arg-type]
        Attachment("audio", seconds=pytest.approx(3.0)),  # type: ignore[arg-type]
        Attachment("file", media="file"),
        Attachment("image", low=True),
    )


def test_nothing_that_a_client_wrote_is_told_of_an_attachment() -> None:
    """It is recorded with the decision."""
    secret = "the-canary-prompt"
    odd = {"type": secret, secret: "x"}
    assert secret not in str(attached(image(png(8, 8), secret), odd))
    assert attached(image(png(8, 8), secret))[0].media == "image/other"
    assert attached(odd) == (Attachment("file"),)


@given(st.text(max_size=200))
@example("iVBORw0KGgo=")
@example("ü" * 50)
def test_no_data_of_a_picture_raises_anything(data: str) -> None:
    [found] = attached(image(data))
    assert found.kind == "image"


def test_a_request_of_text_has_no_attachments() -> None:
    assert attached() == ()
