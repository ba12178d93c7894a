"""The script that makes the table: what of it runs without the transformer."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from llm_inference_router.learning.embedding import SHIPPED
from llm_inference_router.learning.table import parse

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "distil.py"


@pytest.fixture(scope="module")
def distil() -> ModuleType:
    spec = spec_from_file_location("distil", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pieces_that_no_text_can_reach_are_left_out(distil: ModuleType) -> None:
    tokens = ["[PAD]", "[UNK]", "!", "#", "##", "the", "中", "é", "##s", "##!", "##中", "naïve", "km²"]
    heads, tails = distil.reachable(tokens, np.arange(len(tokens), dtype=np.float32)[:, None])
    assert list(heads) == ["!", "#", "the", "中", "km²"]
    assert tails == {"s": [8]}


def test_columns_of_the_other_sign_are_the_same_table(distil: ModuleType) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    flipped = rows * np.where(np.arange(8) % 2, -1, 1).astype(np.float32)
    assert distil.cosines(flipped, rows).min() > distil.TOLERANCE
    assert distil.cosines(np.roll(rows, 1, axis=1), rows).mean() < 0.5


def test_random_words_are_the_same_each_time_and_of_many_kinds(distil: ModuleType) -> None:
    table = parse(SHIPPED.read_bytes())
    words = distil.words(300, 7, table)
    assert words == distil.words(300, 7, table)
    assert len(set(words)) > 280
    assert any(word.isascii() for word in words)
    assert sum(not word.isascii() for word in words) > 100


def test_a_wrong_piece_is_reported(distil: ModuleType) -> None:
    table = parse(SHIPPED.read_bytes())
    assert distil.disagreements(table, ["distils"], [["di", "##sti", "##ls"]]) == []
    assert distil.disagreements(table, ["distils"], [["dist", "##ils"]]) == [
        "'distils': ['di', '##sti', '##ls'] instead of ['dist', '##ils']"
    ]
