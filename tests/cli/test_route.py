"""`llm-router route`: decisions by the code that serves, in words, tables and JSON lines."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llm_inference_router.cli import route

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "router.example.yaml")
CONFIG = """
server:
  keys: [{name: narrow, key: sk-narrow, routes: [auto]}]
models:
  - {name: small, backend: simulated, tier: small, location: local, context: 8192}
  - name: large
    backend: simulated
    tier: large
    location: cloud
    context: 128000
    price: {input: 10, output: 30}
routes:
  auto: {models: [small, large], policy: {kind: fixed}}
  strong: {models: [large]}
rules:
  - {name: batch, when: {tags: {team: batch}}, use: {tier: large}}
  - {name: vip, when: {users: [ann]}, use: {tier: large}}
  - {name: hello, when: {keywords: [hello]}, use: {tier: small}}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "router.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return str(file)


def run(*args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(route.command, args, input=text)


def records(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_prompt_is_decided_and_explained_in_words(config: str) -> None:
    result = run("hello there", "-c", config)
    assert result.exit_code == 0
    assert result.stdout.startswith("small  (rule:hello)")
    assert 'Rule "hello" matched' in result.stdout


def test_json_is_the_decision_record(config: str) -> None:
    (record,) = records(run("hello there", "-c", config, "--json"))
    assert (record["chosen"], record["reason"], record["route"]) == ("small", "rule:hello", "auto")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "policy:fixed"),
        (("--tags", "team=batch, env=x"), "rule:batch"),
        (("--user", "ann"), "rule:vip"),
        (("--model", "large"), "pinned"),
        (("--model", "strong"), "policy:cheapest_above_bar"),
        (("--key", "narrow"), "policy:fixed"),
    ],
)
def test_options_stand_for_request_headers(config: str, options: tuple[str, ...], reason: str) -> None:
    (record,) = records(run("a question", "-c", config, "--json", *options))
    assert record["reason"] == reason


def test_a_prompt_can_come_from_standard_input(config: str) -> None:
    for args in (("-",), ()):
        (record,) = records(run(*args, "-c", config, "--json", text="@hello\n"))
        assert record["rule"] == "hello"


def test_bytes_that_are_no_text_are_read_as_question_marks(config: str) -> None:
    (record,) = records(run("\udcff hello", "-c", config, "--json"))
    assert record["rule"] == "hello"


def test_a_file_of_lines_gives_one_record_a_line(config: str, tmp_path: Path) -> None:
    lines = [
        {"prompt": "hello", "task": "x", "scores": {"a": 1}},
        {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "?"}]},
        {"model": "large", "messages": [{"role": "user", "content": "why?"}], "max_tokens": 5},
    ]
    file = tmp_path / "many.jsonl"
    file.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = records(run(f"@{file}", "-c", config, "--json"))
    assert [one["reason"] for one in found] == ["rule:hello", "rule:hello", "pinned"]
    found = records(run(f"@{file}", "-c", config, "--json", "--model", "auto"))
    assert [one["chosen"] for one in found] == ["small", "small", "small"]
    result = run(f"@{file}", "-c", config)
    assert result.exit_code == 0
    assert "3 prompts: small 2, large 1" in result.stdout


def test_a_request_that_cannot_be_decided_is_named_and_the_others_go_on(config: str, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text('{"prompt": "hello", "model": "nobody"}\n{"prompt": "hello"}\n{"prompt": 5}\n', encoding="utf-8")
    result = run(f"@{file}", "-c", config, "--json")
    assert result.exit_code == 1
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert (first["error"]["code"], first["place"]) == ("model_not_found", f"{file}:1")
    assert second["chosen"] == "small"
    assert third["error"]["type"] == "invalid_request_error"
    result = run(f"@{file}", "-c", config)
    assert result.exit_code == 1
    assert "2 of 3 could not be decided" in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("hello", "--tags", "team"), "name=value"),
        (("hello", "--key", "nobody"), "there is: narrow"),
        (("hello", "--quality", "2"), "--quality"),
        (("hello", "--quality", "nan"), "--quality"),
        (("hello", "--max-cost-usd", "inf"), "--max-cost-usd"),
        (("@nowhere.jsonl",), "nowhere.jsonl"),
        (("  ",), "give a prompt"),
    ],
)
def test_wrong_use_is_explained(config: str, args: tuple[str, ...], words: str) -> None:
    result = run(*args, "-c", config)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("line", ["not json", "[1]", '{"text": "hello"}', ""])
def test_a_broken_line_is_named_by_its_number(config: str, tmp_path: Path, line: str) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text(f"\n{line}\n", encoding="utf-8")
    result = run(f"@{file}", "-c", config)
    assert result.exit_code == 2
    assert (f"{file}:2" if line else "has no lines") in result.stderr


def test_a_key_is_held_to_its_routes(config: str) -> None:
    result = run("hello", "-c", config, "--key", "narrow", "--model", "strong")
    assert result.exit_code == 1
    assert "model_not_found" in result.stderr


def test_a_broken_config_exits_78_with_its_problems(tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    file.write_text("modles: []", encoding="utf-8")
    result = run("hello", "-c", str(file))
    assert result.exit_code == 78
    assert "router.yaml:1" in result.stderr


def test_the_example_decides_without_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (record,) = records(run("hi", "-c", EXAMPLE, "--json"))
    assert record["rule"] == "greetings"


def test_without_a_config_the_built_in_models_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("hello", "--json")
    assert "built-in configuration" in result.stderr
    assert "simulated models: sim-" in result.stderr
    (record,) = records(result)
    assert record["route"] == "auto"


def test_the_folders_own_config_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.chdir(Path(config).parent)
    (record,) = records(run("hello", "--json"))
    assert record["rule"] == "hello"


def test_what_the_qualities_rest_on_is_shown(config: str) -> None:
    (record,) = records(run("a question", "-c", config, "--json", "--model", "strong"))
    evidence = record["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["models"] == [{"model": "large", "labels": 0, "otherwise": "tier"}]
    shown = run("a question", "-c", config, "--model", "strong").stdout
    assert "No labels of your own cover this route" in shown
    assert "known from" in shown


def test_a_predictor_that_cannot_be_read_is_refused(config: str) -> None:
    file = Path(config)
    file.write_text(CONFIG.replace("models: [large]}", "models: [large], predictor: gone.model}"), encoding="utf-8")
    refused = run("a question", "-c", config)
    assert refused.exit_code == route.BAD_CONFIG
    assert f"routes.strong.predictor: {file.parent / 'gone.model'}: cannot be read" in refused.stderr
