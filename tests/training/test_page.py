"""The card as a page: figures as measured, controls beside them, and nothing where they do not fit."""

import re
from typing import Any

import pytest

from llm_inference_router.training.aims import AIMS
from llm_inference_router.training.page import page_of
from tests.training.figures import file, interval, scorecard

CARD: dict[str, Any] = {
    "format": 1,
    "package": "9.9.9",
    "seed": 0,
    "embedding": "e" * 64,
    "sources": {
        name: {"files": {f"{name}.jsonl": digit * 64}, "from": origin, "licence": licence, "rows": 1234, "dropped": 5,
               "models": 3, "scores": 3702, "kinds": []}
        for name, digit, origin, licence in (
            ("routerbench_sub", "a", "RouterBench, a part", "MIT"), ("ulab_llmrouter", "b", None, None),
        )
    },
    "written": {"files": {"prompts.jsonl": "c" * 64}, "rows": 1940, "shared": []},
}  # fmt: skip


def page(card: dict[str, Any] = CARD, left_out: dict[str, Any] | None = None, **of_ulab: Any) -> str:
    files = {"routerbench_sub": file(apgr=0.52, aiq=0.85), "ulab_llmrouter": file(**of_ulab)}
    left_out = left_out or scorecard("leave source out", files, ece=0.2)
    return page_of(card, left_out, scorecard("5 folds", files), 54321, "d" * 64)


def section(text: str, title: str) -> list[list[str]]:
    """The cells of a section's tables."""
    body = next(part for part in text.split("\n## ") if part.startswith(title))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines() if line.startswith("| ")]


def test_it_names_the_file_its_sources_and_their_hashes() -> None:
    text = page()
    assert f"File: 54,321 bytes, sha256 `{'d' * 64}`; package 9.9.9, format 1." in text
    rows = section(text, "Sources")
    assert ["routerbench_sub", "RouterBench, a part", "MIT", "1,234", "5", "3", "3,702"] in rows
    assert ["ulab_llmrouter", "not known to this version", "the owner's", "1,234", "5", "3", "3,702"] in rows
    assert ["routerbench_sub.jsonl", f"`{'a' * 64}`"] in rows
    assert ["prompts.jsonl", f"`{'c' * 64}`"] in rows


def test_figures_stand_beside_their_controls() -> None:
    text = page()
    left_out = section(text, "Source left out")
    half = "0.500 [0.500 0.500]"
    assert left_out[0] == ["source", "APGR", "length only", "shuffled", "oracle", "ECE"]
    assert ["routerbench_sub", "0.520 [0.520 0.520]", half, half, half, "0.020 [0.020 0.020]"] in left_out
    assert ["mean", "0.560 [0.560 0.560]", half, half, half, "0.200 [0.200 0.200]"] in left_out
    folds = section(text, "In domain")
    assert ["routerbench_sub", "0.850 [0.850 0.850]", "0.800 [0.800 0.800]", half, half, half, "1.0%",
            "0.020 [0.020 0.020]"] in folds  # fmt: skip
    assert sum(row[1] == "large" for row in folds) == 2
    assert not any(row[1] == "small" for row in folds)
    assert text.count("- routerbench_sub: a note") == 2


def test_a_quality_that_is_never_reached_is_said() -> None:
    rows = section(page(ratio=None), "In domain")
    assert any(row[:2] == ["ulab_llmrouter", "large"] and row[3] == "never reached" for row in rows)


def test_an_aim_that_is_missed_says_why_and_one_that_is_reached_does_not() -> None:
    text = page(best=0.6)
    rows = {row[0]: row[1:] for row in section(text, "What was aimed at")}
    assert len(rows) == len(AIMS) + 1
    for aim in AIMS:
        missed = rows[aim.name][-1] == "**no**"
        assert missed == (f"- {aim.name}: not reached. {aim.why}" in text)
    assert [name for name, row in rows.items() if row[-1] == "**no**"] == [
        "In domain, ulab_llmrouter: best quality at any cost",
        "Source left out: calibration error (ECE), mean of the files",
    ]
    assert [row for row in rows.values() if row[-1] == "-"] == [["at most 0.02", "not measured", "-"]]


def test_a_file_without_costs_and_pair_leaves_gaps_not_errors() -> None:
    bare = file() | {"pair": None, "money": None}
    files = {"routerbench_sub": file(), "ulab_llmrouter": bare}
    left_out = scorecard("leave source out", files) | {"mean": {"apgr": None, "ece": interval(0.1)}}
    text = page_of(CARD, left_out, scorecard("5 folds", files), 1, "d" * 64)
    assert ["ulab_llmrouter", "-", "-", "-", "-", "0.020 [0.020 0.020]"] in section(text, "Source left out")


def test_written_prompts_that_a_source_holds_are_named() -> None:
    shown = page(CARD | {"written": CARD["written"] | {"shared": ["code-007"]}})
    assert "Written prompts that share as much with a source: code-007." in shown


def test_lines_of_prose_and_tables_are_whole() -> None:
    for line in page().splitlines():
        assert "None" not in line
        assert not re.search(r"\{\w*\}", line)
        if line.startswith("|"):
            assert line.endswith("|")


@pytest.mark.parametrize(
    ("card", "left_out", "said"),
    [
        ({}, None, "has no card"),
        (CARD, scorecard("5 folds", {}), "figures of the mode '5 folds', not 'leave source out'"),
        (CARD, scorecard("leave source out", {"other": file()}), "figures of other, but the predictor was trained on"),
    ],
)
def test_figures_of_something_else_are_refused(card: dict[str, Any], left_out: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        page(card, left_out)
