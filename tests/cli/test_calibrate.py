"""`llm-router calibrate` on simulated models: what is paid for is kept, the cap holds, and the file can be loaded."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from llm_inference_router.cli.calibrate import command
from llm_inference_router.config.load import load as load_config
from llm_inference_router.engine import calibrate as engine
from llm_inference_router.engine import runtime
from llm_inference_router.learning.artefact import CALIBRATION, Named, load
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import shipped
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.transport.simulated import SimulatedTransport
from llm_inference_router.types import Content
from tests.store.build import record

CONFIG = """
models:
  - {name: sim-small, backend: simulated, tier: small, location: local, context: 32768,
     price: {input: 0.05, output: 0.10}}
  - {name: sim-medium, backend: simulated, tier: medium, location: cloud, context: 128000,
     price: {input: 0.15, output: 0.60}}
  - {name: sim-large, backend: simulated, tier: large, location: cloud, context: 128000,
     price: {input: 10, output: 30}}
  - {name: sim-judge, backend: simulated, tier: medium, location: cloud, context: 128000,
     price: {input: 1, output: 3}, capabilities: [json_schema]}
  - {name: sim-rambling, backend: simulated, tier: small, location: local, context: 128000,
     price: {input: 1, output: 3}, capabilities: []}
  - {name: dead, backend: openai_compatible, tier: small, location: local, context: 8192, breaker: none,
     endpoints: [{url: "http://127.0.0.1:9/v1"}]}
  - {name: sim-vectors, backend: simulated, tier: large, location: local, context: 8192, capabilities: [embeddings]}
routes:
  auto: {models: [sim-small, sim-medium, sim-large, sim-vectors], predictor: my.model,
    policy: {kind: cheapest_above_bar, bar: 0.9}}
  broken: {models: [sim-small, dead]}
  alone: {models: [sim-small]}
  paired: {models: [sim-small, sim-vectors]}
store: {url: "sqlite:///router.db", content: true}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "router.yaml").write_text(CONFIG)
    prompts: list[dict[str, Any]] = [{"prompt": f"Say in one word: what is {n} plus {3 * n}?"} for n in range(11)]
    prompts.append({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]})
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in prompts))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "SimulatedTransport", partial(SimulatedTransport, speed=1000.0))
    monkeypatch.setattr(engine, "_PAUSE_S", 0.001)
    return tmp_path


def run(*options: str, code: int = 0, judge: str = "sim-judge", route: str = "auto", budget: str = "1") -> Result:
    source = [] if {"--prompts", "--traffic"} & set(options) else ["--prompts", "prompts.jsonl"]
    arguments = ["router.yaml", "--route", route, "--judge", judge, "--budget", budget, "-o", "my.model"]
    done = CliRunner().invoke(command, [*arguments, *source, *options], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def figures(*options: str, **named: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*options, "--json", **named).stdout)
    return found


def work() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("my.model.work.jsonl").read_text().splitlines()[1:]]


def paid(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["prompt"], one["model"], one["step"]) for one in lines if one["text"] is not None]


def test_every_prompt_is_answered_by_every_model_and_judged_in_both_orders(here: Path) -> None:
    found = figures()
    assert len(paid(work())) == 12 * (3 + 2 * 2) - 2 * sum(one["same"] for one in found["tallies"].values())
    assert found["spent"] == pytest.approx(sum(one["cost"] for one in work()) / 1e12)
    for one in found["tallies"].values():
        assert one["labels"] == 12
        assert (one["unread"], one["failed"]) == (0, 0)
    assert sum(one["turned"] for one in found["tallies"].values()) > 0  # this judge draws lots
    assert found["strongest"] == "sim-large"
    assert not found["capped"]


