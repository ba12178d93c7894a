"""What is known of endpoints, and what it does for a model of which one endpoint is ill. Time is counted, not slept."""

import random

import pytest

from llm_inference_router.engine.endpoints import Endpoints
from llm_inference_router.resilience.breaker import Breaker
from llm_inference_router.resilience.plan import Give, Plan, Try, Wait
from llm_inference_router.resilience.retry import RetryBudget
from llm_inference_router.types import ARGUMENTS_CODE, Endpoint, Fault, Message, Model, Price

ILL = Fault("status", "x", status=500)


def model(endpoints: int, name: str = "m") -> Model:
    return Model(
        name=name,
        backend="openai_compatible",
        upstream_model=name,
        endpoints=tuple(Endpoint(f"{name}@{i}", f"http://{name}-{i}") for i in range(endpoints)),
        tier="small",
        location="local",
        region="",
        context=8192,
        max_output=None,
        price=Price(),
        capabilities=frozenset(),
    )


def breakers(*models: Model) -> dict[str, Breaker | None]:
    return {e.id: Breaker(failures=5, window=30, rest=10) for one in models for e in one.endpoints}


class World:
    """One request after another through plans, breakers and one retry budget; an answer takes `took` seconds."""

    def __init__(self, one: Model, seed: int, system: str = "") -> None:
        self.model = one
        self.system = system
        self.endpoints = Endpoints((one,), breakers(one))
        self.random = random.Random(seed)
        self.budget = RetryBudget(0.2)
        self.now = 0.0
        self.tries: dict[str, int] = {e.id: 0 for e in one.endpoints}

    def ask(self, failing: dict[str, float]) -> bool:
        """Whether a request is answered; `failing`: how often each endpoint fails."""
        self.budget.earn()
        words = [Message("user", str(self.random.random()))]
        if self.system:
            words.insert(0, Message("system", self.system))
        plan = Plan(
            [self.model],
            attempts=3,
            choose=lambda one, excluded: self.endpoints.choose(one, excluded, words, self.now),
            spend=self.budget.spend,
            random=self.random.random,
            deadline=self.now + 60,
        )
        command = plan.start()
        while True:
            if isinstance(command, Give):
                return False
            if isinstance(command, Wait):
                self.now += command.seconds
                command = plan.waited(self.now)
                continue
            assert isinstance(command, Try)
            id = command.endpoint.id  # noqa: A001
            self.tries[id] += 1
            turn = self.endpoints.began(command.endpoint)
            self.now += 0.001
            fault = ILL if self.random.random() < failing.get(id, 0.0) else None
            self.endpoints.ended(command.endpoint, turn, fault, self.now)
            if fault is None:
                return True
            command = plan.failed(fault, command, self.now)


@pytest.mark.parametrize("gap", [0.0, 0.1, 1.0, 3.0], ids=lambda gap: f"{gap:g} s between requests")
@pytest.mark.parametrize("system", ["", "You are the assistant of a large company. " * 40], ids=["alone", "alike"])
@pytest.mark.parametrize("ill", ["m@0", "m@1"])
@pytest.mark.parametrize("seed", range(2))
def test_with_one_of_two_endpoints_flapping_nearly_all_is_served_and_the_load_hardly_grows(
    seed: int, ill: str, system: str, gap: float
) -> None:
    """Busy or quiet, and also where every conversation begins alike."""
    world, requests, served = World(model(2), seed, system), 3000, 0
    for _ in range(requests):
        served += world.ask({ill: 0.5})
        world.now += gap
    assert served / requests >= 0.995
    assert sum(world.tries.values()) / requests <= 1.2


def test_a_busy_endpoint_that_fails_two_in_five_and_cannot_be_spared_goes_on() -> None:
    world, served = World(model(1), 1), 0
    for _ in range(5000):
        served += world.ask({"m@0": 0.4})
        world.now += 0.01
    assert served / 5000 >= 0.55


