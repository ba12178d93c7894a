"""The figures of task labels, by hand, and what stands for what."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tasks import BENCHMARKS, LABELS, Asked, figures, judge, labelled, overview, render, task_of
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.learning.lens import TASKS
from llm_inference_router.training.train import PROMPTS
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import TaskLabel

CODE, WRITING, CHAT = TASKS.index("code"), TASKS.index("writing"), TASKS.index("chat")


def test_figures_by_hand() -> None:
    real = np.array([CODE] * 30 + [WRITING] * 20 + [CHAT] * 2)
    told = np.array([CODE] * 24 + [WRITING] * 6 + [WRITING] * 20 + [CODE] * 2)
    found = figures("made up", real, told, draws=200)
    code, writing = found.classes["code"], found.classes["writing"]
    assert (code.precision.value, code.recall.value) == (24 / 26, 24 / 30)
    assert writing.f1.value == pytest.approx(2 * 20 / (20 + 26))
    assert code.told == {"code": 24, "writing": 6}
    assert found.macro_f1 is not None
    assert found.accuracy is not None
    assert found.macro_f1.value == pytest.approx((code.f1.value + writing.f1.value) / 2), "two prompts are no class"
    assert found.accuracy.value == pytest.approx(44 / 50)
    assert found.macro_f1.low < found.macro_f1.value < found.macro_f1.high


def test_no_macro_figure_without_a_class_of_twenty() -> None:
    found = figures("made up", np.array([CODE] * 3), np.array([CODE] * 3), draws=50)
    assert found.macro_f1 is None
    assert "macro" not in overview([found])
    assert "macro-F1" not in render(found)


@pytest.mark.parametrize(
    ("benchmark", "task"),
    [("mmlu:abstract_algebra", "mathematics"), ("mmlu-college-mathematics", "mathematics"),
     ("mmlu:formal_logic", "reasoning"), ("mmlu:prehistory", "question_answering"),
     ("mmlu-high-school-computer-science", None), ("mmlu:college_physics", None), ("mmlu", None), ("gpqa", None),
     ("winogrande", None), ("mbpp", "code")],
)  # fmt: skip
def test_what_a_benchmark_asks_for(benchmark: str, task: TaskLabel | None) -> None:
    assert task_of(benchmark) == task


def test_labels_stand_for_tasks_that_exist() -> None:
    assert {*LABELS.values(), *BENCHMARKS.values()} <= set(TASKS)
    assert not [label for label in LABELS if label.startswith("cluster:")]


def test_plain_prompts_are_told_by_the_shipped_predictor_and_others_left_out() -> None:
    texts = ("Write a Python function that reverses a linked list.", "Compute the integral of x^2 from 0 to 3.", "Hm")
    asked = [Asked(ChatRequest(model="auto", messages=(Message("user", text),), body={}), text[:5]) for text in texts]
    found = judge("made up", asked, ["code", "mathematics", None])
    assert found.classes["code"].recall.value == found.classes["mathematics"].recall.value == 1.0
    assert found.left_out == {"Hm": 1}


def test_prompts_of_the_training_are_left_out() -> None:
    rows = [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]
    text = next(row["text"] for row in rows if len(row.get("text", "")) > 120)
    asked = [
        Asked(ChatRequest(model="auto", messages=(Message("user", one),), body={}), "x")
        for one in (text, "Sort these numbers in Rust, please.")
    ]
    found = judge("made up", asked, ["writing", "code"])
    assert (found.n, found.shared) == (1, 1)


def test_a_line_without_a_label_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tasktype_prompts.jsonl"
    path.write_text('{"prompt": "a", "label": "task:math"}\n{"prompt": "b"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"tasktype_prompts.jsonl:2: .*label"):
        labelled(path)


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(DataError, match="no prompt has a label that stands for a task"):
        judge("made up", [], [])
