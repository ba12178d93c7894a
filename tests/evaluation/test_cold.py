"""A cold start is measured on models that the predictor has really not seen."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from msgspec import structs

from llm_inference_router.evaluation.cold import ColdStart, Plan, cold_start
from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.forecast import fold_of
from llm_inference_router.evaluation.predictor import Predictor
from llm_inference_router.evaluation.table import Table, table_of
from tests.evaluation import tables
from tests.evaluation.learner import train
from tests.evaluation.lengths import train as lengths

PLAN = Plan(labels=(0, 10, 60), draws=4, samples=100)


def scored(models: int = 4, count: int = 240) -> Table:
    """Models of different strength, all of them worse than the prior of their unknown names."""
    rows = []
    for row in tables.rows(count):
        hard = len(row.messages[0].text) / 100 - 1
        scores = {f"model-{one}": 1 / (1 + np.exp(hard + 2.5 - 0.5 * one)) for one in range(models)}
        rows.append(structs.replace(row, scores=scores, cost={}))
    return table_of("made", rows, (), {})


@pytest.fixture(scope="module")
def measured() -> ColdStart:
    return cold_start({"made": scored()}, train, PLAN)["made"]


def test_labels_and_other_models_close_the_gap(measured: ColdStart) -> None:
    assert [one.labels for one in measured.at] == [0, 10, 60]
    assert measured.at[2].excess.value < measured.at[0].excess.value < measured.line.value
    assert measured.at[0].excess.value < measured.at[0].alone.value
    assert measured.at[0].spread == 0.0
    assert (measured.models, measured.draws, measured.rows) == (4, 4, 240)
    assert 20 < measured.held < 80


def test_intervals_hold_their_figures(measured: ColdStart) -> None:
    for one in measured.at:
        assert one.excess.low <= one.excess.value <= one.excess.high
        assert set(one.by_model) == {f"model-{n}" for n in range(4)}
        assert np.mean(list(one.by_model.values())) == pytest.approx(one.excess.value)


def test_no_score_of_the_left_out_model_is_trained_on() -> None:
    seen: list[set[str]] = []

    def spied(sources: Mapping[str, Sequence[Row]], seed: int) -> Predictor:
        seen.append({model for rows in sources.values() for row in rows for model in row.scores})
        assert not held & {row.id for rows in sources.values() for row in rows}
        return train(sources, seed)

    table = scored(3)
    held = {row.id for row in table.rows if fold_of(row.id, 5) == 0}
    steps: list[str] = []
    cold_start({"made": table}, spied, Plan(labels=(0,), draws=1, samples=100), steps.append)
    everyone = {"model-0", "model-1", "model-2"}
    assert seen == [everyone, *(everyone - {model} for model in sorted(everyone))]
    assert steps == ["made", *(f"made without {model}" for model in sorted(everyone))]


def test_the_same_seed_gives_the_same_figures(measured: ColdStart) -> None:
    assert cold_start({"made": scored()}, train, PLAN)["made"] == measured


def test_too_few_models_or_rows_are_refused_in_one_go() -> None:
    with pytest.raises(DataError) as refused:
        cold_start({"made": scored(2, 60)}, train, PLAN)
    assert len(refused.value.problems) == 2
    assert "3 models at least" in refused.value.problems[0]
    assert "too few for 60 labels" in refused.value.problems[1]


def test_a_predictor_without_an_artefact_is_refused() -> None:
    with pytest.raises(DataError, match="trained predictors only"):
        cold_start({"made": scored()}, lengths, PLAN)
