from pathlib import Path

import pytest

from llm_inference_router.config.load import inspect, load
from llm_inference_router.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = """\
models:
  - {name: m, backend: openai, tier: small, location: cloud, context: 8000, api_key: "KEY"}
routes:
  auto: {models: [m]}
"""


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def _file(folder: Path, key: str = "sk-1") -> Path:
    file = folder / "router.yaml"
    file.write_text(GOOD.replace("KEY", key), encoding="utf-8")
    return file


def test_a_good_file_loads(tmp_path: Path) -> None:
    config = load(_file(tmp_path))
    assert config.models[0].api_key == "sk-1"


def test_an_unset_variable_lets_check_pass_and_serve_stop(tmp_path: Path) -> None:
    file = _file(tmp_path, "${OPENAI_API_KEY}")
    assert inspect(file).problems == ()
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.problems == [f"{file}:2: models.m.api_key: environment variable OPENAI_API_KEY is not set"]


def test_a_set_variable_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    assert load(_file(tmp_path, "${OPENAI_API_KEY}")).models[0].api_key == "sk-environment"


def test_a_relative_file_reference_begins_at_the_configs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.txt").write_text("sk-file\n", encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load(_file(tmp_path, "${file:key.txt}")).models[0].api_key == "sk-file"
    absolute = f"${{file:{tmp_path / 'key.txt'}}}"
    assert load(_file(tmp_path, absolute)).models[0].api_key == "sk-file"


@pytest.mark.parametrize("reference", ["absent.txt", ".", "large.txt", "binary.txt"])
def test_a_file_that_cannot_be_read_is_unset(tmp_path: Path, reference: str) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * 70_000)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    findings = inspect(_file(tmp_path, f"${{file:{reference}}}"))
    assert findings.problems == ()
    assert len(findings.unset) == 1


def test_all_problems_of_a_file_are_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD.replace("KEY", "${OPENAI_API_KEY}").replace("small", "smal") + "servr: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert len(caught.value.problems) == 3
    assert all(problem.startswith(f"{file}:") for problem in caught.value.problems)


def test_a_file_that_is_not_there_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="llm-router init"):
        load(tmp_path / "router.yaml")


def test_a_folder_or_an_impossible_name_is_an_error_in_words(tmp_path: Path) -> None:
    for path in (tmp_path, "a\0b"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path)


def test_an_endless_file_is_not_read_whole() -> None:
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        load("/dev/zero")


def test_the_minimal_example_starts_once_its_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert [model.name for model in load(EXAMPLES / "router.minimal.yaml").models] == ["small", "large"]


def test_a_predictors_file_begins_at_the_configs_folder_and_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for written, read in (
        ("mine.model", str(tmp_path / "mine.model")),
        (str(elsewhere / "mine.model"), str(elsewhere / "mine.model")),
        ("./default", str(tmp_path / "default")),
        ("default", "default"),
    ):
        file = _file(tmp_path)
        file.write_text(file.read_text().replace("[m]", f"[m], predictor: {written}"), encoding="utf-8")
        assert load(file).routes["auto"].predictor == read
