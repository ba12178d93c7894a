"""The lens's product over a text, put together from what each of its features and words adds to it.

    rows = hand weights @ hand features + embedding weights @ (sum of the pieces' vectors / its length) + bias

The second product is linear but for the length, so a word's share of it is worked out once and remembered behind the
sum of its own pieces, which gives the length. What a request touches is then a few kB of its own words and features
instead of the whole matrix, and NumPy is called for little more than `dot`: between two requests the processor's caches
lose both, and that, not the arithmetic, is what a product costs (figures: docs/explain/decisions.md).
"""

from collections.abc import Iterable, Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.learning.embedding import MOST_PIECES, Embedding, Remembered

_REMEMBERED = 4096  # words; about 6 MB
_FLOAT = np.dtype(np.float64)


class Projection:
    """`weights` of shape (rows, hand features + dims), `bias` (rows,). What is remembered does not change a bit of the
    result. Threads may share one."""

    __slots__ = (
        "_bias",
        "_columns",
        "_dims",
        "_embedding",
        "_ones",
        "_rows",
        "_share_at",
        "_weights",
        "_words",
    )

    def __init__(
        self,
        weights: NDArray[np.float64],
        bias: NDArray[np.float64],
        embedding: Embedding,
        remembered: int = _REMEMBERED,
    ) -> None:
        self._embedding = embedding
        self._dims, self._rows = embedding.dims, len(bias)
        self._share_at = self._dims * _FLOAT.itemsize
        hand, weights = np.split(weights, [weights.shape[1] - self._dims], axis=1)
        # Bytes throughout: joined ones are a matrix.
        self._columns = [column.tobytes() for column in hand.T]
        self._bias = bias.tobytes()
        self._weights = np.ascontiguousarray(weights)
        self._ones = np.ones(MOST_PIECES)
        self._words = Remembered(self._word, remembered)

    def rows(self, hand: Mapping[int, float], words: Iterable[str]) -> list[float]:
        """The product, row by row. `hand`: the hand features that are not 0, by their column. At most `MOST_PIECES`
        words."""
        known = list(map(self._words.__getitem__, words))
        shape = len(known), self._dims + self._rows
        sums = self._ones[: shape[0]].dot(np.ndarray(shape, _FLOAT, b"".join(known)))
        vector = sums[: self._dims]
        square = vector.dot(vector)
        # The bias is a feature that every text has.
        columns, values = [self._bias, *map(self._columns.__getitem__, hand)], [1.0, *hand.values()]
        if square:
            columns.append(sums.tobytes()[self._share_at :])
            values.append(1.0 / sqrt(square))
        parts = b"".join(columns)
        product: list[float] = np.array(values).dot(np.ndarray((len(values), self._rows), _FLOAT, parts)).tolist()
        return product

    def _word(self, word: str) -> bytes:
        """The sum of a word's vectors, exact, and behind it their share of the rows."""
        vector = self._embedding.vector(word)
        return np.concatenate([vector, self._weights @ vector]).tobytes()
