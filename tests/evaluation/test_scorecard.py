"""The scorecard as a whole: laws between its figures, and hand-made predictors whose figures are known."""

import json
from functools import cache

import numpy as np
import pytest

from llm_inference_router.evaluation.data import DataError, parse_rows
from llm_inference_router.evaluation.figures import FileFigures, Scorecard, plain, rounded
from llm_inference_router.evaluation.forecast import Forecast, leave_source_out
from llm_inference_router.evaluation.metrics import Floats, Interval
from llm_inference_router.evaluation.money import verdict
from llm_inference_router.evaluation.pair import pair_of
from llm_inference_router.evaluation.scorecard import Settings, scorecard_of
from llm_inference_router.evaluation.table import Table, table_of
from tests.evaluation import tables
from tests.evaluation.lengths import train

FAST = Settings(draws=100)


def one(table: Table, quality: Floats, settings: Settings = FAST) -> FileFigures:
    price = np.broadcast_to(table.cost.mean(axis=0), table.scores.shape)
    known = np.ones(len(table.models), dtype=bool)
    forecast = Forecast(quality, price, quality.mean(axis=1), known)
    return scorecard_of({table.name: table}, {table.name: forecast}, "test", "test", settings).files[table.name]


@cache
def table(count: int = 300) -> Table:
    return table_of("made", tables.rows(count))


@cache
def trained() -> Scorecard:
    files = {name: table_of(name, tables.rows(500, seed, prefix=name)) for seed, name in enumerate(("one", "two"))}
    return scorecard_of(files, leave_source_out(files, train, 0, lambda _: None), "test", "lengths", FAST)


def test_a_predictor_that_knows_length_beats_chance_where_length_matters() -> None:
    for figures in trained().files.values():
        assert figures.pair is not None
        assert figures.pair.apgr.router.low > 0.5
        assert figures.pair.apgr.router.value > figures.pair.apgr.shuffled.high
        assert figures.money is not None
        assert figures.money.aiq.router.value > figures.money.aiq.shuffled.high
        assert figures.money.aiq.chance < 0.02


def test_aiq_lies_between_the_shuffled_control_and_the_oracle() -> None:
    for figures in trained().files.values():
        assert figures.money is not None
        aiq = figures.money.aiq
        assert abs(aiq.shuffled.value - aiq.singles.value) < 0.03
        assert aiq.router.value <= aiq.oracle.value
        assert aiq.length.value <= aiq.oracle.value
        worst = min(single.quality.value for single in figures.models.values())
        assert worst <= aiq.singles.value <= max(single.quality.value for single in figures.models.values())


def test_a_constant_prediction_is_worth_no_more_than_one_model() -> None:
    figures = one(table(), np.full((300, 3), 0.5))
    assert figures.money is not None
    cheapest = figures.models["small"].quality.value
    assert figures.money.aiq.router.value == pytest.approx(cheapest)
    assert figures.money.aiq.shuffled.value == pytest.approx(cheapest)
    assert figures.money.aiq.chance == 1.0
    assert figures.pair is not None
    assert figures.pair.apgr.router == Interval(0.5, 0.5, 0.5)
    assert [equal.verdict for equal in figures.money.equal_quality] == ["no gain"] * len(figures.money.equal_quality)


def test_one_who_knows_the_answers_is_the_oracle() -> None:
    figures = one(table(), table().scores)
    assert figures.pair is not None
    assert figures.pair.apgr.router == figures.pair.apgr.oracle
    assert figures.calibration.brier.value == 0
    assert figures.calibration.ece.value == 0
    assert figures.money is not None
    assert figures.money.quality_max.value == pytest.approx(table().scores.max(axis=1).mean())
    best = figures.money.equal_quality[-1]
    assert best.model == figures.money.best_single == "large"
    assert best.verdict == "gain"
    assert best.router.value < 0.5


def test_figures_of_known_qualities_are_exact() -> None:
    """Two models, four rows: the strong one (10 USD) is right on all, the weak one (1 USD) on the first two."""
    lines = [
        f'{{"id": "{i}", "prompt": "p{i}", "scores": {{"w": {int(i < 2)}, "s": 1}}, "cost": {{"w": 1, "s": 10}}}}'
        for i in range(4)
    ]
    made = table_of("hand", parse_rows(lines))
    assert made.models == ("s", "w")
    figures = one(made, np.array([[0.9, 0.9], [0.9, 0.8], [0.9, 0.2], [0.9, 0.5]]))
    assert figures.money is not None
    assert figures.money.aiq.singles.value == pytest.approx(0.75)  # a line from 0.5 to 1
    # The router sends rows 2, 3, 1, 0 up in turn: (1, .5), (3.25, .75), (5.5, 1), flat to 10.
    assert figures.money.aiq.router.value == pytest.approx((4.5 * 0.75 + 4.5 * 1.0) / 9)
    assert figures.money.quality_max.value == 1.0
    best = figures.money.equal_quality[-1]
    assert (best.model, best.cost) == ("s", 10.0)
    assert best.router.value == pytest.approx(0.55)
    assert figures.money.quality_cheap.value == pytest.approx(0.75 + 0.25 * 1.25 / 2.25)  # within 4.5 USD
    assert figures.pair is not None
    assert (figures.pair.weak, figures.pair.strong) == ("w", "s")
    assert figures.pair.apgr.router.value == pytest.approx(0.75)
    assert figures.pair.cpt_50.router.value == pytest.approx(0.25)
    assert figures.pair.cpt_80.router.value == pytest.approx(0.4)


