"""Two checkouts beside each other: what is printed is what was measured, within the turns."""

import sys
from pathlib import Path

import pytest

from benchmarks import against
from benchmarks.against import interval, lines


def test_ratios_are_taken_within_a_turn_and_the_control_is_this_beside_itself() -> None:
    slow, fast = 200.0, 100.0
    rows = [{"this": slow, "other": fast, "control": slow}, {"this": fast, "other": fast, "control": fast}] * 3
    told = lines("whole answer", rows)
    assert told[0].split() == ["whole", "answer", "this", "beside", "the", "other", "1.500", "[1.000", "to", "2.000]"]
    assert told[1].endswith(" 1.000 [1.000 to 1.000]")
    assert "control" in told[1]
    assert told[2].endswith(" 150.0 100.0")


def test_the_interval_holds_the_median_and_narrows_with_more_rounds() -> None:
    few = [0.9, 1.0, 1.1, 1.3]
    middle, low, high = interval(few)
    assert low <= middle <= high
    assert interval(few)[1:] == (low, high), "drawn alike every time"
    _, closer, nearer = interval(few * 20)
    assert nearer - closer < high - low
    assert interval([1.0] * 5) == (1.0, 1.0, 1.0)


def test_a_folder_that_is_no_checkout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["against", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        against.main()
    assert ended.value.code == 2
    assert "is no checkout of the router" in capsys.readouterr().err
