"""`llm-router eval` on files of made-up answers, with a small predictor that really learns."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from llm_inference_router.cli.eval import Makers, command
from llm_inference_router.cli.scorecard import show
from llm_inference_router.evaluation.data import read_rows
from llm_inference_router.evaluation.forecast import leave_source_out
from llm_inference_router.evaluation.scorecard import Settings, scorecard_of
from llm_inference_router.evaluation.table import table_of
from llm_inference_router.learning.artefact import ArtefactError
from tests.evaluation import tables
from tests.evaluation.lengths import Lengths, train


def load(path: Path) -> Lengths:
    try:
        return Lengths(**json.loads(path.read_text()))
    except ValueError as error:
        raise ArtefactError(f"{path}: is no predictor: {error}") from error


MAKERS = Makers(shipped=lambda: train({"own": tables.rows(100, 77)}, 0), load=load, train=train)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("one", "two")):
        tables.write(tmp_path / f"{name}.jsonl", tables.lines(90, seed, prefix=name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(command, [*arguments, "--draws", "100"], obj=MAKERS, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def figures(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def test_tables_show_every_control(here: Path) -> None:
    shown = run("one.jsonl").stdout
    for word in (
        "APGR",
        "CPT(50)",
        "CPT(80)",
        "length only",
        "shuffled",
        "oracle",
        "AIQ",
        "singles",
        "Brier",
        "ECE",
        "Cost at equal quality",
        "predictor shipped",
        "cheapest and the best model",
        "large",
    ):
        assert word in shown


def test_figures_stay_whole_on_a_narrow_terminal(here: Path) -> None:
    files = {path.stem: table_of(path.stem, read_rows(path)) for path in (Path("one.jsonl"), Path("two.jsonl"))}
    forecasts = leave_source_out(files, train, 0, lambda _: None)
    console = Console(width=80, file=StringIO())
    show(console, scorecard_of(files, forecasts, "leave source out", "x", Settings(draws=100)))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert "\u2026" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_json_has_all_figures_and_is_the_same_again(here: Path) -> None:
    first = figures("one.jsonl", "two.jsonl", "--leave-source-out")
    assert first == figures("one.jsonl", "two.jsonl", "--leave-source-out")
    assert list(first) == ["version", "mode", "predictor", "seed", "draws", "files", "mean"]
    assert (first["mode"], first["predictor"]) == ("leave source out", "trained anew")
    assert list(first["files"]) == ["one", "two"]
    one = first["files"]["one"]
    assert one["rows"] == 90
    for rates in ("apgr", "cpt_50", "cpt_80"):
        assert set(one["pair"][rates]) == {"router", "length", "shuffled", "oracle"}
    assert set(one["money"]["aiq"]) >= {"router", "singles", "shuffled", "length", "oracle"}
    assert len(one["calibration"]["bins"]) <= 15
    assert set(one["calibration_by_model"]) == set(tables.MODELS)
    assert figures("one.jsonl", "two.jsonl", "--leave-source-out", "--seed", "1") != first


def test_folds_train_on_the_rest(here: Path) -> None:
    done = run("one.jsonl", "--folds", "3", "--json")
    assert json.loads(done.stdout)["mode"] == "3 folds"
    assert "4 of 4: one" in done.stderr


def test_a_predictor_of_a_file(here: Path) -> None:
    Path("mine.json").write_text(json.dumps({"ability": {"small": 0.0}, "middle": 4.0, "slope": 1.0}))
    found = figures("one.jsonl", "--predictor", "mine.json")
    assert found["predictor"] == "mine.json"
    assert [single["known"] for single in found["files"]["one"]["models"].values()] == [False, False, True]


def test_a_file_that_is_no_predictor_is_named(here: Path) -> None:
    assert "one.jsonl: is no predictor" in run("two.jsonl", "--predictor", "one.jsonl", code=1).stderr


def test_models_and_pair_can_be_chosen(here: Path) -> None:
    found = figures("one.jsonl", "--models", "small,middle", "--weak", "small", "--strong", "middle")
    assert list(found["files"]["one"]["models"]) == ["middle", "small"]
    assert found["files"]["one"]["pair"]["origin"] == "asked for"


def test_predictions_are_written_a_line_a_query(here: Path) -> None:
    run("one.jsonl", "two.jsonl", "--predictions", "out.jsonl", "--bars", "0.5,0.9")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(lines) == 180
    assert {line["source"] for line in lines} == {"one", "two"}
    assert set(lines[0]["chosen"]) == {"0.5", "0.9"}


def test_prompts_alone_are_predicted_and_not_scored(here: Path) -> None:
    tables.write(Path("new.jsonl"), [json.dumps({"id": str(n), "prompt": f"question {n}"}) for n in range(3)])
    done = run("new.jsonl", "--models", "small,other", "--price", "small=0.2", "--price", "other=1/5",
               "--predictions", "out.jsonl")  # fmt: skip
    assert "predicted, not scored" in done.stderr
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["0", "1", "2"]
    assert set(lines[0]["models"]) == {"small", "other"}
    assert "give --models and --predictions" in run("new.jsonl", code=1).stderr
    assert "neither trained on nor left out" in run(
        "new.jsonl", "--models", "small", "--predictions", "out.jsonl", "--folds", "2", code=1
    ).stderr  # fmt: skip
    lacking = run("new.jsonl", "--models", "small,other", "--predictions", "out.jsonl", code=1)
    assert "small: no known list price" in lacking.stderr
    assert "other: no known list price" in lacking.stderr


def test_a_report_is_written(here: Path) -> None:
    done = run("one.jsonl", "two.jsonl", "--leave-source-out", "-o", "report/new", "--json")
    written = {path.name for path in Path("report/new").iterdir()}
    assert written == {"index.html", "figures.json", "calibration.png", "one.curve.png", "one.pair.png",
                       "two.curve.png", "two.pair.png"}  # fmt: skip
    assert json.loads(Path("report/new/figures.json").read_text()) == json.loads(done.stdout)
    assert str(Path("report/new/index.html")) in done.stderr


def test_every_problem_of_every_file_is_told_at_once(here: Path) -> None:
    bad = [
        {"id": "a", "prompt": "p", "scores": {"m": 1, "n": 1}},
        {"id": "a", "prompt": "p", "scores": {"m": 1, "n": 1}},
        {"id": "c", "prompt": "p", "scores": {"m": 2, "n": 1}},
        {"id": "d", "prompt": "p", "scores": {"m": 1}},
    ]
    tables.write(Path("bad.jsonl"), [json.dumps(row) for row in bad])
    tables.write(Path("nan.jsonl"), ['{"id": "a", "prompt": "p", "scores": {"m": NaN}}'])
    tables.write(Path("single.jsonl"), ['{"id": "a", "prompt": "p", "scores": {"m": 1}}'])
    said = run("bad.jsonl", "nan.jsonl", "single.jsonl", code=1).stderr
    assert "bad.jsonl:2: id 'a' was used at bad.jsonl:1 already" in said
    assert "bad.jsonl:3: score of 'm' is 2, not a number within 0..1" in said
    assert "bad.jsonl:4: no score of 'n'" in said
    assert "nan.jsonl:1: is not JSON" in said
    assert "single.jsonl: has 1 row; a curve needs two at least" in said
    assert "--models NAME,NAME leaves the others out" in said


def test_models_and_pairs_that_are_nowhere_are_named(here: Path) -> None:
    assert "no data have scores of 'tiny'" in run("one.jsonl", "--models", "tiny,small", code=1).stderr
    said = run("one.jsonl", "two.jsonl", "--weak", "small", "--strong", "huge", code=1).stderr
    assert said.count("has no scores of 'huge'; its models are large, middle, small") == 2
    assert "two files" in run("one.jsonl", "--leave-source-out", code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weak", "small"], "--weak and --strong go together"),
        (["--weak", "small", "--strong", "small"], "name two models"),
        (["--folds", "2", "--leave-source-out"], "exclude each other"),
        (["--folds", "2", "--predictor", "one.jsonl"], "scored as it is"),
        (["--bars", "0.5,2"], "numbers within 0..1"),
        (["--bars", "a"], "numbers within 0..1"),
        (["--price", "small"], "is not MODEL=USD"),
        (["--price", "small=1/2/3"], "is not MODEL=USD"),
        (["--price", "small=-1"], "is not MODEL=USD"),
        (["--models", "a,a"], "names a model twice"),
        (["--format", "parquet"], "is not one of"),
    ],
)
def test_wrong_usage(here: Path, arguments: list[str], said: str) -> None:
    assert said in run("one.jsonl", *arguments, code=2).stderr


def test_two_sources_of_one_name_are_refused(here: Path) -> None:
    Path("sub").mkdir()
    tables.write(Path("sub/one.jsonl"), tables.lines(10))
    assert "a source called 'one' already" in run("one.jsonl", "sub/one.jsonl", code=1).stderr


def test_a_format_can_be_forced(here: Path) -> None:
    assert "one.jsonl:1: needs `global index`" in run("one.jsonl", "--format", "routerarena", code=1).stderr
