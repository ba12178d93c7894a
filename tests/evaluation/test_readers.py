"""Readers: the layouts of public benchmarks become rows, and what is wrong in them is named with its place.

The files are written here, in the layouts that each project's own code writes.
"""

import csv
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.readers import name_of, read_source


def sheet(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def jsonl(path: Path, values: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def problems_of(path: Path, form: str | None = None, **options: Any) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_source(path, form, **options)
    return caught.value.problems


def prompt(row: Row) -> str:
    return row.messages[0].text


BENCH = ["sample_id", "prompt", "eval_name", "a/x", "b", "oracle_model_to_route_to",
         "a/x|model_response", "a/x|total_cost", "b|model_response", "b|total_cost"]  # fmt: skip


def test_routerbench(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "bench.csv",
        [
            BENCH,
            ["arc.1", "['Be brief.', 'Why?']", "arc", "1.0", "0.25", "b", "an\nanswer", "0.001", "", "2e-05"],
            ["arc.2", "[1, 2] is a list", "arc", "0.0", "1", "b", "", "0.002", "", ""],
        ],
    )
    first, second = read_source(path)
    assert (first.id, first.task, first.source) == ("arc.1", "arc", "bench")
    assert prompt(first) == "Be brief.\n\nWhy?"
    assert prompt(second) == "[1, 2] is a list"
    assert first.scores == {"a/x": 1.0, "b": 0.25}
    assert first.cost == {"a/x": 0.001, "b": 2e-05}
    assert second.cost == {"a/x": 0.002, "b": None}


def test_problems_of_a_table_name_their_lines(tmp_path: Path) -> None:
    good = ["1", "p", "arc", "1", "1", "", "two\nlines", "1", "", "1"]
    path = sheet(
        tmp_path / "bench.csv",
        [
            BENCH,
            good,
            ["2", "p", "arc", "nan", "1", "", "", "1", "", "1"],
            ["3", "p", "arc", "", "1", "", "", "1", "", "1"],
            good,
            ["5", "p", "arc", "high", "1", "", "", "1", "", "-1"],
        ],
    )
    assert problems_of(path) == (
        "bench.csv:4: score of 'a/x' is 'nan', not a number within 0..1",
        "bench.csv:5: score of 'a/x' is None, not a number within 0..1",
        "bench.csv:7: id '1' was used at bench.csv:3 already",
        "bench.csv:8: score of 'a/x' is 'high', not a number within 0..1",
        "bench.csv:8: `cost` of 'b' is -1.0, not a number of at least 0",
    )


def test_rows_of_another_width_are_named(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.csv", [["prompt", "m"], ["p", "True", "more"], ["p", "True"]])
    assert problems_of(path) == ("t.csv:2: has 3 fields, the head has 2",)
    assert "needs a first line" in problems_of(sheet(tmp_path / "u.csv", [["m", "m"], ["p", "1"]]))[0]


def test_routellm_answers(tmp_path: Path) -> None:
    head = ["prompt", "weak/one", "strong", "weak/one_response", "strong_response"]
    path = sheet(tmp_path / "gsm8k_responses.csv", [head, ["q1", "True", "False", "a", "b"], ["q2", 0.5, 1, "", ""]])
    first, second = read_source(path)
    assert (first.id, first.task, prompt(first)) == ("gsm8k_responses-0", "gsm8k_responses", "q1")
    assert first.scores == {"weak/one": 1.0, "strong": 0.0}
    assert second.scores == {"weak/one": 0.5, "strong": 1.0}


def test_a_folder_of_tables_is_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "responses"
    folder.mkdir()
    for subject in ("mmlu_law", "mmlu_anatomy"):
        sheet(folder / f"{subject}.csv", [["prompt", "w", "s"], [subject, "True", "True"], ["x", "False", "True"]])
    rows = read_source(folder)
    assert name_of(folder) == "responses"
    assert [row.id for row in rows] == ["mmlu_anatomy-0", "mmlu_anatomy-1", "mmlu_law-0", "mmlu_law-1"]
    assert rows[2].task == "mmlu_law"


def judgement(question: int, model: str, turn: int, score: float) -> dict[str, Any]:
    return {"question_id": question, "model": model, "turn": turn, "score": score, "judge": ["gpt-4", "single-v1"]}


def test_mtbench_judgements(tmp_path: Path) -> None:
    questions = [{"question_id": n, "category": "writing", "turns": [f"q{n}", "again"]} for n in (81, 82)]
    jsonl(tmp_path / "question.jsonl", questions)
    path = jsonl(
        tmp_path / "judgements.jsonl",
        [judgement(n, m, t, s) for n in (81, 82) for m, s in (("w", 4), ("s", 9)) for t, s in ((1, s), (2, s + 1))],
    )
    first, second = read_source(path)
    assert (first.id, prompt(first), first.task) == ("question-81", "q81", "writing")
    assert first.scores == {"w": 0.45, "s": 0.95}
    assert second.id == "question-82"
    assert read_source(tmp_path) == [first, second]


def test_judgements_that_cannot_be_used(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "judgements.jsonl", [judgement(81, "w", 1, -1), judgement(99, "w", 1, 5), {"score": 1}])
    assert "question.jsonl: is missing" in problems_of(path)[0]
    jsonl(tmp_path / "question.jsonl", [{"question_id": 81, "turns": ["q"]}, {"question_id": 82}])
    assert problems_of(path, "mtbench") == (
        "question.jsonl:2: needs question_id and turns, a list",
        "judgements.jsonl:1: score is -1, not a number within 1..10",
        "judgements.jsonl:2: question 99 is not in question.jsonl",
        "judgements.jsonl:3: needs question_id, model and score",
    )


def entry(index: str, model: str | None, accuracy: float | None, cost: float | None = 0.001, **more: Any) -> Any:
    answer = {"generated_answer": "a", "success": True, "token_usage": {"input_tokens": 3, "output_tokens": 5}}
    return {"global index": index, "prompt": f"prompt of {index}", "prediction": model, "generated_result": answer,
            "cost": cost, "accuracy": accuracy, **more}  # fmt: skip


def test_routerarena_predictions(tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    entries = [entry("MMLU_law_1", "m", 1.0), entry("MMLU_law_2", "n", 0.0)]
    entries += [entry("MMLU_law_1", "n", 0.5, for_optimality=True), entry("MMLU_law_2", "m", 1, for_optimality=True)]
    path.write_text(json.dumps(entries), encoding="utf-8")
    first, second = read_source(path)
    assert (first.id, first.task, prompt(first)) == ("MMLU_law_1", "MMLU_law", "prompt of MMLU_law_1")
    assert first.scores == {"m": 1.0, "n": 0.5}
    assert second.scores == {"n": 0.0, "m": 1.0}
    assert first.cost == {"m": 0.001, "n": 0.001}
    assert first.tokens_out == {"m": 5, "n": 5}


def test_routerarena_cached_results_of_a_folder(tmp_path: Path) -> None:
    for model, score in (("gpt-4o-mini", 1.0), ("claude-3-haiku", 0.0)):
        records = [
            {"global_index": f"AIME_{n}", "question": f"q{n}", "token_usage": {"output_tokens": 9},
             "evaluation_result": {"score": score, "inference_cost": 0.002}} for n in range(3)
        ]  # fmt: skip
        jsonl(tmp_path / f"{model}.jsonl", records)
    rows = read_source(tmp_path)
    assert [row.id for row in rows] == ["AIME_0", "AIME_1", "AIME_2"]
    assert rows[0].scores == {"claude-3-haiku": 0.0, "gpt-4o-mini": 1.0}
    assert rows[0].cost["gpt-4o-mini"] == 0.002


def test_routerarena_prompts_have_no_scores(tmp_path: Path) -> None:
    path = tmp_path / "router_data.json"
    path.write_text(json.dumps([{"global index": f"X_{n}", "prompt_formatted": f"p{n}"} for n in range(2)]))
    rows = read_source(path, unscored=True)
    assert [prompt(row) for row in rows] == ["p0", "p1"]
    assert all(not row.scores for row in rows)
    assert problems_of(path)[0] == "router_data.json[0]: needs `scores`, an object of model: 0..1"


def test_routerarena_without_its_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    path.write_text(json.dumps([entry("X_1", "m", None), entry("X_2", "m", 1.0), entry("X_2", "m", 0.0), {"a": 1}]))
    assert problems_of(path)[:3] == (
        "router.json[0]: 'X_1' has no accuracy of 'm'; run RouterArena's evaluation first",
        "router.json[2]: 'X_2' has a result of 'm' already",
        "router.json[3]: needs `global index`, `prompt` and what became of it",
    )
    path.write_text("[{]")
    assert "is not a JSON list" in problems_of(path)[0]


def test_our_own_layout_and_a_folder_of_it(tmp_path: Path) -> None:
    rows = [{"id": str(n), "prompt": "p", "scores": {"m": 1}} for n in range(2)]
    path = jsonl(tmp_path / "own.jsonl", rows)
    assert [row.id for row in read_source(path)] == ["0", "1"]
    assert name_of(path) == "own"
    jsonl(tmp_path / "second.jsonl", rows)
    assert "name its files" in problems_of(tmp_path)[0]


def test_rows_without_scores_are_all_or_none(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "own.jsonl", [{"id": "a", "prompt": "p"}, {"id": "b", "prompt": "p"}])
    assert len(read_source(path, unscored=True)) == 2
    assert [problem[:12] for problem in problems_of(path)] == ["own.jsonl:1:", "own.jsonl:2:"]
    jsonl(path, [{"id": "a", "prompt": "p"}, {"id": "b", "prompt": "p", "scores": {"m": 1}}])
    assert "own.jsonl:1: has no `scores`, but others have" in problems_of(path, unscored=True)


def test_each_row_needs_every_model_that_is_kept(tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "p", "scores": {"m": 1, "n": 1}}, {"id": "b", "prompt": "p", "scores": {"m": 1}}]
    path = jsonl(tmp_path / "own.jsonl", rows)
    assert problems_of(path) == ("own.jsonl:2: no score of 'n'",)
    assert len(read_source(path, models=["m", "of another file"])) == 2


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "routerbench_0shot.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    said = problems_of(path)[0]
    assert "is a pickle" in said
    assert "to_csv('routerbench_0shot.csv'" in said
    assert not (tmp_path / "sprung").exists()


def test_unknown_columns_are_told_with_those_that_are_known(tmp_path: Path) -> None:
    path = sheet(tmp_path / "x.csv", [["question", "answer"], ["a", "b"]])
    assert "the columns question, answer are of no known layout" in problems_of(path)[0]
    assert "needs the columns sample_id" in problems_of(path, "routerbench")[0]
    assert "needs a column prompt" in problems_of(path, "routellm")[0]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert "is a folder without" in problems_of(tmp_path)[0]
