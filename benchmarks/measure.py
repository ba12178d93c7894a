"""One gateway in one round: started, asked, loaded, stopped. Latencies are added to those of the mock alone."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import nan
from pathlib import Path

from msgspec import Struct

from benchmarks.cpu import Memory, Meter, memory, pinned, tree
from benchmarks.load import request_body, request_bytes
from benchmarks.script import Speech
from benchmarks.targets import Target, prepared

_ROOT = Path(__file__).resolve().parent.parent
_GATEWAY_CORE, _LOAD_CORE = 0, 1
_WRK = re.compile(r"^JSON (.*)$", re.MULTILINE)
_TERMINATE_S = 5.0


class Failed(Exception):
    """A gateway did not start, or a program of the benchmark failed; says which and what it printed."""


class Lengths(Struct, frozen=True):
    """How long each part takes, in seconds; `window` is counted from the start of the paced streams."""

    idle: float = 1.0
    warm: float = 1.5
    answers: float = 6.0
    latency: float = 4.0
    burst: float = 5.0
    window: tuple[float, float] = (2.8, 5.8)
    connections: int = 32  # of wrk
    paced: int = 200  # streams
    pace_ms: int = 100


QUICK = Lengths(warm=1.0, answers=3.0, latency=2.0, burst=2.0)


class Sample(Struct, frozen=True):
    """What one round says about one gateway. Times as named; per chunk means per event that reached the client."""

    gateway: str
    start_s: float
    idle: Memory
    request_us: float
    requests_per_s: float
    added_p50_ms: float
    added_p99_ms: float
    burst_us: float
    paced_us: float
    loaded: Memory  # with the paced streams
    after: Memory
    errors: int
    messages_us: float = nan  # as `paced_us`, of Messages to an upstream that speaks them; nan: not measured
    responses_us: float = nan  # the same of Responses


class Running(Struct):
    target: Target
    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    start_s: float


def measure(target: Target, upstream: int, folder: Path, lengths: Lengths) -> Sample:
    """Raises Failed. `folder` must exist and be empty; `upstream` is the mock's port."""
    with started(target, upstream, folder) as running:
        pid = running.process.pid
        time.sleep(lengths.idle)
        idle = memory(pid)
        request_us, requests_per_s, bad = whole_answers(running, lengths)
        added_p50_ms, added_p99_ms, late = added_latency(running, upstream, lengths)
        burst_us, torn = burst(running, lengths)
        paced_us, loaded, broken = paced(running, lengths)
        relayed = {speech: paced(running, lengths, speech) for speech in target.relays}
        return Sample(
            gateway=target.name,
            start_s=running.start_s,
            idle=idle,
            request_us=request_us,
            requests_per_s=requests_per_s,
            added_p50_ms=added_p50_ms,
            added_p99_ms=added_p99_ms,
            burst_us=burst_us,
            paced_us=paced_us,
            loaded=loaded,
            after=memory(pid),
            errors=bad + late + torn + broken + sum(lost for _, _, lost in relayed.values()),
            messages_us=relayed["messages"][0] if "messages" in relayed else nan,
            responses_us=relayed["responses"][0] if "responses" in relayed else nan,
        )


def whole_answers(running: Running, lengths: Lengths) -> tuple[float, float, int]:
    """CPU us per whole answer at full speed, answers per second, errors."""
    _wrk(running, lengths.warm, 8)
    meter = Meter(running.process.pid)
    result = _wrk(running, lengths.answers, lengths.connections)
    used = meter.used_us()
    good = result["requests"] - result["bad"]
    return used / max(1, good), good / result["duration_us"] * 1e6, result["bad"] + result["broken"]


def added_latency(running: Running, upstream: int, lengths: Lengths) -> tuple[float, float, int]:
    """Median and 99th percentile in ms at 100 requests a second, less those of the mock asked directly before and
    after; errors.
    """

    def direct() -> Mapping[str, float]:
        return _load(upstream, "answers", "--seconds", str(lengths.latency / 2))

    before = direct()
    through = _load(running.port, "answers", "--seconds", str(lengths.latency), target=running.target)
    after = direct()

    def added(name: str) -> float:
        return through[name] - (before[name] + after[name]) / 2

    return added("p50_ms"), added("p99_ms"), int(through["errors"])


def burst(running: Running, lengths: Lengths) -> tuple[float, int]:
    """CPU us per chunk of 16 streams as fast as they come, request and decision included; errors."""
    meter = Meter(running.process.pid)
    result = _load(
        running.port, "streams", "--connections", "16", "--seconds", str(lengths.burst), target=running.target
    )
    return meter.used_us() / max(1.0, result["events"]), int(result["errors"])