def test_a_busy_endpoint_that_dies_rests_within_seconds() -> None:
    world = World(model(1), 1)
    for _ in range(100):
        assert world.ask({})
        world.now += 0.01
    died = world.now
    while "m" not in world.endpoints.resting(world.now):
        world.ask({"m@0": 1.0})
        world.now += 0.01
    assert world.now - died < 2.0


def test_an_endpoint_that_is_well_again_gets_its_share_within_seconds() -> None:
    world = World(model(2), 1)
    for _ in range(500):
        world.ask({"m@0": 1.0})
    before = world.tries["m@0"]
    world.now += 10.0
    for _ in range(100):
        assert world.ask({})
    assert world.tries["m@0"] - before >= 30


def test_a_conversation_goes_where_its_beginning_is_cached_while_that_is_no_busier() -> None:
    one = model(4)
    endpoints = Endpoints((one,), breakers(one))
    system = Message("system", "You are the assistant of a large company. " * 40)

    def chosen(*said: str) -> str:
        roles = ("user", "assistant", "user")
        turns = [Message(role, text) for role, text in zip(roles, said, strict=False)]  # type: ignore[arg-type]
        found = endpoints.choose(one, frozenset(), (system, *turns), 0.0)
        assert found is not None
        return found.id

    firsts = [f"question {number}" for number in range(40)]
    assert [chosen(first) for first in firsts] == [chosen(first, "An answer.", "And then?") for first in firsts]
    assert {chosen(first) for first in firsts} == {endpoint.id for endpoint in one.endpoints}
    favourite = next(endpoint for endpoint in one.endpoints if endpoint.id == chosen("hello"))
    for _ in range(3):
        endpoints.began(favourite)
    assert chosen("hello") != favourite.id


def test_of_endpoints_that_are_all_ill_alike_one_is_kept() -> None:
    """Half of the requests fail everywhere: an answer from a bad endpoint beats none from resting ones."""
    world = World(model(3), 1)
    for _ in range(60):
        world.ask({"m@0": 0.4, "m@1": 0.4, "m@2": 0.4})
    assert "m" not in world.endpoints.resting(world.now)


def test_an_upstream_that_asks_for_time_is_given_it() -> None:
    one = model(1)
    endpoints = Endpoints((one,), breakers(one))
    [only] = one.endpoints
    for status, limited in ((429, True), (503, False)):
        kind = "rate_limited" if limited else "status"
        fault = Fault(kind, "x", status=status, retry_after_s=2.0)  # type: ignore[arg-type]
        endpoints.ended(only, endpoints.began(only), fault, now=float(status))
        assert endpoints.resting(status + 1.9) == {"m"}
        assert endpoints.limited({"m"}) == ({"m"} if limited else set())
        assert endpoints.rests_for({"m"}, status + 0.5) == pytest.approx(1.5)
        assert not endpoints.resting(status + 2.0)


def test_a_drained_endpoint_ends_what_it_runs_and_gets_nothing_new() -> None:
    one = model(2)
    endpoints = Endpoints((one,), breakers(one))
    turn = endpoints.began(one.endpoints[0])
    endpoints.drain("m@0", True)
    for i in range(20):
        assert endpoints.choose(one, frozenset(), (Message("user", str(i)),), 0.0) == one.endpoints[1]
    assert (endpoints.drained(), endpoints.running()) == (("m@0",), {"m": 1})
    endpoints.ended(one.endpoints[0], turn, None, 1.0)
    assert endpoints.running() == {"m": 0}
    endpoints.drain("m@0", False)
    assert endpoints.drained() == ()
    with pytest.raises(KeyError):
        endpoints.drain("nobody", True)


