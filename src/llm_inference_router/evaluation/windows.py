"""Which prompts share a passage: 60 characters of normalised text in a row, wherever they stand.

Normalised is lower case, letters and digits alone. Passages of 30 characters that stand in more than 1 % of a source's
prompts (and in more than five of them) are its frame: instructions, and worked examples before every question, not the
questions. The frame is cut out first, and what is left of a prompt is compared; as a whole, where it is shorter than a
window.

Every window is looked at, by a rolling hash of 64 bits (Karp and Rabin 1987), so memory is some 40 bytes a character
of the prompts while the index is built; what is kept is only the windows that two prompts share.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import Row
from llm_inference_router.types import Message

Flags: TypeAlias = NDArray[np.bool_]
Hashes: TypeAlias = NDArray[np.uint64]

WIDTH = 60
FRAME_WIDTH = 30  # half of it: a frame shorter than a window would make windows common that hold little else
COMMON_SHARE = 0.01
_COMMON_COUNT = 5
_NOISE = re.compile(r"[\W_]+")
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 1 << 64)


def normalised(text: str) -> str:
    return _NOISE.sub("", text.lower())


def text_of(messages: Sequence[Message]) -> str:
    """All that is said in a request."""
    return "\n".join(message.text for message in messages)


def shared_by(sources: Mapping[str, Sequence[Row]]) -> "Shared":
    return Shared({name: [text_of(row.messages) for row in rows] for name, rows in sources.items()})


class Shared:
    """The windows that prompts of some sources share. `prompts`: for each source its prompts' texts.

    Flags are arrays of one truth value a prompt, in the order of the source."""

    def __init__(self, prompts: Mapping[str, Sequence[str]]) -> None:
        self._starts: dict[str, slice] = {}
        hashes: list[Hashes] = []
        rows: list[NDArray[np.int32]] = []
        first = 0
        for name, texts in prompts.items():
            windows, row = _counted(texts)
            hashes.append(windows)
            rows.append(row + np.int32(first))
            self._starts[name] = slice(first, first + len(texts))
            first += len(texts)
        self._rows = first
        self._window, self._row = _repeated(hashes, rows)

    def touched(self, held: Mapping[str, Flags]) -> dict[str, Flags]:
        """The prompts of every source that share a window with one of those in `held`; these themselves too, if they
        share one with anybody."""
        return self._by_name(self._touched(self._everywhere(held)))

    def once(self, kept: Mapping[str, Flags]) -> dict[str, Flags]:
        """Of the prompts in `kept`, those that share nothing with a kept prompt of an earlier source, by name. Within
        a source nothing is dropped."""
        earlier = np.zeros(self._rows, dtype=np.bool_)
        for name in sorted(kept):
            place = self._starts[name]
            fresh = kept[name] & ~self._touched(earlier)[place]
            earlier[place] = fresh
        return {name: earlier[self._starts[name]] for name in kept}

    def _touched(self, held: Flags) -> Flags:
        seen = np.zeros(int(self._window[-1]) + 1 if len(self._window) else 0, dtype=np.bool_)
        seen[self._window[held[self._row]]] = True
        found = np.zeros(self._rows, dtype=np.bool_)
        found[self._row[seen[self._window]]] = True
        return found

    def _everywhere(self, flags: Mapping[str, Flags]) -> Flags:
        found = np.zeros(self._rows, dtype=np.bool_)
        for name, one in flags.items():
            found[self._starts[name]] = one
        return found

    def _by_name(self, flags: Flags) -> dict[str, Flags]:
        return {name: flags[place] for name, place in self._starts.items()}


def _counted(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int32]]:
    """The windows of a source, each once a prompt, and whose they are; without the source's frame."""
    codes = [np.frombuffer(normalised(text).encode("utf-32-le", "surrogatepass"), "<u4") for text in texts]
    longest = max((len(one) for one in codes), default=0)
    powers = _powers(_BASE, longest), _powers(_INVERSE, longest)
    mixed = [_mixed(one.astype(np.uint64)) for one in codes]
    short = [_hashed(one, FRAME_WIDTH, *powers) for one in mixed]
    frame = _common(short, max(_COMMON_COUNT, COMMON_SHARE * len(texts)))
    each = []
    for one, windows in zip(mixed, short, strict=True):
        framed = np.isin(windows, frame)
        left = one[~_covered(framed, len(one))] if framed.any() else one
        each.append(np.unique(_hashed(left, WIDTH, *powers)))
    row = np.repeat(np.arange(len(texts), dtype=np.int32), [len(one) for one in each])
    return np.concatenate([np.zeros(0, np.uint64), *each]), row


def _common(each: Sequence[Hashes], most: float) -> Hashes:
    """Those that more than `most` prompts have."""
    once = [np.unique(one) for one in each]
    windows, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *once]), return_counts=True)
    found: Hashes = windows[counts > most]
    return found


def _covered(windows: Flags, length: int) -> Flags:
    """The characters that stand in one of the windows that are flagged by where they start."""
    width = length - len(windows) + 1
    edges = np.zeros(length + 1, dtype=np.int64)
    edges[: len(windows)] += windows
    edges[width:] -= windows
    found: Flags = np.cumsum(edges[:-1]) > 0
    return found


def _repeated(
    hashes: Sequence[Hashes], rows: Sequence[NDArray[np.int32]]
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Numbers of the windows that two prompts or more have, and those prompts, sorted by window."""
    windows = np.concatenate([np.zeros(0, np.uint64), *hashes])
    row = np.concatenate([np.zeros(0, np.int32), *rows])
    order = np.argsort(windows)
    windows, row = windows[order], row[order]
    same = windows[1:] == windows[:-1]
    many = np.zeros(len(windows), dtype=np.bool_)
    many[1:] |= same
    many[:-1] |= same
    windows, row = windows[many], row[many]
    number = np.zeros(len(windows), dtype=np.intp)
    number[1:] = np.cumsum(windows[1:] != windows[:-1])
    return number, row


def _hashed(mixed: Hashes, width: int, powers: Hashes, inverses: Hashes) -> Hashes:
    """Hash of a window, by where it starts: the sum of its characters times powers of the base, moved to the first
    power. Unsigned arithmetic wraps around, which is what is wanted."""
    if not len(mixed):
        return mixed
    width = min(width, len(mixed))
    sums = np.zeros(len(mixed) + 1, dtype=np.uint64)
    np.cumsum(mixed * powers[: len(mixed)], out=sums[1:])
    found: Hashes = (sums[width:] - sums[:-width]) * inverses[: len(mixed) - width + 1] + np.uint64(width)
    return found


def _mixed(codes: Hashes) -> Hashes:
    """A code point spread over 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = (codes + np.uint64(1)) * np.uint64(_BASE)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _powers(base: int, count: int) -> Hashes:
    found = np.full(count, base, dtype=np.uint64)
    if count:
        found[0] = 1
    powers: Hashes = np.cumprod(found, dtype=np.uint64)
    return powers
