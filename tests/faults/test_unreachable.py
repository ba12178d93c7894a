"""Upstreams that cannot be reached, in each dialect of clients, streamed and whole, with another model to fall back to
and without. All of them are asked at once, so that they wait beside each other."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import product

import pytest

from tests.serving.router import Answer, Router, serving
from tests.support.conserved import assert_conserved, assert_given_back, held, tries
from tests.support.faults.scenarios import TEXT
from tests.support.faults.server import running
from tests.support.spoken import DIALECTS, is_whole, problem, said, wished

UNREACHABLE = {
    "closed": ("http://127.0.0.1:9/v1", "connect"),
    "unresolved": ("http://nowhere.invalid/v1", "dns"),
    "no-tls": ("https://127.0.0.1:{plain}/v1", "tls"),
    "swallows": ("http://127.0.0.1:{full}/v1", "timeout.connect"),
}
CELLS = list(product(UNREACHABLE, DIALECTS, (False, True), (False, True)))
REST = "tier: small, location: local, context: 4096, health: none, breaker: none"


def configuration(url: str, plain: int, full: int) -> str:
    models = [f"  - {{name: fb-ok, backend: openai_compatible, endpoints: [{{url: '{url}'}}], {REST}}}"]
    routes = []
    for name, (address, _) in UNREACHABLE.items():
        where = f"endpoints: [{{url: '{address.format(plain=plain, full=full)}'}}]"
        limits = ", timeouts: {connect: 500ms}" if name == "swallows" else ""
        models.append(f"  - {{name: {name}, backend: openai_compatible, {where}, {REST}{limits}}}")
        rest = "policy: {kind: fixed}, retry: {budget: 1}"
        routes.append(f"  alone-{name}: {{models: [{name}], {rest}}}")
        routes.append(f"  helped-{name}: {{models: [{name}, fb-ok], {rest}}}")
    return "\n".join(["models:", *models, "routes:", *routes, ""])


@pytest.fixture(scope="module")
def plain() -> Iterator[int]:
    """The port of a server that answers TLS with plain text."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with closing(connection), suppress(OSError):
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def full() -> Iterator[int]:
    """The port of a listener whose queue is full: a connection to it is neither made nor refused."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        port = int(listener.getsockname()[1])
        for _ in range(4):
            one = stack.enter_context(closing(socket.socket()))
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port


@pytest.fixture(scope="module")
def told(plain: int, full: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Router, list[Answer]]]:
    with (
        running() as server,
        serving(tmp_path_factory.mktemp("unreachable"), configuration(server.url, plain, full)) as router,
    ):
        before = held(router, server.port, plain, full)

        def ask(cell: tuple[str, str, bool, bool]) -> Answer:
            name, speaks, stream, fallback = cell
            path, wish = wished(speaks, "Hello", 100)
            return router.ask(path, {"model": f"{'helped' if fallback else 'alone'}-{name}", "stream": stream, **wish})

        with ThreadPoolExecutor(len(CELLS)) as many:
            answers = list(many.map(ask, CELLS))
        yield router, answers
        seen = sum(server.requests.values())
        assert_conserved(router.database, lambda: router.ask("/metrics").body.decode(), admitted=len(CELLS), seen=seen)
        assert_given_back(router, before, at_once=len(CELLS))
        assert router.stop() == 0


@pytest.mark.parametrize(
    ("name", "speaks", "stream", "fallback"),
    CELLS,
    ids=[f"{one}-{speaks}-{'stream' if stream else 'whole'}-{'fn'[not fb]}" for one, speaks, stream, fb in CELLS],
)
def test_what_cannot_be_reached(
    told: tuple[Router, list[Answer]], name: str, speaks: str, stream: bool, fallback: bool
) -> None:
    router, answers = told
    answer = answers[CELLS.index((name, speaks, stream, fallback))]
    made = tries(router, answer.headers["x-router-decision-id"])
    assert made[0]["outcome"] == UNREACHABLE[name][1]
    if fallback:
        assert answer.status == 200
        assert answer.headers["x-router-model"] == "fb-ok"
        assert said(answer).split() == TEXT.split()
        assert is_whole(answer, stream)
        return
    error = problem(answer)
    assert answer.status == 502
    assert answer.headers["x-should-retry"] == "false"
    assert error is not None
    assert error["type"] == "api_error" if speaks == "messages" else error["code"] == "upstream_unavailable"