def test_what_is_known_of_an_endpoint_survives_a_new_configuration_and_that_of_a_changed_one_does_not() -> None:
    kept, gone = model(1, "kept"), model(1, "gone")
    before = Endpoints((kept, gone), breakers(kept, gone))
    running = before.began(kept.endpoints[0])
    for _ in range(5):
        before.ended(gone.endpoints[0], before.began(gone.endpoints[0]), ILL, 1.0)
    limited = Fault("rate_limited", "x", status=429, retry_after_s=30)
    before.ended(kept.endpoints[0], before.began(kept.endpoints[0]), limited, 1.0)
    moved = model(1, "gone")
    moved = Model(
        **{f: getattr(moved, f) for f in moved.__struct_fields__} | {"endpoints": (Endpoint("gone@0", "http://x"),)}
    )
    after = Endpoints((kept, moved), breakers(kept, moved), before)
    assert after.resting(2.0) == {"kept"}
    assert after.running() == {"kept": 1, "gone": 0}
    before.ended(kept.endpoints[0], running, None, 2.0)
    assert after.running() == {"kept": 0, "gone": 0}


@pytest.mark.parametrize(
    ("fault", "opens"),
    [
        (ILL, True),
        (Fault("malformed", "x"), True),
        (Fault("malformed", "x", code=ARGUMENTS_CODE), False),
        (Fault("status", "a field that it does not know", status=422), False),
        (Fault("status", "a validation error that it calls 500", status=400), False),
        (Fault("status", "too long", status=400, code="context_length_exceeded"), False),
    ],
)
def test_the_mistake_of_a_client_or_of_a_model_is_no_failure_of_the_endpoint(fault: Fault, opens: bool) -> None:
    one = model(1)
    endpoints = Endpoints((one,), breakers(one))
    for _ in range(20):
        endpoints.ended(one.endpoints[0], endpoints.began(one.endpoints[0]), fault, 1.0)
    assert (one.name in endpoints.resting(1.0)) is opens


def test_a_breaker_whose_settings_change_begins_anew_and_what_ran_under_the_old_one_is_no_news_to_it() -> None:
    one = model(1)
    [only] = one.endpoints
    before = Endpoints((one,), breakers(one))
    late = [before.began(only) for _ in range(2)]
    for _ in range(5):
        before.ended(only, before.began(only), ILL, 1.0)
    assert before.resting(1.0) == {"m"}
    assert Endpoints((one,), breakers(one), before).resting(1.0) == {"m"}
    after = Endpoints((one,), {only.id: Breaker(failures=1, window=30, rest=3600)}, before)
    assert after.resting(1.0) == frozenset()
    assert after.running() == {"m": 2}
    before.ended(only, late[0], ILL, 1.1)
    assert after.resting(1.1) == frozenset()
    after.ended(only, after.began(only), ILL, 1.2)
    assert after.resting(3000.0) == {"m"}
    assert Endpoints((one,), {only.id: None}, after).resting(3000.0) == frozenset()


@pytest.mark.parametrize(
    ("fault", "forgotten"),
    [
        (Fault("auth", "x", status=401), True),
        (Fault("rate_limited", "x", status=429, retry_after_s=60.0), True),
        (Fault("status", "x", status=503, retry_after_s=60.0), False),
    ],
    ids=lambda one: one.kind if isinstance(one, Fault) else "",
)
def test_a_new_key_ends_the_rest_that_its_predecessor_caused(fault: Fault, forgotten: bool) -> None:
    one = model(1)
    [only] = one.endpoints
    before = Endpoints((one,), breakers(one), keys={"m": "old"})
    late = before.began(only)
    before.ended(only, before.began(only), fault, 1.0)
    assert Endpoints((one,), breakers(one), before, keys={"m": "old"}).resting(2.0) == {"m"}
    after = Endpoints((one,), breakers(one), before, keys={"m": "new"})
    assert after.resting(2.0) == (frozenset() if forgotten else {"m"})
    before.ended(only, late, fault, 2.0)
    assert after.resting(3.0) == (frozenset() if forgotten else {"m"}), "what the old key met is no news of the new one"
