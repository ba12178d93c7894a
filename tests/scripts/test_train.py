"""scripts/train.py makes the shipped file anew from what its card names, and says what differs where it does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from llm_inference_router.learning.artefact import Artefact, encode, load
from llm_inference_router.signals.features import NAMES
from scripts import train
from tests.evaluation import tables
from tests.training import data

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sources and the predictor of them, as the command made it."""
    folder = tmp_path_factory.mktemp("made")
    files = data.sources(folder, "one", "two")
    command = [sys.executable, "-m", "llm_inference_router.cli.main", "train", *map(str, files)]
    subprocess.run([*command, "-o", str(folder / "mine.msgpack")], check=True, capture_output=True)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), str(folder)]
    return subprocess.run(
        [*command, "--predictor", str(folder / "mine.msgpack"), *arguments], capture_output=True, text=True, check=False
    )


def changed(path: Path, **parts: Any) -> None:
    path.write_bytes(encode(structs.replace(load(path, NAMES), **parts)))


def test_the_same_files_give_the_same_bytes(here: Path) -> None:
    done = run(here, "--check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "the same bytes as mine.msgpack"


def test_a_file_that_differs_is_left_alone_and_its_parts_are_named_until_it_is_made_anew(here: Path) -> None:
    file = here / "mine.msgpack"
    good = file.read_bytes()
    bias = np.frombuffer(load(file, NAMES).bias, "<f4") + np.array(0.5, "<f4")
    changed(file, bias=bias.astype("<f4").tobytes())
    bad = file.read_bytes()
    done = run(here, "--check")
    assert done.returncode == 1
    assert f"  bias: {len(bias)} of {len(bias)} numbers, by 0.5000 at most" in done.stdout
    assert "weights" not in done.stdout
    assert file.read_bytes() == bad
    assert run(here).returncode == 0
    assert file.read_bytes() == good


def test_other_data_are_refused_by_the_check(here: Path) -> None:
    tables.write(here / "one.jsonl", tables.lines(60, 9, prefix="other"))
    done = run(here, "--check")
    assert done.returncode == 2
    assert "one.jsonl: sha256" in done.stderr
    assert "but the card names" in done.stderr
    assert "two.jsonl" not in done.stderr
    assert "nothing can be compared" in done.stderr
    assert done.stdout == ""


def test_files_that_are_not_there_are_named(here: Path) -> None:
    for name in ("one", "two"):
        (here / f"{name}.jsonl").unlink()
    done = run(here)
    assert done.returncode == 2
    assert [line.rpartition("/")[2] for line in done.stderr.splitlines()] == [
        "one.jsonl: is missing",
        "two.jsonl: is missing",
    ]


def test_a_predictor_without_a_card_does_not_say_what_it_was_made_of(here: Path) -> None:
    changed(here / "mine.msgpack", card={})
    done = run(here, "--check")
    assert done.returncode == 2
    assert "has no card" in done.stderr


def test_other_prompts_than_the_cards_are_refused_by_the_check(here: Path) -> None:
    card: Any = json.loads(json.dumps(load(here / "mine.msgpack", NAMES).card))
    card["written"]["files"] = {"prompts.jsonl": "0" * 64}
    changed(here / "mine.msgpack", card=card)
    done = run(here, "--check")
    assert done.returncode == 2
    assert "prompts.jsonl: sha256" in done.stderr


def test_data_that_training_refuses_end_with_its_exit_code_and_replace_nothing(here: Path) -> None:
    before = (here / "mine.msgpack").read_bytes()
    tables.write(here / "one.jsonl", ['{"id": "a"}'])
    done = run(here)
    assert done.returncode == 1
    assert "one.jsonl:1: needs" in done.stderr
    assert (here / "mine.msgpack").read_bytes() == before


def test_maps_that_differ_are_told_by_their_keys(here: Path) -> None:
    artefact: Artefact = load(here / "mine.msgpack", NAMES)
    other = structs.replace(
        artefact, labelled={"one": artefact.labelled["one"]}, card=dict(artefact.card) | {"seed": 5}
    )
    assert train.differences(artefact, other) == ["labelled: two", "card: seed"]
    assert train.differences(artefact, artefact) == ["the same content, written in another order"]
