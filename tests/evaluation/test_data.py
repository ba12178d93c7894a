"""Reading evaluation data, and naming what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm_inference_router.evaluation.data import DataError, parse_rows, read_rows


def line(identity: str = "a", **fields: Any) -> str:
    row: dict[str, Any] = {"id": identity, "prompt": "Hi", "task": "chat", "scores": {"m": 1, "n": 0.5}}
    row.update(fields)
    return json.dumps({key: value for key, value in row.items() if value is not None})


def test_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    cost, tokens = {"m": 0.1, "n": None}, {"m": 7, "n": None}
    path.write_text(line("a", cost=cost, tokens_out=tokens, source="s") + "\n\n" + line("b") + "\n", encoding="utf-8")
    first, second = read_rows(path, ["m", "n"])
    assert (first.id, first.task, first.source) == ("a", "chat", "s")
    assert first.scores == {"m": 1.0, "n": 0.5}
    assert first.cost == cost
    assert first.tokens_out == tokens
    assert second.cost == {}
    assert first.request.messages[0].text == "Hi"


def test_line_separators_inside_a_prompt_are_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rows = [json.dumps({"id": i, "prompt": "a\u2028b\u0085c", "scores": {"m": 1}}, ensure_ascii=False) for i in "xy"]
    path.write_text("\n".join(rows), encoding="utf-8")
    assert read_rows(path)[0].messages[0].text == "a\u2028b\u0085c"


def test_messages_in_place_of_a_prompt() -> None:
    turns = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    rows = parse_rows([line("a", prompt=None, messages=turns), line("b")])
    assert [(m.role, m.text) for m in rows[0].messages] == [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "data:1: is not JSON"),
        ('{"id": "a", "prompt": "Hi", "scores": {"m": NaN}}', "knows no NaN"),
        ("[]", "data:1: is not a JSON object"),
        (line(""), "needs an `id`"),
        (line("a", prompt=""), "needs either a `prompt`"),
        (line("a", messages=[{"role": "user", "content": "Hi"}]), "needs either a `prompt`"),
        (line("a", prompt=None, messages=[{"role": "king", "content": "Hi"}]), "needs a role and a text"),
        (line("a", prompt=None, messages=["Hi"]), "needs a role and a text"),
        (line("a", scores=None), "needs `scores`"),
        (line("a", scores={}), "needs `scores`"),
        (line("a", scores={"m": None}), "score of 'm' is None"),
        (line("a", scores={"m": 1.2}), "not a number within 0..1"),
        (line("a", scores={"m": "1"}), "not a number within 0..1"),
        (line("a", cost={"m": -1}), "`cost` of 'm' is -1"),
        (line("a", cost=[1]), "`cost` must be an object"),
        (line("a", tokens_out={"m": "7"}), "`tokens_out` of 'm'"),
    ],
)
def test_a_bad_row_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_rows([text, line("x"), line("y")])
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]
    assert caught.value.problems[0].startswith("data:1")


def test_an_id_that_occurs_twice_names_both_places() -> None:
    with pytest.raises(DataError, match=r"data:3: id 'a' was used at data:1 already"):
        parse_rows([line("a"), line("b"), line("a")])


def test_a_model_that_no_row_has_is_named_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"no row has a score of 'q'; its models are m, n"):
        parse_rows([line("a"), line("b")], models=["q"])


def test_a_model_that_some_row_lacks_names_the_line() -> None:
    with pytest.raises(DataError, match=r"data:2: no score of 'n'"):
        parse_rows([line("a"), line("b", scores={"m": 1})], models=["m", "n"])


@pytest.mark.parametrize(("lines", "count"), [([], 0), ([line("a")], 1)])
def test_fewer_than_two_rows_are_no_data(lines: list[str], count: int) -> None:
    with pytest.raises(DataError, match=f"has {count} row"):
        parse_rows(lines)


def test_all_problems_are_told_at_once_but_a_flood_is_cut() -> None:
    with pytest.raises(DataError) as caught:
        parse_rows(["{"] * 30)
    assert len(caught.value.problems) == 30
    assert "and 10 more" in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="is not UTF-8"):
        read_rows(tmp_path / "latin.jsonl")
