"""Forecasts: nobody is scored on what it was trained on, and prices come from elsewhere."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.forecast import fold_of, folds, given, leave_source_out
from llm_inference_router.evaluation.predictor import Predictor
from llm_inference_router.evaluation.table import table_of
from tests.evaluation import tables
from tests.evaluation.lengths import Lengths, train

TABLES = {name: table_of(name, tables.rows(60, seed, prefix=name)) for seed, name in enumerate(("one", "two"))}


class Watched:
    """Trains, and remembers the rows that each predictor has seen."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def __call__(self, sources: Mapping[str, Sequence[Row]], seed: int) -> Predictor:
        self.seen.append({row.id for rows in sources.values() for row in rows})
        return train(sources, seed)


def test_a_source_left_out_was_not_seen() -> None:
    trainer = Watched()
    found = leave_source_out(TABLES, trainer, 0, lambda _: None)
    for name, seen in zip(TABLES, trainer.seen, strict=True):
        assert seen == {row.id for other, table in TABLES.items() if other != name for row in table.rows}
        assert np.allclose(found[name].price, TABLES[name].cost.mean(axis=0))


def test_folds_see_all_but_themselves() -> None:
    trainer = Watched()
    steps: list[str] = []
    found = folds(TABLES, trainer, 3, 0, steps.append)
    everything = {row.id for table in TABLES.values() for row in table.rows}
    held = [everything - seen for seen in trainer.seen]
    assert sorted(identity for part in held for identity in part) == sorted(everything)
    assert len(steps) == 6
    first = {row.id: number for number, row in enumerate(TABLES["one"].rows)}
    outside = [number for identity, number in first.items() if identity not in held[0]]
    inside = [number for identity, number in first.items() if identity in held[0]]
    assert np.allclose(found["one"].price[inside], TABLES["one"].cost[outside].mean(axis=0))


def test_folds_do_not_hang_on_the_order_of_rows() -> None:
    assert [fold_of(identity, 5) for identity in ("a", "b", "ü\ud800")] == [
        fold_of(identity, 5) for identity in ("a", "b", "ü\ud800")
    ]
    assert {fold_of(str(number), 4) for number in range(100)} == {0, 1, 2, 3}


def test_too_few_rows_or_files_are_named() -> None:
    with pytest.raises(DataError, match="two files"):
        leave_source_out({"one": TABLES["one"]}, train, 0, lambda _: None)
    with pytest.raises(DataError, match="leave one of 9 folds empty"):
        folds({"few": table_of("few", tables.rows(6))}, train, 9, 0, lambda _: None)


def test_a_predictor_that_breaks_its_promise_is_found_out() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        given({"one": TABLES["one"]}, Lengths({"small": np.nan}, 0.0, 1.0), lambda _: None)


def test_models_that_were_not_in_the_data_are_unknown() -> None:
    found = given({"one": TABLES["one"]}, Lengths({"small": 0.0}, 0.0, 0.0), lambda _: None)["one"]
    assert dict(zip(TABLES["one"].models, found.known.tolist(), strict=True)) == {
        "large": False,
        "middle": False,
        "small": True,
    }
