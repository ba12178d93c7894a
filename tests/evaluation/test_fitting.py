"""The fit: deterministic, within its signs, and able to find what is there."""

import json
from pathlib import Path

import numpy as np
import pytest

from llm_inference_router.evaluation.corpus import PAIRS, anchors_of, read_sources
from llm_inference_router.evaluation.data import DataError, parse_rows
from llm_inference_router.evaluation.fitting import (
    LEVELS,
    TASKS_OF_KIND,
    Fitted,
    Labelled,
    ask,
    features_of,
    fit_complexity,
    fit_tasks,
    source_of,
)
from llm_inference_router.evaluation.metrics import apgr
from llm_inference_router.signals.complexity import complexity_of
from llm_inference_router.signals.features import FEATURES, PARTS
from llm_inference_router.signals.weights import BASE, LOW, SPAN, TASK, WEIGHTS

ANCHORS = anchors_of(Path(__file__).parent.parent / "signals/anchors.jsonl")


def toy() -> tuple[list[str], Fitted]:
    """A source in which the weak model fails what is hard by hand, and the fit to it."""
    lines = [
        json.dumps(
            {
                "id": str(i),
                "prompt": anchor.text,
                "scores": {"weak": float(anchor.band == "light"), "middle": float(anchor.band != "heavy"), "strong": 1},
            }
        )
        for i, anchor in enumerate(ANCHORS)
    ]
    source = source_of("toy", parse_rows(lines), "weak", "strong")
    return lines, fit_complexity([source], ANCHORS, TASK)


def test_the_fit_is_deterministic_and_keeps_the_signs() -> None:
    _, first = toy()
    _, second = toy()
    assert first == second
    for feature in FEATURES:
        assert feature.sign * first.weights[feature.name] >= 0


def test_the_fit_finds_what_is_hard() -> None:
    lines, fitted = toy()
    source = source_of("toy", parse_rows(lines), "weak", "strong")
    values = fitted.values(features_of(source.requests, TASK))
    assert apgr(values, source.weak, source.strong) > 0.7


def test_fitted_values_are_those_that_the_router_computes() -> None:
    shipped = Fitted(BASE, WEIGHTS, {**LOW}, {**SPAN}, TASK)
    features = features_of([ask(anchor.text) for anchor in ANCHORS], TASK)
    expected = [complexity_of(row).value for row in features.tolist()]
    assert np.allclose(shipped.values(features), expected)


def test_parts_have_room() -> None:
    assert set(SPAN) == set(LOW) == set(PARTS)
    assert all(span > 0 for span in SPAN.values())


def test_task_evidence_is_learned_from_labels() -> None:
    items = [
        Labelled(anchor.text, TASKS_OF_KIND[anchor.group], anchor.group)
        for anchor in ANCHORS
        if anchor.group in TASKS_OF_KIND
    ]
    table = fit_tasks(items)
    assert table == fit_tasks(items)
    assert features_of([ask("Hello")], table).shape == (1, len(FEATURES))


def test_every_kind_of_anchor_has_its_level() -> None:
    assert {anchor.group for anchor in ANCHORS} == set(LEVELS)


def test_a_folder_without_the_files_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=next(iter(PAIRS))):
        read_sources(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        anchors_of(tmp_path / "none.jsonl")
