"""`llm-router eval --cold-start`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_inference_router.cli.eval import Makers, command
from llm_inference_router.training.predictor import shipped
from tests.evaluation import lengths, tables
from tests.evaluation.learner import train


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tables.write(tmp_path / "one.jsonl", tables.lines(300)))


def run(*arguments: str, makers: Makers) -> Result:
    return CliRunner().invoke(command, [*arguments, "--draws", "100"], obj=makers, catch_exceptions=False)


def never(path: Path) -> lengths.Lengths:
    raise AssertionError(path)


REAL = Makers(shipped=shipped, load=never, train=train)


def test_the_figure_is_in_the_table_and_in_the_json(data: str) -> None:
    shown = run(data, "--cold-start", makers=REAL)
    assert shown.exit_code == 0, shown.output
    for word in ("Cold start", "excess Brier", "the name alone", "200", "without other models"):
        assert word in shown.stdout
    found = json.loads(run(data, "--cold-start", "--json", makers=REAL).stdout)
    one = found["cold_start"]["one"]
    assert [at["labels"] for at in one["at"]] == [0, 10, 50, 200]
    assert one["draws"] == 20
    assert set(one["at"][0]["by_model"]) == {"small", "middle", "large"}
    assert all(at["excess"]["low"] <= at["excess"]["value"] <= at["excess"]["high"] for at in one["at"])


def test_without_the_option_there_is_nothing_of_it(data: str) -> None:
    assert "cold_start" not in json.loads(run(data, "--json", makers=REAL).stdout)
    assert "Cold start" not in run(data, makers=REAL).stdout


def test_a_file_that_is_too_small_is_refused_with_the_reason(tmp_path: Path) -> None:
    small = tables.write(tmp_path / "small.jsonl", tables.lines(60))
    refused = run(str(small), "--cold-start", makers=REAL)
    assert refused.exit_code == 1
    assert "too few for 200 labels" in refused.output


def test_a_predictor_as_it_is_cannot_start_cold(data: str) -> None:
    refused = run(data, "--cold-start", "--predictor", data, makers=REAL)
    assert refused.exit_code == 2
    assert "train anew" in refused.output
