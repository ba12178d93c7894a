"""scripts/card.py writes the page of a real predictor, and refuses figures of something else."""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from llm_inference_router.learning.artefact import encode, shipped
from llm_inference_router.signals.features import NAMES
from scripts import card
from tests.training.figures import file, interval, scorecard
from tests.training.test_page import CARD


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"routerbench_sub": file(), "ulab_llmrouter": file()}
    written: dict[str, Any] = {
        "left.json": scorecard("leave source out", files),
        "folds.json": scorecard("5 folds", files),
        "cold.json": {"cold_start": {"ulab_llmrouter": {"at": [{"labels": 50, "excess": interval(0.0122)}]}}},
    }
    for name, figures in written.items():
        (tmp_path / name).write_text(json.dumps(figures))
    (tmp_path / "mine.msgpack").write_bytes(encode(structs.replace(shipped(NAMES), card=CARD)))
    (tmp_path / "bare.msgpack").write_bytes(encode(structs.replace(shipped(NAMES), card={})))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["card.py", *arguments, "-o", "CARD.md"])
    return card.main()


def test_it_writes_the_page(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["left.json", "folds.json", "--cold-start", "cold.json", "--predictor", "mine.msgpack"]
    assert run(monkeypatch, *arguments) == 0
    text = Path("CARD.md").read_text(encoding="utf-8")
    assert sha256(Path("mine.msgpack").read_bytes()).hexdigest() in text
    assert "| at most 0.02 | 0.012 [0.012 0.012] | yes |" in text
    assert run(monkeypatch, *arguments) == 0
    assert Path("CARD.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["left.json", "left.json", "--predictor", "mine.msgpack"], "not 'folds'"),
        (["left.json", "cold.json", "--predictor", "mine.msgpack"], "cold.json: has no 'files'"),
        (["left.json", "folds.json", "--cold-start", "left.json", "--predictor", "mine.msgpack"], "no 'cold_start'"),
        (["left.json", "folds.json", "--predictor", "bare.msgpack"], "has no card"),
        (["left.json", "folds.json", "--predictor", "left.json"], "is not a predictor"),
        (["left.json", "nothing.json", "--predictor", "mine.msgpack"], "nothing.json"),
    ],
)
def test_what_does_not_fit_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert said in capsys.readouterr().err
    assert not Path("CARD.md").exists()
