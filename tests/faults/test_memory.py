"""Upstreams that send far more than an answer cost the router a bounded amount of memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.router import Router, serving
from tests.support.conserved import MIB, PROC, assert_conserved
from tests.support.faults.server import FaultServer, running

BIG = ("bomb", "endless", "long-line", "huge-head")
# As docs/promises.md says; an answer may have 16 MiB before it is more than any model says.
MOST = 20 * MIB
TIMES = 5

pytestmark = pytest.mark.skipif(not PROC, reason="only Linux tells the most that a process has held")


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def router(server: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    rest = "tier: small, location: local, context: 32768, health: none, breaker: none"
    models = [
        f"  - {{name: {name}, backend: openai_compatible, endpoints: [{{url: '{server.url}'}}], {rest}}}"
        for name in BIG
    ]
    routes = [f"  r-{name}: {{models: [{name}], policy: {{kind: fixed}}, retry: {{budget: 1}}}}" for name in BIG]
    text = "\n".join(["models:", *models, "routes:", *routes]) + "\n"
    with serving(tmp_path_factory.mktemp("memory"), text) as made:
        for name in BIG:  # what a first failure keeps for good
            made.chat(f"r-{name}")
        yield made


def held_at_most(router: Router) -> int:
    """Bytes, since `forgotten`."""
    status = (Path(f"/proc/{router.process.pid}") / "status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forgotten(router: Router) -> int:
    """The most that it has held begins anew: what it holds now."""
    (Path(f"/proc/{router.process.pid}") / "clear_refs").write_text("5")
    return held_at_most(router)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", BIG)
def test_what_is_too_large_takes_little(router: Router, name: str, stream: bool) -> None:
    before = forgotten(router)
    for _ in range(TIMES):
        assert router.chat(f"r-{name}", stream=stream).status == 502
    assert held_at_most(router) - before < MOST


def test_the_books_are_balanced(router: Router, server: FaultServer) -> None:
    seen = sum(server.requests.values())
    asked = len(BIG) * (1 + 2 * TIMES)
    assert_conserved(router.database, lambda: router.ask("/metrics").body.decode(), admitted=asked, seen=seen)
