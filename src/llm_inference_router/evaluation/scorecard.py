"""The scorecard: every figure of every file, from a predictor's forecasts."""

import zlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import DRAWS, means, resample, summary
from llm_inference_router.evaluation.calibration import Calibration, calibration
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.figures import FileFigures, Means, Scorecard, Single
from llm_inference_router.evaluation.forecast import Forecast
from llm_inference_router.evaluation.metrics import Interval, rank_correlation
from llm_inference_router.evaluation.money import measure_money
from llm_inference_router.evaluation.pair import Measured, mean_apgr, measure_pair, pair_of
from llm_inference_router.evaluation.table import Table

Floats: TypeAlias = NDArray[np.float64]


class Settings(Struct, frozen=True):
    """`pair` is (weak, strong) for every file, or None for each file's own."""

    seed: int = 0
    draws: int = DRAWS
    pair: tuple[str, str] | None = None


def scorecard_of(
    tables: Mapping[str, Table],
    forecasts: Mapping[str, Forecast],
    mode: str,
    predictor: str,
    settings: Settings,
    step: Callable[[str], None] = lambda _: None,
) -> Scorecard:
    """All figures. `step` is called with each file's name when it is done. Raises `DataError`."""
    _check_pairs(tables, settings)
    files: dict[str, FileFigures] = {}
    measured: list[Measured] = []
    for name, table in tables.items():
        files[name], pair = _file(table, forecasts[name], settings)
        measured += [pair] if pair is not None else []
        step(name)
    return Scorecard(
        mode=mode,
        predictor=predictor,
        seed=settings.seed,
        draws=settings.draws,
        files=files,
        mean=Means(
            files=len(files),
            apgr=mean_apgr(measured),
            ece=_mean([one.calibration.ece for one in files.values()]),
            brier=_mean([one.calibration.brier for one in files.values()]),
        ),
    )


def _check_pairs(tables: Mapping[str, Table], settings: Settings) -> None:
    problems: list[str] = []
    for table in tables.values():
        try:
            pair_of(table, settings.pair)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)


def _mean(of_files: list[Interval]) -> Interval:
    """The mean; its interval by adding the files' half widths as independent errors."""
    value = float(np.mean([one.value for one in of_files]))
    below = float(np.sqrt(np.sum([(one.value - one.low) ** 2 for one in of_files])) / len(of_files))
    above = float(np.sqrt(np.sum([(one.high - one.value) ** 2 for one in of_files])) / len(of_files))
    return Interval(value, value - below, value + above)


def _file(table: Table, forecast: Forecast, settings: Settings) -> tuple[FileFigures, Measured | None]:
    seed = zlib.crc32(table.name.encode()) + settings.seed  # a file's figures do not hang on the files beside it
    counts = resample(len(table.rows), settings.draws, seed)
    money = measure_money(table, forecast.quality, forecast.price, counts, seed)
    pair = pair_of(table, settings.pair)
    measured = None if pair is None else measure_pair(table, forecast.quality, pair, counts, seed)
    corners = set() if money is None else {equal.model for equal in money.equal_quality}
    quality = means(counts, table.scores)
    figures = FileFigures(
        rows=len(table.rows),
        notes=(*table.notes, *forecast.notes, *_notes(table, money is None, pair is None)),
        models={
            model: Single(
                quality=summary(quality[:, column]),
                cost=float(table.cost[:, column].mean()) if column in table.priced else None,
                known=bool(forecast.known[column]),
                on_hull=model in corners,
            )
            for column, model in enumerate(table.models)
        },
        pair=None if measured is None else measured.figures,
        money=money,
        calibration=calibration(forecast.quality, table.scores, counts),
        calibration_by_model=_by_model(table, forecast, counts),
        complexity_with_failures=rank_correlation(forecast.complexity, 1.0 - table.scores.mean(axis=1)),
    )
    return figures, measured


def _by_model(table: Table, forecast: Forecast, counts: Floats) -> dict[str, Calibration]:
    return {
        model: calibration(forecast.quality[:, [column]], table.scores[:, [column]], counts)
        for column, model in enumerate(table.models)
    }


def _notes(table: Table, no_money: bool, no_pair: bool) -> list[str]:
    notes = []
    if no_money:
        notes.append("Fewer than two models have a cost: no curve, no AIQ, no cost at equal quality.")
    if no_pair:
        notes.append("No pair: no model is better than the cheapest one.")
    if len(table.rows) < 200:
        notes.append(f"Only {len(table.rows)} rows: read the intervals, not the figures.")
    return notes
