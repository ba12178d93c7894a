"""Endpoints that fail are rested, and come back: by a request, or by a probe of their health."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.serving.router import Router, serving
from tests.serving.upstream import STREAM_HEAD, Behaviour, Request, answers, delta, event, fails, upstream
from tests.support.conserved import assert_conserved, assert_given_back, held
from tests.support.faults.server import running

REST = "tier: small, location: local, context: 32768, price: {input: 1, output: 2}"


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for a fact; the bound is generous because it is no measurement."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def served_by(*urls: str, settings: str = "health: none") -> str:
    """One model on these endpoints; breaker and retries are those of a file that says nothing of them."""
    endpoints = ", ".join(f"{{url: '{url}'}}" for url in urls)
    return (
        f"models:\n  - {{name: m, backend: openai_compatible, endpoints: [{endpoints}], {REST}, {settings}}}\n"
        "routes:\n  auto: {models: [m]}\n"
    )


def states(router: Router) -> list[float]:
    """0 closed, 1 half open, 2 open, by endpoint."""
    lines = router.ask("/metrics").body.decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith("llm_router_breaker_state{")]


def inflight(router: Router) -> int:
    lines = router.ask("/metrics").body.decode().splitlines()
    return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("llm_router_inflight{")))


def flaps(seed: int) -> Behaviour:
    """Fails every second request on the average."""
    luck, good, bad = random.Random(seed), answers(), fails(500)

    async def behave(writer: asyncio.StreamWriter, request: Request) -> None:
        await (bad if luck.random() < 0.5 else good)(writer, request)

    return behave


def test_with_one_of_two_endpoints_flapping_nearly_all_is_served_and_the_load_hardly_grows(tmp_path: Path) -> None:
    """Over HTTP, with the defaults: half of an endpoint's answers are 500."""
    requests, at_once = 600, 4
    with (
        upstream(m=flaps(1)) as ill,
        upstream(m=answers()) as well,
        serving(tmp_path, served_by(ill.url, well.url)) as router,
    ):
        before = held(router, ill.port, well.port)

        def ask(number: int) -> int:
            return router.chat(text=f"Question {number}", stream=number % 2 == 0).status

        with ThreadPoolExecutor(at_once) as clients:
            statuses = list(clients.map(ask, range(requests)))
        seen = len(ill.requests) + len(well.requests)
        assert statuses.count(200) / requests >= 0.995
        assert seen / requests <= 1.2
        assert len(ill.requests) >= 5, "or it was never asked, and nothing is shown"
        assert_conserved(router.database, lambda: router.ask("/metrics").body.decode(), admitted=requests, seen=seen)
        assert_given_back(router, before, at_once=2 * at_once)


def test_an_endpoint_is_back_by_a_healthy_probe_without_a_request(tmp_path: Path) -> None:
    settings = "breaker: {failures: 2, open: 1s}, health: {every: 1s}"
    with upstream(m=fails(500)) as ill, serving(tmp_path, served_by(ill.url, settings=settings)) as router:
        while states(router) == [0.0]:
            router.chat()
        ill.behaviours["m"] = answers()
        seen = len(ill.requests)
        eventually(lambda: states(router) == [0.0])
        assert len(ill.requests) == seen
        assert router.chat().status == 200


def test_a_server_that_goes_and_comes_is_noticed_by_its_probe_alone(tmp_path: Path) -> None:
    settings = "upstream_model: fb-ok, breaker: {open: 1s}, health: {every: 1s}"
    with ExitStack() as server:
        first = server.enter_context(running())
        port = first.port
        with serving(tmp_path, served_by(first.url, settings=settings)) as router:
            assert router.chat().status == 200
            server.close()
            eventually(lambda: router.ask("/readyz").status == 503)
            with running(port) as second:
                eventually(lambda: router.ask("/readyz").status == 200 and states(router) == [0.0])
                assert second.requests["fb-ok"] == 0
                assert router.chat().status == 200


def test_clients_that_read_slowly_are_no_failure_of_the_endpoint(tmp_path: Path) -> None:
    async def floods(writer: asyncio.StreamWriter, request: Request) -> None:
        writer.write(STREAM_HEAD)
        for _ in range(100_000):
            writer.write(event(delta("x" * 10_000)))
            await writer.drain()

    settings = "breaker: {failures: 2, open: 60s}, health: none, timeouts: {first_token: 1s, idle: 2s, total: 3s}"
    with upstream(m=floods) as well, serving(tmp_path, served_by(well.url, settings=settings)) as router:
        clients = [slow_reader(router) for _ in range(4)]
        eventually(lambda: inflight(router) == 4)
        eventually(lambda: inflight(router) == 0)
        assert states(router) == [0.0]
        well.behaviours["m"] = answers()
        assert router.chat().status == 200
        for one in clients:
            one.close()


def slow_reader(router: Router) -> socket.socket:
    """A client that asks for a stream and reads nothing of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", router.port))
    body = b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sendall(head + body)
    return client


def test_a_probe_over_a_connection_that_was_kept_for_too_long_is_no_verdict(tmp_path: Path) -> None:
    probes = 0

    def serve(listener: socket.socket) -> None:
        """Answers one request of each connection, and closes at the second."""
        nonlocal probes
        with suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    probes += 1
                    connection.recv(65536)

    settings = "breaker: {open: 60s}, health: {every: 1s}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with serving(tmp_path, served_by(url, settings=settings)) as router:
            eventually(lambda: probes >= 3)
            assert states(router) == [0.0]
        listener.shutdown(socket.SHUT_RDWR)


def test_what_begins_to_rest_between_decision_and_try_is_answered_as_if_it_had_rested_before(tmp_path: Path) -> None:
    """While the one probe of a half-open breaker runs, a decision may still count on its endpoint."""
    settings = "breaker: {failures: 1, open: 1s}, health: none, timeouts: {first_token: 20s}"
    with upstream(m=fails(500)) as ill, serving(tmp_path, served_by(ill.url, settings=settings)) as router:
        assert router.chat().status == 503
        eventually(lambda: states(router) == [1.0])
        ill.behaviours["m"] = answers(after=4)
        seen = len(ill.requests)
        probe = threading.Thread(target=router.chat)
        probe.start()
        eventually(lambda: len(ill.requests) > seen)
        told = [router.chat() for _ in range(3)]
        time.sleep(0.6)  # by then no decision counts on it
        told.append(router.chat())
        probe.join()
        assert {one.status for one in told} == {503}
        assert {one.json()["error"]["code"] for one in told} == {"upstream_unavailable"}
        assert all(int(one.headers["retry-after"]) >= 1 for one in told)
        assert len(ill.requests) == seen + 1
