"""`llm-router demo` from outside: the real server, the official client, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "llm_inference_router.cli.main", "demo"]


def left_behind(folder: Path) -> list[str]:
    """What still lies in the folder for temporary files, and which processes still run there."""
    running = [
        link.parent.name
        for link in Path("/proc").glob("[0-9]*/cwd")
        if os.access(link, os.R_OK) and str(folder) in os.readlink(link)
    ]
    return [*(path.name for path in folder.iterdir()), *running]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    command = [*COMMAND, "--check", "--requests", "40", "--json"]
    done = subprocess.run(
        command, env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True, timeout=120, check=False
    )
    return done, folder


@pytest.fixture(scope="module")
def figures(checked: tuple[subprocess.CompletedProcess[str], Path]) -> dict[str, Any]:
    done, _ = checked
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_every_request_is_answered_recorded_and_marked(figures: dict[str, Any]) -> None:
    assert figures["requests"] == 40
    assert (figures["errors"], figures["unrecorded"], figures["unmarked"]) == (0, 0, 0)
    assert figures["problems"] == []


def test_the_requests_spread_over_the_tiers_and_cost_less(figures: dict[str, Any]) -> None:
    assert sum(tier["requests"] for tier in figures["tiers"]) == 40
    assert sum(tier["requests"] > 0 for tier in figures["tiers"]) >= 2
    money = figures["money"]
    assert 0 <= money["spend_usd"] < money["always_strongest_usd"]


def test_no_greeting_goes_to_the_large_model(figures: dict[str, Any]) -> None:
    assert figures["simple"]["greetings"] > 0
    assert figures["simple"]["greetings_on_large"] == 0


def test_a_decision_of_each_band_is_explained(figures: dict[str, Any]) -> None:
    assert [one["band"] for one in figures["explained"]] == ["light", "medium", "heavy"]
    for one in figures["explained"]:
        decision = one["decision"]
        assert decision["signals"]["complexity"]["band"] == one["band"]
        assert decision["chosen"] in [candidate["model"] for candidate in decision["candidates"]]
        assert decision["why"]


def test_every_figure_says_that_it_is_simulated(figures: dict[str, Any]) -> None:
    assert figures["simulated"] is True
    assert figures["note"].startswith("Simulated models")
    assert all(tier["model"].startswith("sim-") for tier in figures["tiers"])


def test_the_server_and_its_folder_are_gone(
    checked: tuple[subprocess.CompletedProcess[str], Path], figures: dict[str, Any]
) -> None:
    assert left_behind(checked[1]) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # whoever runs the tests may ignore it
    ) as running:
        try:
            assert running.stderr is not None
            while "answered" not in (line := running.stderr.readline()):
                assert line, "the demo ended before it began"
            running.send_signal(number)
            running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode in (130, 143)
    time.sleep(0.1)
    assert left_behind(tmp_path) == []


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--check", "--port", port, "--requests", "1"],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(tmp_path) == []
