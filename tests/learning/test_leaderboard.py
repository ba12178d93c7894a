"""The table of public results: readable, within range, and every number with a source."""

import re

import pytest

from llm_inference_router.learning.leaderboard import BENCHMARKS, Family, parse, table

WANTED = 150
SATURATED = 99.9


def test_the_table_is_wide_enough() -> None:
    assert len(table().families) >= WANTED
    assert len({family.developer for family in table().families}) >= 20


def test_names_are_unique() -> None:
    names = [family.name for family in table().families]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", table().families, ids=lambda family: family.name)
def test_every_cell_is_within_its_range(family: Family) -> None:
    assert re.fullmatch(r"20(2[2-9])-(0[1-9]|1[0-2])", family.released)
    assert family.developer
    assert family.total is None or 0.1 <= family.total <= 2000
    assert family.active is None or (family.total is not None and family.active < family.total)
    for result in family.results:
        if result.benchmark.startswith("elo"):
            assert 800 <= result.value <= 1600, result
        else:
            assert 0.5 <= result.value <= SATURATED, result


@pytest.mark.parametrize("family", table().families, ids=lambda family: family.name)
def test_no_source_says_a_number_twice(family: Family) -> None:
    said = [(result.source, result.benchmark) for result in family.results]
    assert len(said) == len(set(said))


def test_every_source_is_listed_and_used() -> None:
    used = {result.source for family in table().families for result in family.results}
    assert used == set(table().sources)


def test_sources_have_a_date_a_title_and_an_address() -> None:
    for source in table().sources.values():
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", source.date), source
        assert len(source.title) > 5, source
        assert source.address.startswith(("https://", "arXiv:")), source


def test_results_are_not_older_than_models() -> None:
    for family in table().families:
        for result in family.results:
            assert table().sources[result.source].date >= family.released[:4], (family.name, result)


def test_every_benchmark_has_enough_numbers_to_be_fitted() -> None:
    seen = [result.benchmark for family in table().families for result in family.results]
    assert {name: seen.count(name) for name in BENCHMARKS if seen.count(name) < 15} == {}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("model\ta-1b\t\tA\t1\t\t2024-01\tx: mmlu much", "line 1: could not convert string to float: 'much'"),
        ("model\ta-1b\t\tA\t1\t\t2024-01\tx: chess 10", "line 1: 'chess' is no benchmark of the table"),
        ("model\ta-1b\t\tA\t1\t\t2024-01", "line 1: a source has 4 cells and a model 7, this has 6"),
        ("# note\nrow\tb", "line 2: a source has 4 cells"),
    ],
)
def test_a_bad_line_is_named(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse(line)


def test_a_tilde_marks_what_was_recalled() -> None:
    text = "source\tx\t2024-01\tTitle\thttps://x\nmodel\ta-1b\t\tA\t1\t\t2024-01\t~x: mmlu 50, gsm8k 20; x: math 3"
    (family,) = parse(text).families
    assert [(result.value, result.source, result.recalled) for result in family.results] == [
        (50, "x", True),
        (20, "x", True),
        (3, "x", False),
    ]