def test_the_file_is_loaded_as_a_predictor_that_knows_the_routes_models(here: Path) -> None:
    found = figures()
    artefact = load(Path("my.model"), NAMES)
    own = artefact.labelled[CALIBRATION].models
    assert set(own) == {"sim-small", "sim-medium", "sim-large"}
    assert own["sim-small"].labels == 12
    panel = artefact.panel({name: Named((), "small") for name in own})
    latent = shipped().lens.plain(0.5)
    assert panel.quality(latent).covered == pytest.approx(1.0, abs=1e-3)
    assert artefact.card["calibration"]["judge"] == "sim-judge"
    assert found["bought"]["models"]["sim-large"]["posterior"] == pytest.approx(0.5, abs=1e-3)


def test_the_table_says_what_was_bought(here: Path) -> None:
    shown = run().stdout
    for word in ("judged by sim-judge", "moved", "Saved against always the strongest", "100 more labels", "wrote my.m"):
        assert word in shown


def test_a_second_run_pays_nothing_and_says_the_same(here: Path) -> None:
    first = figures()
    before = Path("my.model.work.jsonl").read_bytes()
    written = Path("my.model").read_bytes()
    assert figures() == first
    assert Path("my.model.work.jsonl").read_bytes() == before
    assert Path("my.model").read_bytes() == written


