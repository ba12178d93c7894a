"""A word's pieces."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.embedding import SHIPPED
from llm_inference_router.learning.table import Table, parse
from llm_inference_router.learning.wordpiece import LONGEST_WORD, WordPiece, parts

# [text, the pieces that the tokenizers library finds in it]; scripts/distil.py records them.
RECORDED = json.loads((Path(__file__).parent / "wordpiece.json").read_text(encoding="utf-8"))
SMALL = WordPiece({"a": 0, "un": 1, "able": 2, "-": 3, "中": 4}, {"able": 5, "b": 6, "a": 7, "ab": 8})


@pytest.fixture(scope="module")
def table() -> Table:
    return parse(SHIPPED.read_bytes())


def test_pieces_are_those_of_the_tokenizers_library(table: Table) -> None:
    wordpiece = table.wordpiece()
    names = [*table.tokens[: table.heads], *("##" + tail for tail in table.tokens[table.heads :])]
    assert len(RECORDED) > 500
    found = {text: [names[row] for row in wordpiece.pieces(text)] for text, _ in RECORDED}
    assert {text: pieces for text, pieces in found.items() if pieces != dict(RECORDED)[text]} == {}


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("unable", (1, 5)),
        ("UNABLE", (1, 5)),
        ("able", (2,)),
        ("aab", (0, 8)),  # the longest tail, not the first that fits
        ("á\u0301a", (0, 7)),
        ("a-able", (0, 3, 2)),
        ("a中a", (0, 4, 0)),
        ("unx", ()),  # one unknown letter makes the part unknown
        ("unx-able", (3, 2)),  # but not its neighbours
        ("b", ()),  # known only inside a word
        ("", ()),
        (" \t", ()),
        ("a\u200da\x00", (0, 7)),
    ],
)
def test_longest_match_first(word: str, pieces: tuple[int, ...]) -> None:
    assert SMALL.pieces(word) == pieces


def test_words_beyond_the_limit_of_bert_are_unknown() -> None:
    assert len(SMALL.pieces("a" * LONGEST_WORD)) == LONGEST_WORD
    assert SMALL.pieces("a" * (LONGEST_WORD + 1)) == ()


def test_a_vocabulary_without_pieces_knows_no_word() -> None:
    assert WordPiece({}, {}).pieces("word") == ()


@given(st.text(max_size=40))
def test_parts_hold_neither_space_nor_capitals_and_are_stable(text: str) -> None:
    found = parts(text)
    assert all(part and not any(map(str.isspace, part)) for part in found)
    assert parts(" ".join(found)) == found


@given(st.text("abcABC123", min_size=1, max_size=20))
def test_plain_words_take_a_short_way_to_the_same_pieces(word: str) -> None:
    wordpiece = WordPiece(dict(zip("abc12", range(5), strict=True)), {"a": 5, "b": 6, "c1": 7})
    assert wordpiece.pieces(word) == wordpiece.pieces(f" {word} ")
