"""Words in, one vector out."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.embedding import SHIPPED, Embedding, load, shipped
from llm_inference_router.learning.table import TableError, parse
from llm_inference_router.signals.reading import read

TABLE = parse(SHIPPED.read_bytes())
VOCABULARY = st.lists(st.sampled_from(TABLE.tokens) | st.text(max_size=8), max_size=30)


def cosine(first: str, second: str) -> float:
    one, two = (shipped().of(read(text).distinct) for text in (first, second))
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


def test_near_in_meaning_is_near_in_space() -> None:
    asked = "Write a Python function that sorts a list of numbers."
    code, cooking = "Implement quicksort in Java for an integer array.", "How long should I boil potatoes for a salad?"
    assert cosine(asked, code) > cosine(asked, cooking) + 0.2
    assert cosine(cooking, "What is a good recipe for soup?") > cosine(cooking, code) + 0.2


@given(VOCABULARY)
def test_of_is_the_mean_over_the_pieces(words: list[str]) -> None:
    wordpiece = TABLE.wordpiece()
    pieces = [piece for word in words for piece in wordpiece.pieces(word)]
    rows = TABLE.codes[pieces].astype(np.float64) * TABLE.steps[pieces, None] * TABLE.unit
    expected = rows.mean(axis=0) if pieces else np.zeros(TABLE.codes.shape[1])
    found = shipped().of(words)
    assert found.shape == (shipped().dims,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@given(VOCABULARY, st.randoms(use_true_random=False))
def test_neither_order_nor_memory_changes_a_bit(words: list[str], shuffle: random.Random) -> None:
    shuffled = shuffle.sample(words, len(words))
    forgetful = Embedding(TABLE, remembered=2)
    fresh = Embedding(TABLE).of(words)
    for remembering in (shipped(), forgetful, forgetful):
        assert remembering.of(shuffled).tobytes() == fresh.tobytes()


@pytest.mark.parametrize("words", [[], ["\U0001f600"], ["", "a" * 101]])
def test_words_without_pieces_are_the_origin(words: list[str]) -> None:
    assert not shipped().of(words).any()


def test_memory_is_bounded() -> None:
    bounded = Embedding(TABLE, remembered=100)
    for number in range(1000):
        bounded.of([f"w{number}", f"{number}" * 40])
    assert len(bounded._rows) + len(bounded._rows._old) <= 100
    assert max(map(len, bounded._rows)) <= 32


def test_threads_may_share_one() -> None:
    shared = Embedding(TABLE, remembered=20)
    texts = [[f"word{(start * step) % 97}" for step in range(12)] for start in range(400)]
    expected = [Embedding(TABLE).of(words).tobytes() for words in texts[:97]]
    with ThreadPoolExecutor(4) as pool:
        found = [vector.tobytes() for vector in pool.map(shared.of, texts)]
    assert found[:97] == expected


def test_the_shipped_table_is_read_once_and_small() -> None:
    assert shipped() is shipped()
    assert shipped().sha256 == TABLE.sha256
    assert shipped().dims <= 128
    assert SHIPPED.stat().st_size <= 3_600_000
    largest = int(np.abs(TABLE.codes.astype(np.int64) * TABLE.steps[:, None]).max())
    assert 16_000 * largest < 2**31  # the pieces that a sum in 32 bits is promised for


def test_every_piece_has_a_vector() -> None:
    assert len(TABLE.tokens) == len(TABLE.codes) == len(TABLE.steps)
    assert TABLE.codes.any(axis=1).all()
    heads, tails = TABLE.tokens[: TABLE.heads], TABLE.tokens[TABLE.heads :]
    assert len(set(heads)) == len(heads)
    assert len(set(tails)) == len(tails)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.bin: No such file"):
        load(tmp_path / "none.bin")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.bin"
    path.write_bytes(SHIPPED.read_bytes()[:100_000])
    with pytest.raises(TableError, match=r"half\.bin: the embedding table has"):
        load(path)
