"""What is attached to the messages of a request: pictures with their size, sounds with their length, files.

Only headers are read, out of base64 that stands in the request itself; nothing is fetched. What cannot be told stays
unknown: a picture behind an address, a format that is not known here.
"""

from base64 import b64decode
from binascii import Error
from struct import unpack
from typing import Any, Final

from llm_inference_router.signals import picture
from llm_inference_router.signals.picture import Read
from llm_inference_router.types import Attachment, ChatRequest
from llm_inference_router.vocabulary import Modality

_MARK: Final = ";base64,"
_MARK_WITHIN: Final = 200  # characters of a data URL before its data
_CHUNKS: Final = 64  # of a WAV file before its samples
_MP3_BYTES_PER_S: Final = 16_000  # 128 kbit/s
_TEXTS: Final = frozenset({"text", "refusal"})
# Closed lists: what is said of an attachment is recorded, and nothing of a prompt may be.
_PARTS: Final = ("file", "video_url", "audio_url")
_PICTURES: Final = frozenset(f"image/{kind}" for kind in ("png", "jpeg", "jpg", "gif", "webp", "bmp", "avif", "heic"))
_OTHER: Final = "image/other"


def attachments(request: ChatRequest) -> tuple[Attachment, ...]:
    """Of all messages, in their order."""
    raw = request.body.get("messages")
    bodies: list[Any] = raw if isinstance(raw, list) else []
    found: list[Attachment] = []
    for index, message in enumerate(request.messages):
        if message.attachments:
            parts = _parts(bodies[index]) if index < len(bodies) else []
            for number, kind in enumerate(message.attachments):
                if kind != "text":
                    found.append(_attachment(kind, parts[number] if number < len(parts) else {}))
    return tuple(found)


def _parts(message: Any) -> list[dict[str, Any]]:
    """The parts that are attachments: all that are not text, as `dialects.chat_message` has counted them."""
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict) and part.get("type") not in _TEXTS]


def _attachment(kind: Modality, part: dict[str, Any]) -> Attachment:
    if kind == "image":
        return _picture(part.get("image_url"))
    if kind == "audio":
        return Attachment("audio", seconds=_seconds(part.get("input_audio")))
    word = part.get("type")
    return Attachment(kind, media=word if word in _PARTS else None)


def _picture(value: Any) -> Attachment:
    if not isinstance(value, dict):
        return Attachment("image")
    low = value.get("detail") == "low"
    url = value.get("url")
    start = url.find(_MARK, 0, _MARK_WITHIN) if isinstance(url, str) and url.startswith("data:") else -1
    size = picture.size(_read(url, start + len(_MARK))) if isinstance(url, str) and start > 0 else None
    width, height = size or (0, 0)
    media = _media(url[len("data:") : start]) if isinstance(url, str) and start > 0 else None
    return Attachment("image", width, height, low, media=media)


def _media(said: str) -> str:
    return said if not said or said in _PICTURES else _OTHER


def _seconds(value: Any) -> float | None:
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, str):
        return None
    total = len(data) * 3 // 4
    if value.get("format") == "mp3":
        return total / _MP3_BYTES_PER_S
    return wav_seconds(_read(data, 0), total)


def wav_seconds(read: Read, total: int) -> float | None:
    """How long a WAV file of `total` bytes is: its samples by the bytes of a second. None for anything else.

    Source: RIFF/WAVE, the chunks `fmt ` and `data`. Encoders that write to a pipe leave the length of `data` at 0 or at
    its maximum: then it is what is there.
    """
    head = read(0, 12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    at, rate = 12, 0
    for _ in range(_CHUNKS):
        chunk = read(at, 20)
        if len(chunk) < 8:
            return None
        length = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"fmt " and len(chunk) >= 20:
            (rate,) = unpack("<I", chunk[16:20])
        elif chunk[:4] == b"data":
            left = max(0, total - at - 8)
            return (min(length, left) or left) / rate if rate else None
        at += 8 + length + length % 2
    return None


def _read(text: str, start: int) -> Read:
    """Bytes of the base64 that begins at `start`, decoded only where they are asked for."""

    def read(offset: int, count: int) -> bytes:
        whole = offset // 3
        first = start + 4 * whole
        skipped = offset - 3 * whole
        encoded = text[first : first + 4 * ((skipped + count + 2) // 3)]
        try:
            decoded = b64decode(encoded[: len(encoded) // 4 * 4])
        except (Error, ValueError):  # no base64, or no ASCII at all
            return b""
        return decoded[skipped : skipped + count]

    return read
