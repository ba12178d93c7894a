"""Real servers and clients; a server starts when the first test asks for it, and ends before the next one starts."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.servers import SERVERS, Server, running, tail
from tests.serving.router import Router, serving

_FIGURES: list[str] = []


@dataclass(frozen=True)
class Backend:
    """A server that runs. `url` ends where the router's `endpoints` want it to."""

    server: Server
    url: str
    origin: str


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The server that the test is parametrised with (indirectly), by name. One runs at a time: pytest keeps the tests
    of one parameter together.
    """
    server = SERVERS[request.param]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.write_line(f"real servers: {text}")

    with running(server, say) as origin:
        yield Backend(server, origin + server.base, origin)


def config(backend: Backend) -> str:
    """The server as the one model `real` of route `auto`, and of a route with a name that llama-index knows."""
    model = (
        f"  - {{name: real, backend: {backend.server.backend}, endpoints: [{{url: '{backend.url}'}}], "
        f"api_key: unused, upstream_model: {backend.server.model}, tier: small, location: local, context: 1024, "
        "price: {input: 1, output: 2}, capabilities: [tools, json_schema], timeouts: {first_token: 5m, idle: 5m}}\n"
    )
    auto = "{models: [real], policy: {kind: fixed}}"
    return f"models:\n{model}routes:\n  auto: {auto}\n  claude-sonnet-4-0: {auto}\n"


@pytest.fixture(scope="session")
def router(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """The router before that server. Modules with a configuration of their own have a fixture of this name."""
    with serving(tmp_path_factory.mktemp(backend.server.name), config(backend)) as started:
        yield started


@pytest.fixture(scope="session")
def vllm_url(backend: Backend) -> str:
    """vLLM's address up to /v1, with tests/tiny-chat as `tiny` and a window of 1,024 tokens."""
    return backend.url


@pytest.fixture(scope="session")
def vllm_metrics(backend: Backend) -> str:
    return f"{backend.origin}/metrics"


@pytest.fixture
def figures() -> Iterator[list[str]]:
    """Lines that are printed after the run, whether the test passed or not."""
    lines: list[str] = []
    yield lines
    _FIGURES.extend(lines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows the end of what the server and the router wrote."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            name, path = _log_of(value)
            if path is not None:
                report.sections.append((f"log of {name}", tail(path)))
    return report


def _log_of(value: object) -> tuple[str, Path | None]:
    if isinstance(value, Backend):
        return value.server.name, value.server.log
    if isinstance(value, Router):
        return "the router", value.folder / "log"
    return "", None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _FIGURES:
        terminalreporter.section("figures")
        for line in _FIGURES:
            terminalreporter.write_line(line)