def test_killed_half_way_it_goes_on_and_ends_as_if_it_had_not_been(here: Path) -> None:
    """Killed with SIGKILL at the models' own slow pace, and gone on with at a quick one."""
    whole = figures()
    Path("my.model.work.jsonl").unlink()
    arguments = ["calibrate", "router.yaml", "--route", "auto", "--prompts", "prompts.jsonl", "--judge", "sim-judge"]
    arguments += ["--budget", "1", "-o", "my.model", "--concurrency", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_inference_router.cli.main", *arguments], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (Path("my.model.work.jsonl").exists() and len(work()) >= 5):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = paid(work())
    assert 5 <= len(kept) < 84
    again = figures()
    lines = paid(work())
    assert lines[: len(kept)] == kept
    assert len(set(lines)) == len(lines)
    assert again == whole


def test_interrupted_it_keeps_what_is_under_way_and_writes_what_it_has(here: Path) -> None:
    arguments = ["calibrate", "router.yaml", "--route", "auto", "--prompts", "prompts.jsonl", "--judge", "sim-judge"]
    arguments += ["--budget", "1", "-o", "my.model", "--concurrency", "1", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_inference_router.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not (Path("my.model.work.jsonl").exists() and len(work()) >= 8):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert json.loads(said)["stopped"]
    assert b"goes on from here" in told
    assert Path("my.model").exists()


@pytest.mark.parametrize("budget", ["0.008", "0.012", "0.02"])
def test_the_cap_is_never_passed_and_more_money_goes_on(here: Path, budget: str) -> None:
    found = figures("--max-output", "16", budget=budget, code=0)
    assert found["capped"]
    assert 0 < found["spent"] <= float(budget)
    done = paid(work())
    more = figures("--max-output", "16", budget="1")
    assert not more["capped"]
    assert more["spent"] > found["spent"]
    assert paid(work())[: len(done)] == done
    assert len(set(paid(work()))) == len(paid(work()))


def test_a_cap_too_small_for_one_call_sends_none(here: Path) -> None:
    refused = run(budget="0.000001", code=1)
    assert "might have passed the cap" in refused.output
    assert paid(work()) == []
    assert not Path("my.model").exists()


def test_a_judge_that_does_not_answer_in_json_gives_no_labels_and_is_paid_once(here: Path) -> None:
    refused = run(judge="sim-rambling", code=1)
    assert "no verdict could be read" in refused.output
    lines = work()
    assert [one for one in lines if one["step"] != "answer" and one["text"]]
    run(judge="sim-rambling", code=1)
    assert work() == lines


def test_verdicts_that_cannot_be_read_are_counted_beside_labels(here: Path) -> None:
    figures()
    path = Path("my.model.work.jsonl")
    head, *lines = path.read_text().splitlines()
    changed = [json.loads(line) for line in lines]
    verdict = next(one for one in changed if one["step"] == "first" and one["model"] == "sim-small")
    verdict["text"] = "The first answer is better."
    path.write_text("\n".join([head, *map(json.dumps, changed)]) + "\n")
    found = figures()["tallies"]["sim-small"]
    assert (found["labels"], found["unread"]) == (11, 1)


def test_a_model_that_is_not_there_is_given_up(here: Path) -> None:
    found = run(route="broken", code=1)
    assert "there are no labels" in found.output
    failures = [one for one in work() if one["model"] == "dead"]
    assert 5 <= len(failures) < 12
    assert all(one["detail"] and one["text"] is None and one["cost"] == 0 for one in failures)


def test_failures_of_an_upstream_are_tried_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = partial(SimulatedTransport, speed=1000.0, error_rate=0.2)
    monkeypatch.setattr(runtime, "SimulatedTransport", failing)
    found = figures("--concurrency", "2")
    labels = [one["labels"] + one["failed"] for one in found["tallies"].values()]
    assert labels == [12, 12]
    assert sum(one["labels"] for one in found["tallies"].values()) > 16
    assert len(set(paid(work()))) == len(paid(work()))


# --- recorded traffic ---------------------------------------------------------------------------------------------


def test_recorded_prompts_are_taken(here: Path) -> None:
    recorded(["user: Name a fruit.", "user: Name a fruit.", "system: Be brief.\n\nuser: Why?"])
    assert figures("--traffic")["bought"]["prompts"] == 2


@pytest.mark.parametrize(("content", "said"), [("false", "set store.content: true"), ("true", "none is recorded yet")])
def test_missing_contents_are_explained(here: Path, content: str, said: str) -> None:
    Path("router.yaml").write_text(CONFIG.replace("content: true", f"content: {content}"))
    recorded([None])
    refused = run("--traffic", code=1)
    assert said in refused.output
    assert "--prompts FILE" in refused.output


def test_a_missing_database_is_explained(here: Path) -> None:
    assert "there is no such database" in run("--traffic", code=1).output


def recorded(prompts: list[str | None]) -> None:
    async def fill() -> None:
        store = SqliteStore.open(load_config("router.yaml").store.url)
        for prompt in prompts:
            said = None if prompt is None else Content(prompt, "so")
            await store.append(structs.replace(record(), content=said))
        await store.close()

    asyncio.run(fill())


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"route": "nowhere"}, "there is no route 'nowhere'"),
        ({"judge": "nobody"}, "there is no model 'nobody'"),
        ({"route": "alone"}, "nothing to choose"),
        ({"route": "paired"}, "nothing to choose"),
        ({"budget": "0"}, "--budget"),
        ({"budget": "nan"}, "--budget"),
    ],
)
def test_what_cannot_be_asked_is_refused(here: Path, options: dict[str, str], said: str) -> None:
    assert said in run(code=2, **options).output


def test_prompts_and_traffic_exclude_each_other(here: Path) -> None:
    assert "either" in run("--prompts", "prompts.jsonl", "--traffic", code=2).output


def test_a_bad_line_is_named(here: Path) -> None:
    Path("bad.jsonl").write_text('{"prompt": "a"}\n{"text": "b"}\n')
    assert "bad.jsonl:2" in run("--prompts", "bad.jsonl", code=2).output


def test_privacy_is_not_walked_over(here: Path) -> None:
    Path("router.yaml").write_text(CONFIG + "privacy: {detect: [email]}\n")
    assert "privacy" in run(code=78).output


def test_another_judge_needs_another_file(here: Path) -> None:
    run()
    assert "begun with judge sim-judge" in run(judge="sim-rambling", code=1).output


def test_a_judge_of_its_own_answers_is_pointed_out(here: Path) -> None:
    assert "judges its own answers" in run(judge="sim-large", code=1, budget="0.0001").output
