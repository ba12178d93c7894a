"""What the predictor was to reach, read from the figures: reached, missed, or not measured."""

from typing import Any

import pytest

from llm_inference_router.training.aims import AIMS, Aim, spread
from tests.training.figures import file, interval, scorecard

BY_NAME = {aim.name: aim for aim in AIMS}
NAMES = ("ulab_llmrouter", "routerbench_sub")


def aim(part: str) -> Aim:
    found = [one for name, one in BY_NAME.items() if part in name]
    assert len(found) == 1, part
    return found[0]


def measured(part: str, **of_ulab: Any) -> tuple[float, str] | None:
    files = {"ulab_llmrouter": file(**of_ulab), "routerbench_sub": file(apgr=0.51, aiq=0.84)}
    left_out = scorecard("leave source out", files, ece=0.1)
    return aim(part).figure(left_out, scorecard("5 folds", files))


def test_every_aim_has_one_bound_and_says_why_it_may_be_missed() -> None:
    assert len(BY_NAME) == len(AIMS) == 8
    for one in AIMS:
        assert (one.least is None) != (one.most is None)
        assert one.why.endswith(".")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("best quality at any cost", 0.7),
        ("at this share of its cost", 0.4),
        ("AIQ", 0.84),
        ("mean of the files", 0.555),
        ("the worst file", 0.51),
        ("In domain: calibration", 0.02),
        ("Source left out: calibration", 0.1),
    ],
)
def test_each_figure_is_read_from_its_place(part: str, value: float) -> None:
    part = "APGR, mean of the files" if part == "mean of the files" else part
    found = measured(part)
    assert found is not None
    assert found[0] == pytest.approx(value)


def test_the_worst_file_is_named() -> None:
    found = measured("the worst file")
    assert found is not None
    assert found[1].endswith("(routerbench_sub)")


def test_a_quality_that_is_never_reached_misses_the_aim() -> None:
    found = measured("at this share of its cost", ratio=None)
    assert found is not None
    assert found[1] == "never reached"
    assert not aim("at this share of its cost").met(found[0])


def test_bounds_hold_to_the_edge() -> None:
    assert aim("AIQ").met(0.83)
    assert not aim("AIQ").met(0.8299)
    assert aim("In domain: calibration").met(0.03)
    assert not aim("In domain: calibration").met(0.0301)
    assert (aim("AIQ").bound, aim("In domain: calibration").bound) == ("at least 0.83", "at most 0.03")


def test_the_cold_start_is_read_at_fifty_labels() -> None:
    empty = scorecard("x", {})
    cold = {"ulab_llmrouter": {"at": [{"labels": n, "excess": interval(n / 1000)} for n in (10, 50)]}}
    assert aim("New model").figure(empty, empty | {"cold_start": cold}) == (0.05, "0.050 [0.050 0.050]")


def test_what_no_figure_tells_is_not_measured() -> None:
    bare = file() | {"pair": None, "money": None}
    left_out = scorecard("leave source out", {"other": bare}) | {"mean": {"apgr": None, "ece": None}}
    assert [one.figure(left_out, left_out) for one in AIMS] == [None] * len(AIMS)


def test_an_interval_shows_what_is_undefined() -> None:
    assert spread(interval(0.5, 0.25, 0.75)) == "0.500 [0.250 0.750]"
    assert spread({"value": 0.5, "low": 0.25, "high": None}) == "0.500 [0.250 -]"
    assert spread(interval(None)) == spread(None) == "-"
