"""Words of a window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.signals.reading import _WORD, read


@given(st.text(st.characters(max_codepoint=0x7F), max_size=200) | st.text("aB1-_' ’“–…é?.\n", max_size=60))
def test_the_short_ways_find_the_words_that_the_expression_finds(text: str) -> None:
    words = _WORD.findall(text.lower())
    found = read(text)
    assert found.distinct - {"c++"} == set(words)
    assert found.size == len(words)
    assert found.letters == sum(map(len, words))


@pytest.mark.parametrize(
    ("text", "field", "number"),
    [
        ("Is 7 a prime? Are 11 and 7? Say so.", "numbers", 2),
        ("Is 7 a prime? Are 11 and 7? Say so.", "digits", 4),
        ("Is 7 a prime? Are 11 and 7? Say so.", "questions", 2),
        ("One. Two. Three?", "sentences", 4),
        ("x = y + z^2", "symbols", 3),
        (r"\frac{a}{b} √2", "symbols", 3),
        ("def f():\n    return g()", "codelike", 5),
        ("Pick (a) red (b) blue (c) green", "options", 3),
        ("- one\n* two\n3. three", "bullets", 3),
        ("A snake_case name", "blank", False),
        ("The sky is __.", "blank", True),
        ("C++ or C#", "distinct", {"c", "or", "c++"}),
    ],
)
def test_marks(text: str, field: str, number: object) -> None:
    assert getattr(read(text), field) == number
