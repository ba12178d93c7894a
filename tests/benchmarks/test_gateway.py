"""The benchmark's own laws, and one very short run of it: what it prints must be what it measured."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from benchmarks.cpu import Memory, Meter, memory, tree
from benchmarks.figures import render, render_verdicts, spread, tabulate, verdicts
from benchmarks.gateway import options
from benchmarks.load import percentile, request_body, request_bytes
from benchmarks.measure import Failed, Lengths, Sample, added_latency, burst, measure, mock, paced, started
from benchmarks.prompts import KINDS, Kind, prompts
from benchmarks.targets import TARGETS, Target, prepared

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are measured through Linux's /proc")
TINY = Lengths(
    idle=0, warm=1, answers=1, latency=0.4, burst=0.3, window=(0.2, 0.5), connections=4, paced=10, pace_ms=20
)


def sample(gateway: str, request_us: float, **fields: float) -> Sample:
    rest = dict.fromkeys(("start_s", "requests_per_s", "added_p50_ms", "added_p99_ms", "burst_us", "paced_us"), 1.0)
    memory_of = Memory(rss_mb=50.0, pss_mb=40.0)
    values = rest | fields
    return Sample(
        gateway=gateway, request_us=request_us, idle=memory_of, loaded=memory_of, after=memory_of, errors=0, **values
    )


ROUNDS = [
    {"nginx": sample("nginx", 20.0), "router": sample("router", 200.0), "litellm": sample("litellm", 10_000.0)},
    {"nginx": sample("nginx", 40.0), "router": sample("router", 480.0), "litellm": sample("litellm", 24_000.0)},
    {"nginx": sample("nginx", 30.0), "router": sample("router", 600.0), "litellm": sample("litellm", 12_000.0)},
]


def test_ratios_are_taken_within_a_round() -> None:
    times = tabulate(ROUNDS)["  whole answer, times nginx"]["router"]
    assert (times.median, times.low, times.high) == (12.0, 10.0, 20.0)
    less = tabulate(ROUNDS)["  whole answer, times less than LiteLLM"]["router"]
    assert (less.median, less.low, less.high) == (50.0, 20.0, 50.0)


def test_verdicts_follow_the_medians_and_both_directions() -> None:
    found = {one.figure: one.met for one in verdicts(tabulate(ROUNDS))}
    assert found["whole answer, times nginx"]
    assert found["whole answer, times less than LiteLLM"]
    slow = [row | {"router": sample("router", 1_000.0, start_s=1.5)} for row in ROUNDS]
    missed = {one.figure: one.met for one in verdicts(tabulate(slow))}
    assert not missed["whole answer, times nginx"]
    assert not missed["whole answer, times less than LiteLLM"]
    assert not missed["start to first answer, s"]
    assert "missed  start to first answer, s: 1.50, target at most 1.00" in render_verdicts(verdicts(tabulate(slow)))


def test_a_run_without_a_peer_leaves_its_ratio_out() -> None:
    table = tabulate([{"nginx": row["nginx"], "router": row["router"]} for row in ROUNDS])
    assert not [name for name in table if "LiteLLM" in name]
    assert not [one for one in verdicts(table) if "LiteLLM" in one.figure]


def test_the_table_shows_median_and_range() -> None:
    [line] = [line for line in render(tabulate(ROUNDS)).splitlines() if line.startswith("whole answer, CPU us")]
    assert "480 [200-600]" in line


def test_a_spread_is_median_least_and_most() -> None:
    assert (spread([3.0, 1.0, 2.0]).median, spread([3.0, 1.0]).low, spread([3.0, 1.0]).high) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles_of_one_to_a_hundred(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_peers_are_added_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert options(["--peers", "portkey"]).names == ["nginx", "router", "litellm", "portkey"]
    assert options(["--quick"]).rounds == 1
    with pytest.raises(SystemExit):
        options(["--peers", "ngnix"])
    assert "there is no gateway ngnix" in capsys.readouterr().err


@pytest.mark.parametrize("name", TARGETS)
def test_every_word_of_a_target_is_replaced(name: str, tmp_path: Path) -> None:
    target = prepared(TARGETS[name], tmp_path, 8100, 9000)
    written = [*target.command, *target.headers, *(path.read_text() for path in tmp_path.iterdir())]
    assert not [text for text in written if "@PORT@" in text or "@UPSTREAM@" in text or "@FOLDER@" in text]
    assert any("9000" in text for text in written)
    assert any("8100" in text for text in written)


def test_the_request_carries_its_length_and_its_headers() -> None:
    body = request_body("auto", stream=True, pace_ms=100)
    head, _, sent = request_bytes(80, body, ["x-one: 1"]).partition(b"\r\n\r\n")
    assert sent == body
    assert b"Content-Length: %d" % len(body) in head
    assert b"x-one: 1" in head


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_differ_and_have_about_the_wanted_length(kind: Kind) -> None:
    short, long = prompts(kind, 100, 5), prompts(kind, 1_000, 5)
    assert len(set(short)) == 5
    assert 8 < sum(map(len, long)) / sum(map(len, short)) < 12


@linux
def test_the_meter_sees_the_work_of_the_process() -> None:
    meter = Meter(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert meter.used_us() >= 50_000
    assert os.getpid() in tree(os.getpid())
    assert memory(os.getpid()).rss_mb >= memory(os.getpid()).pss_mb > 0


@linux
def test_a_gateway_that_ends_at_once_is_reported(tmp_path: Path) -> None:
    broken = Target("broken", (sys.executable, "-c", "raise SystemExit('no such option')"))
    with pytest.raises(Failed, match=r"broken did not start: it ended with 1\nno such option"), mock() as upstream:
        measure(broken, upstream, tmp_path, TINY)


@linux
def test_the_router_is_measured_against_the_mock(tmp_path: Path) -> None:
    with mock() as upstream, started(TARGETS["router"], upstream, tmp_path) as running:
        assert running.start_s > 0
        _, _, late = added_latency(running, upstream, TINY)
        burst_us, torn = burst(running, TINY)
        paced_us, loaded, broken = paced(running, TINY)
        process = running.process
    assert (late, torn, broken) == (0, 0, 0)
    assert 0 < burst_us < 100_000
    assert 0 < paced_us < 100_000
    assert loaded.rss_mb > 10
    assert process.poll() == 0, "it must end on SIGTERM"


@linux
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed; make bench installs it")
def test_a_whole_sample_of_the_router(tmp_path: Path) -> None:
    with mock() as upstream:
        found = measure(TARGETS["router"], upstream, tmp_path, TINY)
    assert found.errors == 0
    assert found.request_us > 0
    assert found.requests_per_s > 0