def paced(running: Running, lengths: Lengths, speech: Speech = "chat") -> tuple[float, Memory, int]:
    """CPU us per chunk in the middle of many slow streams, memory with them, errors. `speech`: what the client and the
    upstream speak.
    """
    command = _load_command(
        running.port,
        *("streams", "--connections", str(lengths.paced), "--seconds", "0.5", "--pace", str(lengths.pace_ms)),
        *("--window", *map(str, lengths.window), "--speech", speech),
        target=running.target,
        model=running.target.relays.get(speech),
    )
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        begun = _events(load.stdout.readline())
        meter = Meter(running.process.pid)
        ended = _events(load.stdout.readline())
        used = meter.used_us()
        loaded = memory(running.process.pid)
        last = load.stdout.readline()
    if not last or ended <= begun:
        raise Failed(f"{running.target.name}: no chunk came through within the window of the paced streams")
    return used / (ended - begun), loaded, int(json.loads(last)["errors"])


def _events(line: str) -> int:
    return int(json.loads(line)["events"]) if line else 0


@contextmanager
def mock(chunks: int = 64) -> Iterator[int]:
    """The mock upstream, until the block ends; its port."""
    command = pinned([sys.executable, "-m", "benchmarks.upstream", "--chunks", str(chunks)], _LOAD_CORE)
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise Failed("the mock upstream did not start")
            yield int(line)
        finally:
            process.terminate()


@contextmanager
def started(target: Target, upstream: int, folder: Path) -> Iterator[Running]:
    """The gateway, answering, until the block ends. Raises Failed."""
    port = free_port()
    target = prepared(target, folder, port, upstream)
    log = folder / "log"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            pinned(list(target.command), _GATEWAY_CORE),
            cwd=folder,
            env=os.environ | target.environment,
            stdout=out,
            stderr=out,
        )
        try:
            reason = _first_answer(process, target, port, began + target.boot_s)
            if reason:
                raise Failed(f"{target.name} did not start: {reason}\n{log.read_text(errors='replace')[-2000:]}")
            yield Running(target, process, port, folder, time.perf_counter() - began)
        finally:
            stop(process)


def _first_answer(process: "subprocess.Popen[bytes]", target: Target, port: int, until: float) -> str:
    """Asks until a good answer comes; else why none did."""
    request = request_bytes(port, request_body(target.model), (*target.headers, "Connection: close"))
    reason = "it listens to nobody"
    while time.perf_counter() < until:
        if process.poll() is not None:
            return f"it ended with {process.returncode}"
        try:
            answer = _once(port, request)
        except OSError:
            time.sleep(0.005)
            continue
        if answer.startswith(b"HTTP/1.1 200"):
            return ""
        reason = repr(answer[:300])
        time.sleep(0.02)
    return reason


def _once(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the whole tree, kindly first."""
    pids = tree(process.pid)
    for one, patience in ((signal.SIGTERM, _TERMINATE_S), (signal.SIGKILL, _TERMINATE_S)):
        for pid in pids:
            try:
                os.kill(pid, one)
            except ProcessLookupError:
                continue
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        pids = [pid for pid in pids if tree(pid)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wrk(running: Running, seconds: float, connections: int) -> dict[str, int]:
    body = running.folder / "body.json"
    body.write_bytes(request_body(running.target.model))
    whole = max(1, round(seconds))
    url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
    script = str(Path(__file__).resolve().parent / "wrk.lua")
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "20s", "-s", script, url]
    environment = os.environ | {"WRK_BODY": str(body), "WRK_HEADERS": "\n".join(running.target.headers)}
    ended = subprocess.run(pinned(wrk, _LOAD_CORE), env=environment, capture_output=True, text=True, check=False)
    found = _WRK.search(ended.stdout)
    if found is None:
        raise Failed(f"wrk failed on {running.target.name}: {(ended.stdout + ended.stderr)[-500:]}")
    result: dict[str, int] = json.loads(found[1])
    return result


def _load_command(
    port: int, mode: str, *options: str, target: Target | None = None, model: str | None = None
) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.load", mode, str(port), *options]
    if target is not None:
        command += ["--model", model or target.model]
        for line in target.headers:
            command += ["--header", line]
    return pinned(command, _LOAD_CORE)


def _load(port: int, mode: str, *options: str, target: Target | None = None) -> dict[str, float]:
    ended = subprocess.run(
        _load_command(port, mode, *options, target=target), cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        raise Failed(f"the load program failed: {ended.stderr[-500:]}")
    result: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return result