def test_the_same_seed_gives_the_same_scorecard_to_the_last_digit() -> None:
    assert plain(trained()) == plain(trained.__wrapped__())


def test_a_files_figures_do_not_hang_on_the_files_beside_it() -> None:
    made = table(300)
    assert one(made, made.scores) == one(made, made.scores)
    other = table_of("other", tables.rows(150, 9))
    prices = np.broadcast_to(made.cost.mean(axis=0), made.scores.shape)
    known = np.ones(3, dtype=bool)
    forecasts = {
        "made": Forecast(made.scores, prices, made.scores.mean(axis=1), known),
        "other": Forecast(other.scores, other.cost, other.scores.mean(axis=1), known),
    }
    both = scorecard_of({"other": other, "made": made}, forecasts, "test", "test", FAST)
    assert both.files["made"] == one(made, made.scores)


def test_without_costs_there_are_still_rates_and_calibration() -> None:
    made = table_of("free", tables.rows(80, cost=False))
    figures = one(made, np.full((80, 3), 0.5))
    assert figures.money is None
    assert figures.pair is not None
    assert figures.pair.origin == "the worst and the best model"
    assert any("Fewer than two models have a cost" in note for note in figures.notes)
    assert any("Only 80 rows" in note for note in figures.notes)


@pytest.mark.parametrize("usd", [0.0, 0.25])
def test_models_of_one_price_have_a_curve_without_width(usd: float) -> None:
    lines = [
        json.dumps({"id": str(i), "prompt": "p" * i, "scores": {"a": i % 2, "b": 1}, "cost": {"a": usd, "b": usd}})
        for i in range(1, 40)
    ]
    figures = one(table_of("even", parse_rows(lines)), np.tile([0.5, 0.9], (39, 1)))
    assert figures.money is not None
    assert np.isnan(figures.money.aiq.router.value)
    assert np.isnan(figures.money.aiq.chance)
    assert figures.money.quality_max.value == 1.0
    assert [equal.verdict for equal in figures.money.equal_quality] == ["no gain"]


def test_one_model_alone_has_no_pair() -> None:
    made = table_of("alone", tables.rows(30), ["small"])
    figures = one(made, np.full((30, 1), 0.5))
    assert figures.pair is None
    assert figures.money is None


def test_a_pair_that_a_file_lacks_is_named_for_every_file() -> None:
    files = {name: table_of(name, tables.rows(30, prefix=name)) for name in ("one", "two")}
    forecasts = {name: Forecast(t.scores, t.cost, t.scores[:, 0], np.ones(3, dtype=bool)) for name, t in files.items()}
    with pytest.raises(DataError) as caught:
        scorecard_of(files, forecasts, "", "", Settings(pair=("small", "none")))
    assert caught.value.problems == tuple(
        f"{name}: has no scores of 'none'; its models are large, middle, small" for name in files
    )


def test_the_pair_is_what_was_asked_or_the_ends() -> None:
    asked = pair_of(table(), ("middle", "large"))
    chosen = pair_of(table(), None)
    assert asked is not None
    assert chosen is not None
    assert (asked.weak, asked.strong, asked.origin) == ("middle", "large", "asked for")
    assert (chosen.weak, chosen.strong, chosen.origin) == ("small", "large", "the cheapest and the best model")


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (Interval(0.5, 0.4, 0.9), "gain"),
        (Interval(0.5, 0.4, 1.0), "not certain"),
        (Interval(0.5, 0.4, np.inf), "not certain"),
        (Interval(1.0, 0.4, 1.2), "no gain"),
        (Interval(np.inf, 0.4, np.inf), "no gain"),
        (Interval(np.nan, np.nan, np.nan), "no gain"),
    ],
)
def test_a_gain_is_only_claimed_with_its_whole_interval(ratio: Interval, said: str) -> None:
    assert verdict(ratio, Interval(1.0, 0.95, 1.0)) == said


def test_a_gain_that_shuffling_gives_too_is_not_certain() -> None:
    assert verdict(Interval(0.9, 0.8, 0.95), Interval(0.95, 0.85, 1.0)) == "not certain"


def test_noise_is_not_taken_for_merit() -> None:
    """Predictions at random: some point always seems better than one model alone, and so do shuffled ones."""
    rng = np.random.default_rng(5)
    made = table()
    claims = [one(made, np.clip(made.scores.mean(axis=0) + rng.normal(0, 0.2, (300, 3)), 0, 1)) for _ in range(6)]
    for figures in claims:
        assert figures.money is not None
        assert "gain" not in [equal.verdict for equal in figures.money.equal_quality]
    assert np.mean([figures.money.aiq.chance for figures in claims if figures.money is not None]) > 0.1


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.123456, 0.1235),
        (0.00123456, 0.001235),
        (1e-12, 0.0),
        (float("nan"), None),
        (float("inf"), None),
        (-0.5, -0.5),
    ],
)
def test_numbers_are_printed_to_four_digits(value: float, printed: float | None) -> None:
    assert rounded(value) == printed
