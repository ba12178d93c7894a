"""A rule with `use: {location: local}` holds: whatever breaks, and whatever the route does about it, nothing of the
request reaches a model elsewhere.

Two upstreams that break on purpose. All models of one are local, all of the other are in the cloud, cheaper and better,
and behind every local one in every route; a prompt with the word `patient` may only be answered locally.
"""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.serving.router import Answer, Router, serving
from tests.support.faults.scenarios import SCENARIOS
from tests.support.faults.server import FaultServer, running

POLICIES = {
    "fixed": "{kind: fixed}",
    "complexity": "{kind: complexity, light: away, medium: NAME, heavy: away-too}",
    "cheapest": "{kind: cheapest_above_bar, bar: 0.7}",
    "utility": "{kind: utility}",
}
EXTRAS = {
    "retry": "retry: {attempts: 3, budget: 1}",
    "hedge": "retry: {budget: 1, hedge: 50ms}",
    "continue": "retry: {budget: 1, hedge: 50ms}, on_cut_stream: continue",
}
ROUTES = [f"{policy}-{extra}" for policy in POLICIES for extra in EXTRAS]
PRIVATE = "The patient has a fever. What is to be done?"
# What every route is asked: each of those that end a try, in another way, before content and after it. The rest of the
# scenarios are asked of one route: policies differ in what they choose, not in what they do when it breaks.
CORE = ("error-500", "rate-limit", "unauthorized", "context", "closed", "silent", "cut", "stall", "error-after-content")
REST = tuple(name for name in SCENARIOS if name not in CORE and name not in ("fb-ok", "long-line", "endless"))
CASES = [*((route, name) for route in ROUTES for name in CORE), *(("fixed-continue", name) for name in REST)]
ASKED = [(*case, stream) for case in CASES for stream in (False, True)]


def named(route: str, name: str, stream: bool) -> str:
    return f"{name}@{route}-{'stream' if stream else 'whole'}"


@dataclass
class World:
    router: Router
    local: FaultServer
    cloud: FaultServer

    answers: dict[str, Answer]

    def tried(self, answer: Answer) -> set[str]:
        """The models that a decision's tries went to."""
        with closing(sqlite3.connect(f"file:{self.router.settled()}?mode=ro", uri=True)) as database:
            name = answer.headers["x-router-decision-id"]
            return {row[0] for row in database.execute("SELECT model FROM attempts WHERE decision_id = ?", (name,))}


def configuration(local: FaultServer, cloud: FaultServer) -> str:
    limits = "timeouts: {connect: 1s, first_token: 300ms, idle: 300ms, total: 3s}, health: none, breaker: none"
    common = f"backend: openai_compatible, context: 128000, {limits}"
    here = (
        f"{common}, endpoints: [{{url: '{local.url}'}}], location: local, tier: small, price: {{input: 9, output: 9}}"
    )
    there = (
        f"{common}, endpoints: [{{url: '{cloud.url}'}}], location: cloud, tier: large, price: {{input: 1, output: 1}}"
    )
    models = [
        f"  - {{name: spare, upstream_model: error-500, {here}}}",
        f"  - {{name: away, upstream_model: ok, {there}}}",
        f"  - {{name: away-too, upstream_model: fb-ok, {there}}}",
    ]
    routes = []
    for route, name, stream in ASKED:
        policy, extra = route.split("-")
        model = named(route, name, stream)  # a model for each: some faults rest the endpoint that has them
        chosen = POLICIES[policy].replace("NAME", f"'{model}'")
        models.append(f"  - {{name: '{model}', {here}}}")
        chain = f"away, '{model}', away-too, spare"
        routes.append(f"  'r-{model}': {{models: [{chain}], policy: {chosen}, {EXTRAS[extra]}}}")
    rule = "rules:\n  - {name: patients, when: {keywords: [patient]}, use: {location: local}}\n"
    return "models:\n" + "\n".join(models) + "\nroutes:\n" + "\n".join(routes) + "\n" + rule


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        running() as local,
        running() as cloud,
        serving(tmp_path_factory.mktemp("places"), configuration(local, cloud)) as router,
    ):
        models = [named(*one) for one in ASKED]
        with ThreadPoolExecutor(32) as many:
            told = many.map(lambda one: router.chat(f"r-{one}", PRIVATE, stream=one.endswith("stream")), models)
            yield World(router, local, cloud, dict(zip(models, told, strict=True)))


@pytest.mark.parametrize(("route", "name", "stream"), ASKED)
def test_what_must_stay_here_is_never_sent_elsewhere(world: World, route: str, name: str, stream: bool) -> None:
    model = named(route, name, stream)
    answer = world.answers[model]
    assert world.local.requests[model] >= 1, "the local model was asked"
    assert {model} <= world.tried(answer) <= {model, "spare"}
    assert answer.headers["x-router-model"] in (model, "spare")


def test_over_all_of_them_the_cloud_saw_nothing(world: World) -> None:
    assert len(world.answers) == len(ASKED)
    assert world.cloud.accepted == 0, "not even a connection"


@pytest.mark.parametrize("wish", [{"x-router-quality": "1"}, {"x-router-max-cost-usd": "0.000000001"}])
def test_no_wish_of_a_client_widens_a_rule(world: World, wish: dict[str, str]) -> None:
    for policy in POLICIES:
        world.router.chat(f"r-error-500@{policy}-continue-stream", PRIVATE, headers=wish, stream=True)
    assert world.cloud.accepted == 0, "not even a connection"


def test_what_may_leave_does(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without the word the very same routes ask the cloud: the tests above could fail."""
    with (
        running() as local,
        running() as cloud,
        serving(tmp_path_factory.mktemp("open"), configuration(local, cloud)) as router,
    ):
        for policy in POLICIES:
            before = sum(cloud.requests.values())
            answer = router.chat(
                f"r-error-500@{policy}-continue-stream", "What is to be done about a fever?", stream=True
            )
            assert answer.status == 200
            assert answer.headers["x-router-model"].startswith("away")
            assert sum(cloud.requests.values()) > before
