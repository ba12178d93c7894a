"""The router as its users run it: `llm-router serve` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

COMMAND = [sys.executable, "-m", "llm_inference_router.cli.main"]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Router:
    port: int
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "router.db"

    def settled(self) -> Path:
        """The database, once all that was answered is in it."""
        journal = self.folder / "router.db.journal"
        end = time.monotonic() + 20
        while journal.exists() and journal.stat().st_size:
            assert time.monotonic() < end, "the journal is not taken in"
            time.sleep(0.005)
        return self.database

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ask(
        self, path: str, body: Any = None, method: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own. `body`: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        method = method or ("GET" if body is None else "POST")
        fields = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", "Content-Type": "application/json"}
        fields |= dict(headers or {}) | {"Content-Length": str(len(data))}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        return parse(self.raw(head.encode() + b"\r\n" + data))

    def raw(self, data: bytes, timeout: float = 30.0) -> bytes:
        """Sends bytes and reads until the router closes."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=timeout)) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def chat(
        self, model: str = "auto", text: str = "Hello", headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Answer:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        return self.ask("/v1/chat/completions", body, headers=headers)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunk(body)
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def _unchunk(data: bytes) -> bytes:
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts)


def events(answer: Answer) -> list[Any]:
    """The JSON of a stream's events; the end marker as the string it is. Comments are passed over."""
    frames = [frame for frame in answer.body.split(b"\n\n") if frame and not frame.startswith(b":")]
    lines = [frame.removeprefix(b"data: ") for frame in frames]
    return [line.decode() if line == b"[DONE]" else orjson.loads(line) for line in lines]


def start(folder: Path, config: str, **environ: str) -> Router:
    """Starts the router on a free port and waits until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "router.yaml").write_text(config)
    log = (folder / "log").open("wb")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*COMMAND, "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log, env={**os.environ, **environ})
    log.close()
    router = Router(port, folder, process)
    for _ in range(2400):  # a minute: a machine may be busy with other tests
        if process.poll() is not None:
            raise RuntimeError(f"the router ended with {process.returncode}:\n{router.log()}")
        try:
            if router.ask("/livez").status == 200:
                return router
        except OSError:
            time.sleep(0.025)
    process.kill()
    raise RuntimeError(f"the router did not start:\n{router.log()}")


@contextmanager
def serving(folder: Path, config: str, **environ: str) -> Iterator[Router]:
    router = start(folder, config, **environ)
    try:
        yield router
    finally:
        if router.process.poll() is None:
            router.process.kill()
            router.process.wait()


def config(
    url: str, *names: str, extra: str = "", timeouts: str = "{connect: 500ms, first_token: 1s, idle: 1s, total: 5s}"
) -> str:
    """Models of these names on one upstream, small to large; route `auto` tries them in that order."""
    tiers = ["small", "medium", "large"]
    models = "\n".join(
        f"  - {{name: {name}, backend: openai_compatible, endpoints: [{{url: '{url}'}}], tier: {tiers[min(i, 2)]}, "
        f"location: {'local' if i == 0 else 'cloud'}, context: 32768, price: {{input: {i}, output: {2 * i}}}, "
        f"capabilities: [tools, json_schema], health: none, breaker: none, timeouts: {timeouts}}}"
        for i, name in enumerate(names)
    )
    return f"models:\n{models}\nroutes:\n  auto: {{models: [{', '.join(names)}], policy: {{kind: fixed}}}}\n{extra}\n"
