"""Endpoints that fail are rested, and come back: by a request, or by a probe of their health."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.serving.router import Router, serving
from tests.serving.upstream import Behaviour, Request, answers, fails, upstream
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
