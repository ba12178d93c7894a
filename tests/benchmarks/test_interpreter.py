"""Which interpreter the figures are taken with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.interpreter import candidates, fastest, main, measured
from benchmarks.targets import made_with

HERE = Path(sys.executable).parent


def test_the_first_stays_unless_another_is_clearly_faster() -> None:
    assert fastest({"first": 1.0, "other": 0.98}) == "first"
    assert fastest({"first": 1.0, "other": 0.9, "third": 0.8}) == "third"
    assert fastest({"first": 1.0, "broken": float("inf")}) == "first"


def test_each_interpreter_is_looked_at_once_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    launcher = tmp_path / "python3"
    launcher.write_text("#!/bin/sh\nexit 3\n")
    launcher.chmod(0o755)
    talker = tmp_path / "python3.12"
    talker.write_text("#!/bin/sh\necho please use something else\n")
    talker.chmod(0o755)
    (tmp_path / "python3.99").symlink_to(tmp_path / "nowhere")
    (tmp_path / "python3-config").symlink_to(sys.executable)
    (tmp_path / "python3.11").symlink_to(sys.executable)
    found = candidates(os.pathsep.join([str(tmp_path / "missing"), "", str(tmp_path), str(HERE)]))
    assert [Path(place).resolve() for place in found] == [Path(sys.executable).resolve()]
    assert sys.version.split()[0] in next(iter(found.values()))


def test_the_work_is_measured_and_a_broken_interpreter_is_never_the_fastest() -> None:
    times = measured([sys.executable, "/nowhere/python3"])
    assert 0 < times[sys.executable] < times["/nowhere/python3"] == float("inf")


def test_it_prints_a_place_alone_where_make_reads_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(HERE))
    assert main() == 0
    out, told = capsys.readouterr()
    assert Path(out.removesuffix("\n")).exists()
    assert "->" in told
    monkeypatch.setenv("PATH", "/nowhere")
    assert main() == 1


def test_an_environment_says_what_it_was_made_with(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "one")], check=True)
    assert made_with(tmp_path / "one") == made_with(Path(sys.prefix)) != ""
    assert made_with(tmp_path) == ""
    told = tmp_path / "one" / "pyvenv.cfg"
    told.write_text(told.read_text().replace("version = 3.", "version = 4."))
    assert made_with(tmp_path / "one") != made_with(Path(sys.prefix)), "another Python of the same folder"
