"""`llm-router train` on files of made-up answers: a file that serves, the same bytes again, and bad data refused."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from llm_inference_router.cli.main import main
from llm_inference_router.cli.pinned import is_pinned, wanted
from llm_inference_router.cli.train import command
from llm_inference_router.learning.artefact import Named, load
from llm_inference_router.signals.features import NAMES
from llm_inference_router.training import predictor
from llm_inference_router.types import ChatRequest, Message
from tests.evaluation import tables
from tests.training import data

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three sources and a few written prompts. The process counts as pinned, or the tests would be started anew."""
    for name, value in wanted().items():
        monkeypatch.setenv(name, value)
    data.prompts(tmp_path / "prompts.jsonl")
    data.sources(tmp_path, "one", "two", "three")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(
        command, [*arguments, "--prompts", "prompts.jsonl", "-o", "mine.msgpack"], catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    return done


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(f"{name}.jsonl").read_text().splitlines()]


def rewritten(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> None:
    """Source one, each row changed."""
    tables.write(Path("one.jsonl"), [json.dumps(change(n, row)) for n, row in enumerate(lines("one"))])


# --- what comes out ---------------------------------------------------------------------------------------------------


def test_the_same_data_give_the_same_bytes_in_any_order_and_on_any_number_of_threads(here: Path) -> None:
    bytes_of = []
    for order, threads in ((["one", "two", "three"], "1"), (["three", "one", "two"], "2")):
        files = [f"{name}.jsonl" for name in order]
        arguments = ["train", *files, "--prompts", "prompts.jsonl", "-o", "mine.msgpack"]
        fresh = {name: value for name, value in os.environ.items() if name not in wanted()}
        done = subprocess.run(
            [sys.executable, "-m", "llm_inference_router.cli.main", *arguments],
            env={**fresh, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        bytes_of.append(Path("mine.msgpack").read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_a_module_of_the_working_directory_is_not_taken_for_one_of_python(here: Path) -> None:
    Path("platform.py").write_text("raise SystemExit('not this one')\n")
    script = Path(sys.executable).parent / "llm-router"
    fresh = {name: value for name, value in os.environ.items() if name not in wanted()}
    done = subprocess.run(
        [script, "train", "one.jsonl", "--prompts", "prompts.jsonl", "-o", "mine.msgpack"],
        env=fresh,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_file_loads_and_tells_models_apart(here: Path) -> None:
    run("one.jsonl", "two.jsonl")
    artefact = load(Path("mine.msgpack"), NAMES)
    assert set(artefact.labelled) == {"one", "two"}
    found = artefact.source({model: Named((model,)) for model in tables.MODELS})
    assert found is not None
    assert set(found[1].models) == set(tables.MODELS)
    told = predictor.load(Path("mine.msgpack")).predict(
        [ChatRequest(model="auto", messages=(Message("user", "word " * 20),), body={})], ["small", "large"]
    )
    assert told.quality[0, 0] + 0.1 < told.quality[0, 1]


def test_eval_takes_the_file(here: Path) -> None:
    run("one.jsonl", "two.jsonl")
    done = CliRunner().invoke(
        main, ["eval", "three.jsonl", "--predictor", "mine.msgpack", "--draws", "100", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["predictor"] == "mine.msgpack"
    assert all(model["known"] for model in figures["files"]["three"]["models"].values())


def test_the_card_says_what_it_was_made_of(here: Path) -> None:
    run("one.jsonl", "two.jsonl", "--seed", "7")
    card = load(Path("mine.msgpack"), NAMES).card
    assert card["seed"] == 7
    assert list(card["sources"]) == ["one", "two"]
    one = card["sources"]["one"]
    assert one["files"] == {"one.jsonl": sha256(Path("one.jsonl").read_bytes()).hexdigest()}
    assert (one["rows"], one["models"], one["scores"], one["dropped"]) == (60, 3, 180, 0)
    assert one["licence"] is None
    assert card["written"]["files"] == {"prompts.jsonl": sha256(Path("prompts.jsonl").read_bytes()).hexdigest()}
    assert card["written"]["rows"] == 9 * data.EACH


def test_a_public_source_is_known_by_its_name(here: Path) -> None:
    Path("one.jsonl").rename("zeroeval.jsonl")
    run("zeroeval.jsonl")
    assert load(Path("mine.msgpack"), NAMES).card["sources"]["zeroeval"]["licence"] == "Apache-2.0"


def test_progress_goes_to_standard_error_and_the_result_to_standard_output(here: Path) -> None:
    done = run("one.jsonl", "two.jsonl")
    assert [line.strip() for line in done.stderr.splitlines() if "bytes" not in line] == [
        "reading",
        "looking for prompts that are shared",
        "without public results, so taken as of medium ability: large, middle, small",
        "one: features of 60 prompts",
        "two: features of 60 prompts",
        f"features of {9 * data.EACH} written prompts",
        "core and tasks",
        "kinds",
        "each model's own part",
        "calibration",
        "tables",
    ]
    assert sha256(Path("mine.msgpack").read_bytes()).hexdigest() in done.stderr
    version = load(Path("mine.msgpack"), NAMES).version
    assert done.stdout == f"mine.msgpack: 360 scores of 2 sources; version {version}\n"


def test_only_the_models_that_were_asked_for_are_learned(here: Path) -> None:
    rewritten(lambda n, row: row | {"scores": {"small": row["scores"]["small"]} if n else row["scores"]})
    assert "--models NAME,NAME leaves the others out" in run("one.jsonl", code=1).stderr
    assert "180 scores" not in run("one.jsonl", "--models", "small").stdout
    assert set(load(Path("mine.msgpack"), NAMES).labelled["one"].models) == {"small"}


def test_a_question_that_two_sources_hold_is_learned_once(here: Path) -> None:
    question = (
        "Which of the planets of our solar system was the first to be found by calculation, and who did it, and when? "
    )
    for name in ("one", "two"):
        tables.write(
            Path(f"{name}.jsonl"),
            [json.dumps(row | ({} if n else {"prompt": question})) for n, row in enumerate(lines(name))],
        )
    assert "two: 1 of 60 prompts dropped" in run("two.jsonl", "one.jsonl").stderr
    sources = load(Path("mine.msgpack"), NAMES).card["sources"]
    assert [(source["rows"], source["dropped"]) for source in sources.values()] == [(60, 0), (59, 1)]


def test_a_file_that_is_there_already_is_replaced_and_nothing_is_left_beside_it(here: Path) -> None:
    Path("mine.msgpack").write_text("old")
    before = set(here.iterdir())
    run("one.jsonl")
    load(Path("mine.msgpack"), NAMES)
    assert set(here.iterdir()) == before


# --- what is refused --------------------------------------------------------------------------------------------------


def test_every_problem_of_every_file_is_told_at_once_and_nothing_is_written(here: Path) -> None:
    row = {"id": "a", "prompt": "p", "scores": {"m": 1, "n": 0}}
    bad: dict[str, list[str]] = {
        "missing": [json.dumps(row), json.dumps(row | {"id": "b", "scores": {"m": 1}})],
        "nan": ['{"id": "a", "prompt": "p", "scores": {"m": NaN}}'],
        "range": [json.dumps(row | {"scores": {"m": 1.5, "n": 0}})],
        "single": [json.dumps(row)],
        "twice": [json.dumps(row), json.dumps(row)],
        "unscored": [json.dumps({"id": "a", "prompt": "p"}), json.dumps({"id": "b", "prompt": "p"})],
    }
    for name, content in bad.items():
        tables.write(Path(f"{name}.jsonl"), content)
    Path("empty").mkdir()
    said = run(*(f"{name}.jsonl" for name in bad), "empty", code=1).stderr
    for problem in (
        "missing.jsonl:2: no score of 'n'",
        "nan.jsonl:1: is not JSON",
        "range.jsonl:1: score of 'm' is 1.5, not a number within 0..1",
        "single.jsonl: has 1 row",
        "twice.jsonl:2: id 'a' was used at twice.jsonl:1 already",
        "unscored.jsonl:1: needs `scores`",
        "empty: is a folder without .csv, .json or .jsonl files",
    ):
        assert problem in said, said
    assert not Path("mine.msgpack").exists()


def test_too_few_rows_are_refused(here: Path) -> None:
    tables.write(Path("few.jsonl"), tables.lines(5))
    assert "few: has 5 rows; training needs 20 of each source at least" in run("few.jsonl", "one.jsonl", code=1).stderr


def test_models_that_nobody_scored_are_named(here: Path) -> None:
    said = run("one.jsonl", "--models", "small,tiny", code=1).stderr
    assert "--models: no data have scores of 'tiny'; there are large, middle, small" in said
    rewritten(lambda _, row: row | {"scores": {"other": 1.0}})
    assert "one: has no scores of small" in run("one.jsonl", "two.jsonl", "--models", "small", code=1).stderr


def test_two_sources_of_one_name_are_refused(here: Path) -> None:
    Path("sub").mkdir()
    tables.write(Path("sub/one.jsonl"), tables.lines(30))
    assert "a source called 'one' already" in run("one.jsonl", "sub/one.jsonl", code=1).stderr


def test_a_source_that_holds_nothing_new_is_refused(here: Path) -> None:
    tables.write(Path("again.jsonl"), tables.lines(60, 0, prefix="other"))
    assert "one: 60 of 60 prompts are in earlier sources too" in run("one.jsonl", "again.jsonl", code=1).stderr


def test_prompts_without_a_task_are_refused(here: Path) -> None:
    tables.write(Path("prompts.jsonl"), ['{"task": "chat", "level": 2, "text": "hi"}', "no json"])
    said = run("one.jsonl", code=1).stderr
    assert "prompts.jsonl:1:" in said
    assert "prompts.jsonl:2:" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["one.jsonl"], 2, "Missing option '-o'"),
        (["-o", "x"], 2, "Missing argument 'DATA...'"),
        (["nothing.jsonl", "-o", "x"], 2, "does not exist"),
        (["one.jsonl", "-o", "nowhere/x"], 2, "there is no folder nowhere"),
        (["one.jsonl", "-o", "."], 2, "is a directory"),
        (["one.jsonl", "-o", "x", "--models", "a,a"], 2, "names a model twice"),
        (["one.jsonl", "-o", "x", "--seed", "-1"], 2, "--seed"),
        (["one.jsonl", "-o", "x" * 252], 1, "cannot be written: File name too long"),
    ],
)
def test_wrong_usage_and_places_are_refused_before_any_work(
    here: Path, arguments: list[str], code: int, said: str
) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert "reading" not in done.stderr


# --- the same bits ----------------------------------------------------------------------------------------------------


def test_a_process_is_pinned_only_with_every_variable() -> None:
    assert is_pinned({"HOME": "here", **wanted()})
    for name in wanted():
        assert not is_pinned({key: value for key, value in wanted().items() if key != name})
        assert not is_pinned({**wanted(), name: "other"})
