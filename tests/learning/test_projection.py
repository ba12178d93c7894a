"""Features and words in, the lens's rows out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.artefact import shipped as shipped_artefact
from llm_inference_router.learning.embedding import SHIPPED, shipped
from llm_inference_router.learning.projection import Projection
from llm_inference_router.learning.table import parse
from llm_inference_router.signals.features import NAMES

TABLE = parse(SHIPPED.read_bytes())
ARTEFACT = shipped_artefact(NAMES)
WORDS = st.lists(st.sampled_from(TABLE.tokens) | st.text(max_size=8), max_size=30)
HAND = st.dictionaries(st.integers(0, len(NAMES) - 1), st.floats(0.0, 1.4), max_size=30)


def projection(remembered: int = 100) -> Projection:
    return Projection(ARTEFACT.table(), ARTEFACT.biases(), shipped(), remembered)


ONE = projection()


@given(HAND, WORDS)
def test_it_is_the_product_with_the_features_and_the_direction_of_the_words(
    hand: dict[int, float], words: list[str]
) -> None:
    x = np.zeros(len(NAMES) + shipped().dims)
    x[list(hand)] = list(hand.values())
    place = shipped().of(words).astype(np.float64)
    x[len(NAMES) :] = place / (np.linalg.norm(place) or 1.0)
    expected = ARTEFACT.table() @ x + ARTEFACT.biases()
    # The place is rounded to 32 bits, the projection is not.
    np.testing.assert_allclose(ONE.rows(hand, words), expected, rtol=1e-5, atol=1e-5)


@given(WORDS)
def test_shares_of_words_lose_nothing(words: list[str]) -> None:
    total = sum((shipped().vector(word).astype(np.int64) for word in words), np.zeros(shipped().dims, np.int64))
    place = total / (np.linalg.norm(total) or 1.0)
    expected = ARTEFACT.table()[:, len(NAMES) :] @ place + ARTEFACT.biases()
    np.testing.assert_allclose(ONE.rows({}, words), expected, rtol=0, atol=1e-12)


@given(WORDS)
def test_memory_changes_no_bit(words: list[str]) -> None:
    forgetful = projection(remembered=2)
    fresh = projection().rows({}, words)
    for remembering in (ONE, forgetful, forgetful):
        assert remembering.rows({}, words) == fresh


@pytest.mark.parametrize("words", [[], ["\U0001f600"], ["", "a" * 101]])
def test_words_without_pieces_leave_the_bias(words: list[str]) -> None:
    assert ONE.rows({}, words) == pytest.approx(ARTEFACT.biases())


def test_threads_may_share_one() -> None:
    shared = projection(remembered=20)
    texts = [[f"word{(start * step) % 97}" for step in range(12)] for start in range(400)]
    expected = [projection().rows({}, words) for words in texts[:97]]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda words: shared.rows({}, words), texts))
    assert found[:97] == expected
