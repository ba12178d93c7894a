import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_inference_router.cli.report import command
from tests.store.build import NOON, record
from tests.store.test_report import fill

NOW = time.time_ns() // 1_000_000


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def config(folder: Path, url: str) -> Path:
    file = folder / "router.yaml"
    file.write_text(
        f"""models:
  - {{name: little, backend: simulated, tier: small, location: local, context: 8192}}
routes:
  auto: {{models: [little]}}
store:
  url: {url}
server:
  keys:
    - {{name: one, key: "${{A_KEY_THAT_IS_NOT_SET}}"}}
"""
    )
    return file


def test_it_prints_shares_spend_saving_and_latency(tmp_path: Path) -> None:
    kept = [record(at=NOW - 1000, ttft_ms=10.0 * n, total_ms=100.0 * n) for n in range(1, 31)]
    kept += [record(at=NOW - 1000, route="best", model="big", tier="large", cost=50_000_000) for _ in range(10)]
    answer = run("--db", str(fill(tmp_path / "router.db", kept)))
    assert answer.exit_code == 0
    text = answer.output
    assert "40 requests" in text
    for part in ("auto", "best", "75.0%", "25.0%", "150 / 290 / 300", "1,500 / 2,900 / 3,000"):
        assert part in text
    assert "0.000650 USD" in text  # 30 x 5 + 10 x 50 microdollars
    assert "0.002000 USD" in text
    assert "Saving 0.001350 USD, 67.5% (95 % interval " in text
    assert "always the route's strongest model for the same tokens" in text
    assert "simulated" not in text


def test_figures_of_simulated_models_say_so(tmp_path: Path) -> None:
    kept = [record(at=NOW - 1000, simulated=n < 3) for n in range(4)]
    answer = run("--db", str(fill(tmp_path / "router.db", kept)))
    assert "little (partly simulated)" in answer.output
    assert "75.0% of the requests were answered by simulated models (little)" in answer.output
    assert "made up" in answer.output


def test_since_and_until_bound_the_window(tmp_path: Path) -> None:
    kept = [record(at=NOW - days * 86_400_000) for days in (0, 3, 8)]
    path = str(fill(tmp_path / "router.db", kept))
    assert [
        json.loads(run("--db", path, "--json", *window).output)["all"]["requests"]
        for window in ((), ("--since", "24h"), ("--since", "2w"), ("--since", "2w", "--until", "2d"))
    ] == [2, 1, 3, 2]


def test_dates_are_utc_unless_they_say_otherwise(tmp_path: Path) -> None:
    path = str(fill(tmp_path / "router.db", [record(at=NOON)]))
    found = json.loads(run("--db", path, "--json", "--since", "2026-09-21", "--until", "2026-09-22").output)
    assert found["since_ms"] == 1_789_948_800_000
    assert found["until_ms"] == 1_790_035_200_000
    assert found["all"]["requests"] == 1
    assert found["all"]["spend"] == 5_000_000


def test_json_has_the_whole_report(tmp_path: Path) -> None:
    found = json.loads(run("--db", str(fill(tmp_path / "router.db", [record(at=NOW)])), "--json").output)
    assert {"since_ms", "all", "routes", "models", "tiers", "reasons", "attempts"} <= found.keys()
    assert found["models"][0]["ttft"] == {"count": 1, "p50": 12.5, "p95": 12.5, "p99": 12.5}


def test_nothing_recorded_is_a_sentence_and_no_failure(tmp_path: Path) -> None:
    answer = run("--db", str(fill(tmp_path / "router.db", [])))
    assert answer.exit_code == 0
    assert "no requests were recorded" in answer.output


def test_a_missing_database_says_who_makes_it(tmp_path: Path) -> None:
    answer = run("--db", str(tmp_path / "router.db"))
    assert answer.exit_code == 1
    assert "no such database; `llm-router serve` makes it" in answer.output


def test_the_configuration_names_the_database_and_needs_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "mine.db", [record(at=NOW)])
    file = config(tmp_path, "sqlite:///mine.db")
    for arguments in ((), ("--config", str(file))):
        answer = run(*arguments)
        assert answer.exit_code == 0, answer.output
        assert "1 request between" in answer.output


def test_without_a_configuration_the_default_database_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "router.db", [record(at=NOW)])
    assert run().exit_code == 0


def test_a_bad_configuration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("models: 3\n")
    answer = run("--config", str(file))
    assert answer.exit_code == 78
    assert "models" in answer.output


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--since", "yesterday"), "neither an age"),
        (("--since", "1d", "--until", "2d"), "not after"),
        (("--db", "a.db", "--config", "b.yaml"), "exclude"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], word: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert word in answer.output
