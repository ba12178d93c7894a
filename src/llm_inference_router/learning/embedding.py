"""A text's place in a static embedding: the mean over the pieces of its words, as model2vec takes it.

The shipped table comes from all-MiniLM-L6-v2 (Apache-2.0), distilled by scripts/distil.py.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.learning.table import Table, TableError, parse

SHIPPED = Path(__file__).with_name("data") / "embedding.bin"
_REMEMBERED = 4096  # words; about 3 MB
_LONGEST_REMEMBERED = 32  # characters; longer ones seldom come again


class Embedding:
    """`of` adds whole numbers, so that neither the words' order nor what is remembered changes a bit of the result.
    Threads may share one."""

    __slots__ = ("_rows", "_table", "_width")

    def __init__(self, table: Table, remembered: int = _REMEMBERED) -> None:
        self._table = table
        self._width: int = table.codes.shape[1] + 1
        self._rows = _Rows(table, remembered)

    @property
    def dims(self) -> int:
        return self._width - 1

    @property
    def sha256(self) -> str:
        """Of the table: what is fitted on one table's vectors means nothing on another's."""
        return self._table.sha256

    def of(self, words: Iterable[str]) -> NDArray[np.float32]:
        """(dims,): the mean over the pieces of `words`, each word as often as it is given; zeros where no word has
        a piece. Its length tells how much the pieces agree. Exact for up to 16,000 pieces."""
        sums = self._sums(words)
        pieces = int(sums[-1])
        scale = self._table.unit / pieces if pieces else 0.0
        mean: NDArray[np.float32] = (sums[:-1] * scale).astype(np.float32)
        return mean

    def direction(self, words: Iterable[str]) -> NDArray[np.int32]:
        """(dims,): `of`, but for its length."""
        return self._sums(words)[:-1]

    def _sums(self, words: Iterable[str]) -> NDArray[np.int32]:
        rows = b"".join(map(self._rows.__getitem__, words))
        sums: NDArray[np.int32] = np.add.reduce(
            np.frombuffer(rows, np.int32).reshape(-1, self._width), axis=0, dtype=np.int32
        )
        return sums


class _Rows(dict[str, bytes]):
    """From a word to the int32 sum of its pieces' rows and, behind it, their number. Bytes, since joining them and
    adding up at once is faster than picking rows of a matrix. Two generations bound it: when the young one is full
    it becomes the old one, and a word found there is young again."""

    __slots__ = ("_limit", "_old", "_table", "_wordpiece")

    def __init__(self, table: Table, limit: int) -> None:
        super().__init__()
        self._wordpiece = table.wordpiece()
        self._table = table
        self._limit = limit // 2
        self._old: dict[str, bytes] = {}

    def __missing__(self, word: str) -> bytes:
        row = self._old.get(word)
        if row is None:
            row = self._row(word)
        if len(word) <= _LONGEST_REMEMBERED:
            if len(self) >= self._limit:
                self._old = self.copy()
                self.clear()
            self[word] = row
        return row

    def _row(self, word: str) -> bytes:
        codes, steps = self._table.codes, self._table.steps
        pieces = self._wordpiece.pieces(word)
        total: NDArray[np.int32]
        if len(pieces) == 1:  # most words
            total = codes[pieces[0]] * steps[pieces[0]]
        else:
            chosen = list(pieces)
            total = steps[chosen] @ codes[chosen]
        return total.tobytes() + np.int32(len(pieces)).tobytes()


def load(path: Path) -> Embedding:
    """Raises TableError where the file is missing, unreadable or no table."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}; install the package again") from error
    try:
        return Embedding(parse(data))
    except TableError as error:
        raise TableError(f"{path}: {error}") from error


@cache
def shipped() -> Embedding:
    """The table of the package, read at the first call."""
    return load(SHIPPED)
