"""The work file: whatever was written is kept, whatever was cut is done again."""

from pathlib import Path

import pytest

from llm_inference_router.engine.worklog import Done, Plan, WorkError, open_log

PLAN = Plan("auto", ("big", "small"), "big", "judge", 64)


def done(number: int, text: str | None = "said") -> Done:
    return Done(f"p{number}", "small", "answer", text, 10 + number, 1_700_000_000_000 + number)


def filled(path: Path, count: int = 3) -> bytes:
    log = open_log(path, PLAN)
    for number in range(count):
        log.add(done(number))
    log.close()
    return path.read_bytes()


def test_what_was_done_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    filled(path)
    log = open_log(path, PLAN)
    assert log.spent == 10 + 11 + 12
    assert log.text("p1", "small", "answer") == "said"
    assert log.text("p1", "big", "answer") is None
    log.close()


def test_cut_anywhere_it_goes_on_with_the_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    data = filled(path)
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        log = open_log(path, PLAN)
        whole = max(0, data[:size].count(b"\n") - 1)
        assert len(log.done) == whole
        log.add(done(9))
        log.close()
        again = open_log(path, PLAN)
        assert len(again.done) == whole + 1
        again.close()


def test_a_step_that_failed_is_overwritten_and_both_costs_count(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    log = open_log(path, PLAN)
    log.add(done(1, None))
    assert log.text("p1", "small", "answer") is None
    log.add(done(1))
    assert log.text("p1", "small", "answer") == "said"
    assert log.spent == 22
    log.close()


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (Plan("other", ("big", "small"), "big", "judge", 64), "route"),
        (Plan("auto", ("big", "tiny"), "big", "judge", 64), "models"),
        (Plan("auto", ("big", "small"), "big", "other", 64), "judge"),
        (Plan("auto", ("big", "small"), "big", "judge", 65), "max_output"),
    ],
)
def test_the_file_of_another_plan_is_refused(tmp_path: Path, plan: Plan, name: str) -> None:
    path = tmp_path / "work.jsonl"
    before = filled(path)
    with pytest.raises(WorkError, match=f"begun with {name}"):
        open_log(path, plan)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ['{"prompt": "hello"}\n', "no line end", '{"prompt": "hello"}\ncut'])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(text)
    with pytest.raises(WorkError, match="no work file"):
        open_log(path, PLAN)
    assert path.read_text() == text


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    path.write_bytes(filled(path) + b"{nonsense}\n")
    with pytest.raises(WorkError, match=r"work\.jsonl:5"):
        open_log(path, PLAN)
