"""A text's place in a static embedding: the mean over the pieces of its words, as model2vec takes it.

The shipped table comes from all-MiniLM-L6-v2 (Apache-2.0), distilled by scripts/distil.py.
"""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.learning.table import Table, TableError, parse

SHIPPED = Path(__file__).with_name("data") / "embedding.bin"
MOST_PIECES = 16_000  # whose sum 32 bits hold
_REMEMBERED = 4096  # words; about 3 MB
_LONGEST_REMEMBERED = 32  # characters; longer ones seldom come again

_T = TypeVar("_T")


class Embedding:
    """`of` adds whole numbers, so that neither the words' order nor what is remembered changes a bit of the result.
    Threads may share one."""

    __slots__ = ("_rows", "_table", "_width", "_wordpiece")

    def __init__(self, table: Table, remembered: int = _REMEMBERED) -> None:
        self._table = table
        self._wordpiece = table.wordpiece()
        self._width: int = table.codes.shape[1] + 1
        self._rows = Remembered(self._row, remembered)

    @property
    def dims(self) -> int:
        return self._width - 1

    @property
    def sha256(self) -> str:
        """Of the table: what is fitted on one table's vectors means nothing on another's."""
        return self._table.sha256

    def of(self, words: Iterable[str]) -> NDArray[np.float32]:
        """(dims,): the mean over the pieces of `words`, each word as often as it is given; zeros where no word has
        a piece. Its length tells how much the pieces agree. Exact for up to `MOST_PIECES` pieces."""
        rows = b"".join(map(self._rows.__getitem__, words))
        sums: NDArray[np.int32] = np.add.reduce(
            np.frombuffer(rows, np.int32).reshape(-1, self._width), axis=0, dtype=np.int32
        )
        pieces = int(sums[-1])
        scale = self._table.unit / pieces if pieces else 0.0
        mean: NDArray[np.float32] = (sums[:-1] * scale).astype(np.float32)
        return mean

    def vector(self, word: str) -> NDArray[np.int32]:
        """(dims,): the sum of a word's pieces, in the table's units. Nothing of it is remembered."""
        return self._sum(self._wordpiece.pieces(word))

    def _row(self, word: str) -> bytes:
        """The sum of a word's pieces and, behind it, their number. Bytes, since joining them and adding up at once is
        faster than picking rows of a matrix."""
        pieces = self._wordpiece.pieces(word)
        return self._sum(pieces).tobytes() + np.int32(len(pieces)).tobytes()

    def _sum(self, pieces: tuple[int, ...]) -> NDArray[np.int32]:
        codes, steps = self._table.codes, self._table.steps
        total: NDArray[np.int32]
        if len(pieces) == 1:  # most words
            total = codes[pieces[0]] * steps[pieces[0]]
        else:
            chosen = list(pieces)
            total = steps[chosen] @ codes[chosen]
        return total


class Remembered(dict[str, _T]):
    """What `make` makes of a word. Two generations bound it: when the young one is full it becomes the old one, and a
    word found there is young again."""

    __slots__ = ("_limit", "_make", "_old")

    def __init__(self, make: Callable[[str], _T], limit: int) -> None:
        super().__init__()
        self._make = make
        self._limit = limit // 2
        self._old: dict[str, _T] = {}

    def __missing__(self, word: str) -> _T:
        found = self._old.get(word)
        if found is None:
            found = self._make(word)
        if len(word) <= _LONGEST_REMEMBERED:
            if len(self) >= self._limit:
                self._old = self.copy()
                self.clear()
            self[word] = found
        return found


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
