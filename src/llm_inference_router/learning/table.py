"""The file of a static embedding: a vocabulary and one row of small integers for each of its pieces.

    llm-inference-router embedding 1
    {"dims": 128, "heads": 23694, "rows": 29186, "sha256": "...", "unit": 3.0e-05, "vocabulary": 210000}
    vocabulary   UTF-8, one piece a line; the first `heads` begin a word, the others go on with one
    steps        rows x uint16, little endian
    codes        rows x dims x 6 bits

A value is `code x step x unit`: codes lie in -31..31, each row has its own whole-numbered step, and `unit` is
shared, so sums of rows are exact in integers. Six bits with a step for each row leave room for 128 dimensions and
the whole vocabulary: the mean cosine with unrounded rows is 0.9995 (scripts/distil.py prints it), and the same of
whole texts is higher. `sha256` covers all that follows the header.
"""

import hashlib
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from llm_inference_router.learning.wordpiece import WordPiece

MAGIC = b"llm-inference-router embedding 1\n"
_LARGEST_STEP = 4095  # so that 16,000 pieces can be added up in 32 bits
_LARGEST_CODE = 31
_HEADER_BYTES = 1024
_Count = Annotated[int, Meta(ge=1, le=1 << 20)]


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    dims: Annotated[int, Meta(ge=4, le=1024, multiple_of=4)]
    heads: _Count
    rows: _Count
    sha256: str
    unit: Annotated[float, Meta(gt=0)]
    vocabulary: Annotated[int, Meta(ge=1, le=1 << 24)]


class TableError(ValueError):
    """A file that is no embedding table, or a damaged one."""


class Table(Struct, frozen=True):
    """`tokens`: the rows' pieces, of which the first `heads` begin a word. `codes`: (rows, dims). `steps`: (rows,).
    `sha256`: of the content, the name under which heads trained on this table know it."""

    tokens: list[str]
    heads: int
    codes: NDArray[np.int8]
    steps: NDArray[np.int32]
    unit: float
    sha256: str

    def wordpiece(self) -> WordPiece:
        """It gives rows as ids."""
        heads = dict(zip(self.tokens[: self.heads], range(self.heads), strict=True))
        return WordPiece(heads, dict(zip(self.tokens[self.heads :], range(self.heads, len(self.tokens)), strict=True)))

    def vectors(self) -> NDArray[np.float32]:
        """(rows, dims)."""
        values = np.multiply(self.codes, self.steps[:, None], dtype=np.int32) * self.unit
        return values.astype(np.float32)


def parse(data: bytes) -> Table:
    """Raises TableError, which says what is wrong with `data`."""
    if not data.startswith(MAGIC):
        raise TableError(f"not an embedding table of version 1: begins with {data[:40]!r} instead of {MAGIC!r}")
    end = data.find(b"\n", len(MAGIC), len(MAGIC) + _HEADER_BYTES)
    if end < 0:
        raise TableError("the embedding table's header has no end")
    try:
        header = msgspec.json.decode(data[len(MAGIC) : end], type=_Header)
    except msgspec.DecodeError as error:
        raise TableError(f"the embedding table's header cannot be read: {error}") from error
    body = memoryview(data)[end + 1 :]
    steps_at = header.vocabulary
    codes_at = steps_at + 2 * header.rows
    width = header.dims * 3 // 4
    size = codes_at + header.rows * width
    if len(body) != size:
        raise TableError(f"the embedding table has {len(body)} bytes after its header instead of {size}")
    digest = hashlib.sha256(body).hexdigest()
    if digest != header.sha256:
        raise TableError(f"the embedding table is damaged: its content's sha256 is {digest}, not {header.sha256}")
    try:
        tokens = str(body[:steps_at], "utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TableError(f"the embedding table's vocabulary is no UTF-8: {error}") from error
    if len(tokens) != header.rows or header.heads > header.rows:
        raise TableError(
            f"the embedding table names {len(tokens)} pieces, {header.heads} heads, for {header.rows} rows"
        )
    steps = np.frombuffer(body[steps_at:codes_at], "<u2").astype(np.int32)
    packed = np.frombuffer(body[codes_at:], np.uint8).reshape(header.rows, width)
    return Table(tokens, header.heads, _unpacked(packed), steps, header.unit, digest)


def render(heads: dict[str, NDArray[np.float32]], tails: dict[str, NDArray[np.float32]]) -> bytes:
    """The file of the vectors of `heads` and `tails` by text, all of one length, which 4 divides. The same vectors
    give the same bytes."""
    vectors = np.stack([*heads.values(), *tails.values()]).astype(np.float64)
    rows, dims = vectors.shape
    vocabulary = "\n".join([*heads, *tails]).encode()
    largest = np.abs(vectors).max(axis=1) / _LARGEST_CODE
    unit = float(np.float32(largest.max() / _LARGEST_STEP))
    steps = np.clip(np.rint(largest / unit), 1, _LARGEST_STEP)
    codes = np.clip(np.rint(vectors / (steps * unit)[:, None]), -_LARGEST_CODE, _LARGEST_CODE).astype(np.int8)
    body = vocabulary + steps.astype("<u2").tobytes() + _packed(codes).tobytes()
    header = _Header(dims, len(heads), rows, hashlib.sha256(body).hexdigest(), unit, len(vocabulary))
    return b"".join((MAGIC, msgspec.json.encode(header), b"\n", body))


def _packed(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Four columns in three bytes: three quarters of the columns lie in the low six bits, the fourth above them."""
    shifted = (codes + (_LARGEST_CODE + 1)).astype(np.uint8)
    quarter = codes.shape[1] // 4
    last = shifted[:, 3 * quarter :]
    above = np.concatenate([last & 3, last >> 2 & 3, last >> 4], axis=1)
    return shifted[:, : 3 * quarter] | (above << 6).astype(np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    quarter = packed.shape[1] // 3
    codes = np.empty((len(packed), 4 * quarter), np.uint8)
    np.bitwise_and(packed, 63, out=codes[:, : 3 * quarter])
    above = packed >> 6
    last = codes[:, 3 * quarter :]
    np.left_shift(above[:, 2 * quarter :], 4, out=last)
    last |= above[:, quarter : 2 * quarter] << 2
    last |= above[:, :quarter]
    signed = codes.view(np.int8)
    signed -= _LARGEST_CODE + 1
    return signed
