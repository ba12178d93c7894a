"""What two sources share is learned once, and written prompts that a source holds are named."""

import pytest

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.training.examples import Prompt
from llm_inference_router.training.overlap import cleaned
from llm_inference_router.types import Message

PASSAGE = "the quick brown fox jumps over the lazy dog while seven wizards look on and say nothing about it at all"


def row(name: str, text: str) -> Row:
    return Row(name, (Message("user", text),), "", "", {"m": 1.0}, {}, {})


def own(*names: str) -> list[Row]:
    """Rows that share nothing."""
    return [row(name, f"{name} " * 30) for name in names]


def ids(rows: object) -> list[str]:
    assert isinstance(rows, list)
    return [one.id for one in rows]


def test_the_earlier_source_by_name_keeps_what_is_shared() -> None:
    first = [*own("a", "b", "c"), row("x", f"Question: {PASSAGE}?")]
    later = [row("y", f"{PASSAGE.upper()}!"), *own("d", "e", "f")]
    for sources in ({"one": first, "two": later}, {"two": later, "one": first}):
        found = cleaned(sources)
        assert ids(found.rows["one"]) == ["a", "b", "c", "x"]
        assert ids(found.rows["two"]) == ["d", "e", "f"]
        assert found.dropped == {"one": 0, "two": 1}


def test_within_a_source_nothing_is_dropped() -> None:
    rows = [row("x", PASSAGE), row("y", PASSAGE), *own("a")]
    assert cleaned({"one": rows}).dropped == {"one": 0}


def test_less_than_sixty_characters_are_not_shared() -> None:
    start = "".join(PASSAGE.split())[:59]
    first, later = row("x", f"first {start} omega"), row("y", f"later {start} gamma")
    assert cleaned({"one": [first, *own("a", "b")], "two": [later, *own("c", "d")]}).dropped["two"] == 0
    longer = "".join(PASSAGE.split())[:60]
    first, later = row("x", f"first {longer} omega"), row("y", f"later {longer} gamma")
    assert cleaned({"one": [first, *own("a", "b")], "two": [later, *own("c", "d")]}).dropped["two"] == 1


def test_written_prompts_that_a_source_holds_are_named_and_stay() -> None:
    prompts = [Prompt("chat", 0.1, "mine", text=PASSAGE), Prompt("chat", 0.1, "other", text="Good morning!")]
    found = cleaned({"one": [row("x", PASSAGE), *own("a", "b")]}, prompts)
    assert found.written == ("mine",)
    assert found.dropped == {"one": 0}


def test_a_source_of_which_nothing_is_left_is_refused() -> None:
    rows = [row("x", PASSAGE), row("y", PASSAGE[10:])]
    with pytest.raises(DataError, match="two: 2 of 2 prompts are in earlier sources too; leave this one out"):
        cleaned({"one": rows, "two": rows})
