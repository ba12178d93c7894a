"""The card inside a predictor's file: what it was made of, the same on every day and machine."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.readers import read_source
from llm_inference_router.learning.embedding import shipped
from llm_inference_router.training.card import ORIGINS, File, card_of, file_of
from llm_inference_router.training.examples import read_prompts, source_of
from llm_inference_router.training.overlap import cleaned
from tests.evaluation import tables
from tests.training import data


def card(folder: Path, *names: str, seed: int = 0) -> dict[str, Any]:
    prompts = data.prompts(folder / "prompts.jsonl")
    files = data.sources(folder, *names)
    rows: dict[str, list[Row]] = {path.stem: read_source(path) for path in files}
    clean = cleaned(rows, read_prompts(prompts))
    sources = [source_of(name, kept) for name, kept in clean.rows.items()]
    return card_of({path.stem: file_of(path) for path in files}, file_of(prompts), sources, clean, 36, seed)


def test_sources_stand_by_name_with_files_counts_and_kinds(tmp_path: Path) -> None:
    found = card(tmp_path, "two", "one", seed=5)
    assert found["seed"] == 5
    assert found["embedding"] == shipped().sha256
    assert list(found["sources"]) == ["one", "two"]
    assert found["sources"]["two"] == {
        "files": {"two.jsonl": sha256((tmp_path / "two.jsonl").read_bytes()).hexdigest()},
        "from": None,
        "licence": None,
        "rows": 60,
        "dropped": 0,
        "models": 3,
        "scores": 180,
        "kinds": ["made up"],
    }
    assert found["written"]["rows"] == 36
    assert found["written"]["shared"] == []


def test_the_same_data_give_the_same_card_wherever_they_lie(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    assert card(tmp_path / "here", "one", "two") == card(tmp_path / "there", "one", "two")


@pytest.mark.parametrize("name", ORIGINS)
def test_public_sources_are_named_with_their_licence(tmp_path: Path, name: str) -> None:
    found = card(tmp_path, name)["sources"][name]
    assert found["from"] == ORIGINS[name].project
    assert found["licence"] in {"Apache-2.0", "MIT"}


def test_a_folder_is_its_data_files_and_nothing_else_that_lies_there(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "readme.txt", ".hidden"):
        tables.write(tmp_path / name, [name])
    digests = tuple(sha256(f"{name}\n".encode()).hexdigest() for name in ("a.csv", "b.csv"))
    assert file_of(tmp_path) == File(("a.csv", "b.csv"), digests)
    assert file_of(tmp_path / "a.csv") == File(("a.csv",), digests[:1])


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"without \.csv, \.json or \.jsonl"):
        file_of(tmp_path)
