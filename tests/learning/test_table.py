"""The file of an embedding table."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from llm_inference_router.learning.table import MAGIC, TableError, parse, render

GIVEN = {"a": np.array([1, -2, 0.5, 0], np.float32), "é": np.array([0.01, 0, 0, -0.02], np.float32)}
TAILS = {"b": np.array([-3, 3, 1, 2], np.float32)}
FILE = render(GIVEN, TAILS)


def changed(old: bytes, new: bytes) -> bytes:
    """The file with another text in its header."""
    assert FILE.count(old) == 1
    return FILE.replace(old, new)


def test_what_was_written_is_read() -> None:
    table = parse(FILE)
    assert (table.tokens, table.heads) == (["a", "é", "b"], 2)
    assert table.wordpiece().pieces("ab") == (0, 2)
    np.testing.assert_allclose(table.vectors()[2], TAILS["b"], atol=0.05)


@given(arrays(np.float32, (5, 8), elements=st.floats(-100, 100, width=32)))
def test_a_value_is_off_by_half_a_step_at_most(vectors: NDArray[np.float32]) -> None:
    vectors[0, 0] = 100  # so that there is a scale at all
    table = parse(render({f"t{row}": vector for row, vector in enumerate(vectors)}, {}))
    # Half a code, and what rounding the step itself moves the largest code by.
    allowed = (0.5 * table.steps + 31 * 0.5) * table.unit
    assert (np.abs(table.vectors() - vectors) <= allowed[:, None] * 1.001 + 1e-6).all()


@given(arrays(np.int8, (3, 12), elements=st.integers(-31, 31)))
def test_codes_of_six_bits_come_back_as_they_were(codes: NDArray[np.int8]) -> None:
    codes[:, 0] = 31  # then a row's step is one unit times LARGEST_STEP, and codes are the values
    table = parse(render({"x": codes[0].astype(np.float32)}, {str(n): codes[n].astype(np.float32) for n in (1, 2)}))
    assert (table.codes == codes).all()


def test_the_same_vectors_give_the_same_bytes() -> None:
    assert render(dict(GIVEN), dict(TAILS)) == FILE


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not an embedding table of version 1"),
        (FILE.replace(b"embedding 1", b"embedding 2"), "not an embedding table of version 1"),
        (MAGIC + b'{"dims"' + b" " * 2000 + b"}\n", "header has no end"),
        (MAGIC + b"{}\n", "missing required field `dims`"),
        (changed(b'"dims":4', b'"dims":6'), "multiple of 4"),
        (changed(b'"dims":4', b'"dims":8'), "bytes after its header instead of"),
        (changed(b'"heads":2', b'"heads":4'), "names 3 pieces, 4 heads, for 3 rows"),
        (FILE[:-1], "bytes after its header instead of"),
        (FILE + b"x", "bytes after its header instead of"),
        (FILE[:-1] + bytes([FILE[-1] ^ 1]), "is damaged"),
        (FILE.replace("é".encode(), b"\xff\xff"), "is damaged"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(TableError, match=said):
        parse(data)


def test_a_vocabulary_that_is_no_text_is_refused() -> None:
    body = FILE[FILE.index(b"}\n") + 2 :]
    wrong = body.replace("é".encode(), b"\xff\xff")
    digest, its_digest = (hashlib.sha256(content).hexdigest().encode() for content in (body, wrong))
    with pytest.raises(TableError, match="vocabulary is no UTF-8"):
        parse(FILE.replace(body, wrong).replace(digest, its_digest))
