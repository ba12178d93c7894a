"""What is installed: tables, prompts, licence and notice are in the wheel, and nothing that is not ours."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from llm_inference_router.training.card import ORIGINS

ROOT = Path(__file__).parent.parent
PACKAGE = "llm_inference_router"
DATA = ROOT / "src" / PACKAGE / "learning" / "data"
LARGEST = 6_000_000  # bytes of all that the predictor needs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built by hatchling, as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_it_holds_every_table_and_the_written_prompts(wheel: zipfile.ZipFile) -> None:
    there = {path.name for path in DATA.iterdir()}
    assert there >= {"predictor.msgpack", "embedding.bin", "families.tsv", "abilities.json"}
    wanted = {f"{PACKAGE}/learning/data/{name}" for name in there} | {f"{PACKAGE}/training/prompts.jsonl"}
    assert wanted <= set(wheel.namelist())
    for name in wanted:
        assert wheel.read(name) == (ROOT / "src" / name).read_bytes()


def test_it_holds_the_licence_and_the_notice(wheel: zipfile.ZipFile) -> None:
    for name in ("LICENSE", "NOTICE"):
        (held,) = (one for one in wheel.namelist() if one.endswith(f".dist-info/licenses/{name}"))
        assert wheel.read(held) == (ROOT / name).read_bytes()


def test_the_notice_names_every_work_that_the_tables_are_made_from() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for work in ("sentence-transformers/all-MiniLM-L6-v2", "WordPiece vocabulary of BERT", *ORIGINS):
        assert work in notice


def test_what_the_predictor_needs_is_small(wheel: zipfile.ZipFile) -> None:
    assert sum(one.file_size for one in wheel.infolist() if "/learning/data/" in one.filename) < LARGEST


def test_it_holds_only_the_package(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()} == {PACKAGE}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]
