"""How large a picture is, from the few bytes of its header that say so. Nothing is decoded, and no bytes raise.

PNG: the IHDR chunk (PNG 3rd edition, 11.2.1). GIF: the logical screen (GIF89a, 18). JPEG: the first frame header
(ITU T.81, B.2.2), found by jumping from segment to segment. WebP: the canvas of `VP8X`, else the frame of `VP8L` or
`VP8 ` (RFC 9649).
"""

from collections.abc import Callable
from struct import unpack
from typing import Final, TypeAlias

Read: TypeAlias = Callable[[int, int], bytes]
"""Bytes from an offset on, at most so many; fewer, or none, where the data ends."""
Size: TypeAlias = tuple[int, int]
"""Width and height in pixels, both above 0."""

_HEAD: Final = 32
_SEGMENTS: Final = 512  # of a JPEG before its frame: an ICC profile takes a few, Exif and XMP one each
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are tables
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def size(read: Read) -> Size | None:
    """None where the bytes are no picture of a kind known here, or end before they tell."""
    head = read(0, _HEAD)
    found: Size | None = None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        found = unpack(">II", head[16:24]) if head[12:16] == b"IHDR" and len(head) >= 24 else None
    elif head.startswith((b"GIF87a", b"GIF89a")):
        found = unpack("<HH", head[6:10]) if len(head) >= 10 else None
    elif head.startswith(b"\xff\xd8"):
        found = _jpeg(read)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        found = _webp(head)
    return found if found and found[0] > 0 and found[1] > 0 else None


def _jpeg(read: Read) -> Size | None:
    at = 2
    for _ in range(_SEGMENTS):
        part = read(at, 9)
        if len(part) < 4 or part[0] != 0xFF:
            return None
        marker = part[1]
        if marker == 0xFF:
            at += 1  # a fill byte
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            if len(part) < 9:
                return None
            height, width = unpack(">HH", part[5:9])
            return width, height
        else:
            length = int.from_bytes(part[2:4], "big")
            if marker in (0xD9, 0xDA) or length < 2:
                return None  # the picture itself, or its end, before any frame
            at += 2 + length
    return None


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
