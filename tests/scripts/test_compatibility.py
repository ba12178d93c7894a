from pathlib import Path

import pytest

from scripts import compatibility
from scripts.compatibility import PAGE, Wrong, claims, page

MARK = '@pytest.mark.proves("chat", "vllm", "tools", stream=True, evidence="scripted")\n'


def found(folder: Path, source: str) -> list[compatibility.Claim]:
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_x.py").write_text(source)
    return claims(tests)


def rows(text: str) -> dict[str, str]:
    """The tables' rows by their first cell."""
    lines = [line.split(" | ", 1) for line in text.splitlines() if line.startswith("| ") and " | " in line]
    return {first.removeprefix("| "): rest.removesuffix(" |") for first, rest in lines}


def test_the_page_is_what_the_tests_claim() -> None:
    assert PAGE.read_text() == page(claims()), "run scripts/compatibility.py"


def test_a_cell_without_its_test_makes_the_page_stale(tmp_path: Path) -> None:
    claimed = page(found(tmp_path, MARK + "def test_a(): ...\n"))
    (tmp_path / "tests" / "test_x.py").write_text("def test_a(): ...\n")
    assert rows(claimed)["tool calls"] == "- / scripted"
    assert "tool calls" not in rows(page(claims(tmp_path / "tests")))


def test_every_claim_names_a_test_that_is_there() -> None:
    for claim in claims():
        file, _, name = claim.test.partition("::")
        assert f"def {name}(" in (PAGE.parents[2] / file).read_text()


def test_lists_claim_every_combination(tmp_path: Path) -> None:
    mark = '@pytest.mark.proves("chat", ["vllm", "tgi"], ["tools", "stop"], evidence="scripted", client="openai")\n'
    made = found(tmp_path, mark + "def test_a(): ...\n")
    assert {(claim.backend, claim.feature) for claim in made} == {
        ("vllm", "tools"),
        ("vllm", "stop"),
        ("tgi", "tools"),
        ("tgi", "stop"),
    }
    assert "| openai | chat | vLLM | tool calls, stop sequences |" in page(made)


def test_the_best_evidence_stands_in_the_cell_and_what_is_lost_is_said(tmp_path: Path) -> None:
    weak = '@pytest.mark.proves("chat", "vllm", "stop", evidence="specification", lost="dropped")\n'
    good = '@pytest.mark.proves("chat", "vllm", "stop", stream=False, evidence="recorded")\n'
    source = "from tests.traces import read\n" + weak + good + "def test_a(): ...\n"
    assert rows(page(found(tmp_path, source)))["stop sequences"] == "recorded (dropped) / specification (dropped)"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (MARK.replace('"vllm"', '"vlm"') + "def test_a(): ...\n", "tests/test_x.py:1: backend 'vlm' is none of"),
        (MARK.replace('"scripted"', '"seen"') + "def test_a(): ...\n", "evidence 'seen' is none of"),
        (MARK.replace('"scripted"', '"recorded"') + "def test_a(): ...\n", "reads nothing from tests.traces"),
        (MARK.replace('"scripted"', '"real"') + "def test_a(): ...\n", "no mark real"),
        (MARK.replace("stream=True", "stream=1 == 1") + "def test_a(): ...\n", "are literals"),
        (MARK.replace("stream=True", "steam=True") + "def test_a(): ...\n", "proves(dialect, backend, feature"),
        (MARK + "def check(): ...\n", "only above a test function"),
        (MARK + "@pytest.mark.skip\ndef test_a(): ...\n", "proves nothing"),
    ],
)
def test_a_marker_that_proves_nothing_is_named_with_its_place(source: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Wrong, match=r"^tests/test_x\.py:1: ") as raised:
        found(tmp_path, source)
    assert said in str(raised.value)
