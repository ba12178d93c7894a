import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_inference_router.cli.check import command

EXAMPLES = Path(__file__).parents[2] / "examples"
BAD = "models: []\nroutes: {auto: {models: [a]}}\nservr: {}\nstore: {contant: true}\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_the_example_passes_with_warnings_notes_and_a_summary() -> None:
    result = _run(str(EXAMPLES / "router.example.yaml"))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert sum(line.startswith("warning: ") and "API_KEY is not set" in line for line in lines) == 3
    assert sum(line.startswith("warning: ") and "leaves route best" in line for line in lines) == 3
    assert sum(line.startswith("note: not available yet: ") for line in lines) == 7
    assert lines[-1] == (
        "router.example.yaml: good. Models: phi-3-mini, llama-3-8b, gpt-4o-mini, gpt-4, claude-opus. "
        "Routes: auto, by-complexity, best."
    )


def test_the_minimal_file_passes() -> None:
    result = _run(str(EXAMPLES / "router.minimal.yaml"))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "router.minimal.yaml: good. Models: small, large. Routes: auto."


def test_every_problem_is_printed_and_the_exit_code_is_1() -> None:
    Path("router.yaml").write_text(BAD, encoding="utf-8")
    result = _run()
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "router.yaml:1: models: is empty; there must be something that can answer",
        'router.yaml:2: routes.auto.models[0]: "a" is no model; there are none',
        'router.yaml:3: servr: unknown key; did you mean "server"?',
        'router.yaml:4: store.contant: unknown key; did you mean "content"?',
        "router.yaml: 4 problems",
    ]


def test_a_missing_file_names_init() -> None:
    result = _run()
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "router.yaml: no such file; `llm-router init` writes one",
        "router.yaml: 1 problem",
    ]


def test_json_holds_everything() -> None:
    Path("router.yaml").write_text(BAD, encoding="utf-8")
    result = _run("--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert found["file"] == "router.yaml"
    assert found["ok"] is False
    assert len(found["problems"]) == 4
    assert (found["models"], found["routes"]) == ([], [])


def test_json_of_a_good_file() -> None:
    result = _run("--json", str(EXAMPLES / "router.minimal.yaml"))
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert found["ok"] is True
    assert (found["models"], found["routes"]) == (["small", "large"], ["auto"])
    assert len(found["warnings"]) == 1
    assert found["notes"] == []


def test_help_has_examples() -> None:
    result = _run("--help")
    assert result.exit_code == 0
    assert "llm-router check prod.yaml" in result.output
