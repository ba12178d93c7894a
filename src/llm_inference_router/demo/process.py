"""The router as a process of its own, as an owner would run it."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from urllib.error import URLError
from urllib.request import urlopen

_READY_S = 20.0
_STOP_S = 15.0
_LOG = "server.log"
DATABASE = "demo.db"
CONFIG = Path(__file__).parent.parent / "cli" / "demo.yaml"


class ServerFailedError(Exception):
    """The server did not start; the message ends with what it printed."""


class Server:
    """A context: entering starts the router in `folder` and waits until it is ready, leaving stops it on
    every path.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / DATABASE
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        shutil.copy(CONFIG, self.folder / "demo.yaml")
        command = [sys.executable, "-m", "llm_inference_router.cli.main", "serve"]
        with (self.folder / _LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--config", "demo.yaml", "--port", str(self.port)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, after the figures have been printed
            )
        try:
            self._wait_ready()
        except BaseException:  # Ctrl-C too: the process must not stay
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that has no effect."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self) -> None:
        """Returns when the server has ended."""
        if self._process is not None:
            self._process.wait()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise ServerFailedError(f"the server ended at its start:\n{self._tail()}")
            try:
                with urlopen(f"{self.url}/readyz", timeout=1.0) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.05)
        raise ServerFailedError(f"the server was not ready after {_READY_S:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        return (self.folder / _LOG).read_text("utf-8", "replace")[-2000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
