"""Real servers, which `make test-real` starts; a test that needs one fails without it."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

_FIGURES: list[str] = []


@pytest.fixture(scope="session")
def vllm_url() -> str:
    """vLLM's address up to /v1, with tests/tiny-chat as `tiny` and a window of 1,024 tokens."""
    url = os.environ.get("LLM_ROUTER_VLLM_URL")
    if not url:
        pytest.fail("LLM_ROUTER_VLLM_URL is not set: run `make test-real`, or scripts/real-servers.sh with a command")
    return url


@pytest.fixture(scope="session")
def vllm_metrics(vllm_url: str) -> str:
    parts = urlsplit(vllm_url)
    return f"{parts.scheme}://{parts.netloc}/metrics"


@pytest.fixture
def figures() -> Iterator[list[str]]:
    """Lines that are printed after the run, whether the test passed or not."""
    lines: list[str] = []
    yield lines
    _FIGURES.extend(lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _FIGURES:
        terminalreporter.section("figures")
        for line in _FIGURES:
            terminalreporter.write_line(line)
