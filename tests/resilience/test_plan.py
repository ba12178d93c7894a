"""The laws of the plan, on every sequence of faults hypothesis can think of."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.resilience.plan import Command, Give, Plan, Try, Wait
from llm_inference_router.types import Endpoint, Fault, Model, Price

KINDS = [
    Fault("connect", "x"),
    Fault("timeout.first_token", "x"),
    Fault("reset", "x"),
    Fault("malformed", "x"),
    Fault("status", "x", status=500),
    Fault("status", "x", status=400, final=True),
    Fault("status", "x", status=400, code="context_length_exceeded"),
    Fault("rate_limited", "x", status=429, retry_after_s=0.5),
    Fault("rate_limited", "x", status=429, retry_after_s=50.0),
    Fault("auth", "x", status=401),
]


def model(name: str, endpoints: int = 1, context: int = 8192) -> Model:
    return Model(
        name=name,
        backend="openai_compatible",
        upstream_model=name,
        endpoints=tuple(Endpoint(f"{name}@{i}", f"http://{name}-{i}") for i in range(endpoints)),
        tier="small",
        location="local",
        region="",
        context=context,
        max_output=None,
        price=Price(),
        capabilities=frozenset(),
    )


def first_free(model: Model, excluded: frozenset[str]) -> Endpoint | None:
    return next((e for e in model.endpoints if e.id not in excluded), None)


def plan(chain: list[Model], attempts: int = 3, retries: int = 100) -> Plan:
    left = [retries]

    def spend() -> bool:
        left[0] -= 1
        return left[0] >= 0

    return Plan(chain, attempts=attempts, choose=first_free, spend=spend, random=lambda: 1.0, deadline=100.0)


def run(chain: list[Model], faults: list[Fault], attempts: int = 3, retries: int = 100) -> tuple[list[Try], Command]:
    """Plays the faults in turn (the last one for ever) and returns the tries and how it ended."""
    machine = plan(chain, attempts, retries)
    tries: list[Try] = []
    command = machine.start()
    for step in range(200):
        if isinstance(command, Give):
            return tries, command
        if isinstance(command, Wait):
            command = machine.waited(0.0)
            continue
        tries.append(command)
        fault = faults[min(len(tries) - 1, len(faults) - 1)]
        command = machine.failed(fault, command, float(step) / 1000)
    raise AssertionError("the plan did not end")


chains = st.lists(st.integers(1, 3), min_size=1, max_size=5).map(
    lambda sizes: [model(f"m{i}", endpoints=n) for i, n in enumerate(sizes)]
)


@given(chains, st.lists(st.sampled_from(KINDS), min_size=1, max_size=20), st.integers(1, 4))
def test_it_always_ends_within_the_tries_allowed(chain: list[Model], faults: list[Fault], attempts: int) -> None:
    tries, _ = run(chain, faults, attempts)
    counts = Counter(t.model.name for t in tries)
    assert all(n <= attempts for n in counts.values())


@given(chains, st.lists(st.sampled_from(KINDS), min_size=1, max_size=20))
def test_a_silent_endpoint_is_never_tried_again(chain: list[Model], faults: list[Fault]) -> None:
    tries, _ = run(chain, faults)
    silent: set[str] = set()
    for i, t in enumerate(tries):
        assert t.endpoint.id not in silent
        if faults[min(i, len(faults) - 1)].kind in ("connect", "timeout.first_token"):
            silent.add(t.endpoint.id)


@given(chains, st.lists(st.sampled_from(KINDS), min_size=1, max_size=20), st.integers(0, 3))
def test_retries_stay_within_the_budget(chain: list[Model], faults: list[Fault], retries: int) -> None:
    tries, _ = run(chain, faults, retries=retries)
    assert len(tries) - len({t.model.name for t in tries}) <= retries


@given(chains, st.sampled_from(KINDS))
def test_the_last_fault_is_given(chain: list[Model], fault: Fault) -> None:
    _, end = run(chain, [fault])
    assert end == Give(fault)


@given(chains, st.sampled_from([k for k in KINDS if not k.final]))
def test_every_model_is_tried_before_giving_up(chain: list[Model], fault: Fault) -> None:
    if fault.code == "context_length_exceeded":
        return
    tries, _ = run(chain, [fault])
    assert {t.model.name for t in tries} == {m.name for m in chain}


def test_the_clients_own_mistake_is_not_tried_elsewhere() -> None:
    tries, end = run([model("a"), model("b")], [Fault("status", "bad", status=400, final=True)])
    assert len(tries) == 1
    assert isinstance(end, Give)


def test_a_prompt_too_long_goes_to_a_larger_window_only() -> None:
    chain = [model("a", context=4096), model("b", context=2048), model("c", context=128000)]
    tries, _ = run(chain, [Fault("status", "long", status=400, code="context_length_exceeded")])
    assert [t.model.name for t in tries] == ["a", "c"]


def test_a_reset_gets_one_fresh_try_before_the_next_model() -> None:
    tries, _ = run([model("a"), model("b")], [Fault("reset", "x")], attempts=1)
    assert [t.model.name for t in tries] == ["a", "b"]
    tries, _ = run([model("a"), model("b")], [Fault("reset", "x")], attempts=2)
    assert [t.model.name for t in tries][:3] == ["a", "a", "b"]


def test_a_server_error_goes_to_the_next_model_first_and_comes_back_after_a_pause() -> None:
    tries, _ = run([model("a"), model("b")], [Fault("status", "x", status=503)], attempts=2)
    assert [t.model.name for t in tries] == ["a", "b", "a", "b"]


def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_not() -> None:
    machine = plan([model("a"), model("b")])
    first = machine.start()
    assert isinstance(first, Try)
    command = machine.failed(Fault("rate_limited", "x", status=429, retry_after_s=2.0), first, 0.0)
    assert isinstance(command, Wait)
    assert 2.0 <= command.seconds <= 2.2  # those who were told the same do not come back at the same moment
    again = machine.waited(2.2)
    assert isinstance(again, Try)
    assert again.endpoint == first.endpoint
    machine = plan([model("a"), model("b")])
    first = machine.start()
    assert isinstance(first, Try)
    command = machine.failed(Fault("rate_limited", "x", status=429, retry_after_s=30), first, 0.0)
    assert isinstance(command, Try)
    assert command.model.name == "b"


def test_after_content_nothing_is_tried_again() -> None:
    machine = plan([model("a"), model("b")])
    first = machine.start()
    assert isinstance(first, Try)
    machine.began()
    assert isinstance(machine.failed(Fault("reset", "x"), first, 0.0), Give)


def test_no_free_endpoint_is_said_as_such() -> None:
    machine = Plan(
        [model("a")],
        attempts=3,
        choose=lambda m, excluded: None,
        spend=lambda: True,
        random=lambda: 0.5,
        deadline=10.0,
    )
    assert machine.start() == Give(None)


def test_a_server_error_that_names_a_moment_is_waited_for() -> None:
    machine = plan([model("a"), model("b")])
    first = machine.start()
    assert isinstance(first, Try)
    told = Fault("status", "x", status=503, retry_after_s=1.0)
    assert isinstance(machine.failed(told, first, 0.0), Wait)


@pytest.mark.parametrize(
    "fault", [fault for fault in KINDS if fault.status == 500 or fault.kind in ("reset", "connect")]
)
def test_another_endpoint_of_the_model_is_tried_before_another_model(fault: Fault) -> None:
    tries, _ = run([model("a", endpoints=2), model("b")], [fault])
    assert [one.endpoint.id for one in tries[:3]] == ["a@0", "a@1", "b@0"]


def test_a_rate_limited_endpoint_is_not_waited_for_while_another_is_free() -> None:
    machine = plan([model("a", endpoints=2)])
    first = machine.start()
    assert isinstance(first, Try)
    command = machine.failed(Fault("rate_limited", "x", status=429, retry_after_s=1.0), first, 0.0)
    assert isinstance(command, Try)
    assert command.endpoint.id == "a@1"


@given(
    chain=chains,
    faults=st.lists(st.sampled_from(KINDS), min_size=1, max_size=30),
    took=st.lists(st.floats(0, 3), min_size=1, max_size=30),
    deadline=st.floats(0.1, 10),
)
def test_nothing_is_waited_for_or_tried_beyond_the_deadline(
    chain: list[Model], faults: list[Fault], took: list[float], deadline: float
) -> None:
    machine = Plan(chain, attempts=4, choose=first_free, spend=lambda: True, random=lambda: 1.0, deadline=deadline)
    now, command, step = 0.0, machine.start(), 0
    while not isinstance(command, Give):
        assert now < deadline
        if isinstance(command, Wait):
            assert now + command.seconds < deadline
            now += command.seconds
            command = machine.waited(now)
            continue
        assert command.model in chain
        assert command.endpoint in command.model.endpoints
        now += took[step % len(took)]
        command = machine.failed(faults[step % len(faults)], command, now)
        step += 1
    assert step <= 4 * len(chain)


@given(
    chain=chains,
    events=st.lists(st.tuples(st.booleans(), st.sampled_from(KINDS)), min_size=1, max_size=40),
    attempts=st.integers(1, 4),
    fits=st.sets(st.integers(0, 4)),
)
def test_after_content_only_a_cut_goes_on_and_that_within_the_tries_and_to_models_that_fit(
    chain: list[Model], events: list[tuple[bool, Fault]], attempts: int, fits: set[int]
) -> None:
    machine = plan(chain, attempts)
    command, tries, cuts = machine.start(), Counter[str](), 0
    allowed = {f"m{i}" for i in fits}
    for begins, fault in events:
        while isinstance(command, Wait):
            command = machine.waited(0.0)
        if isinstance(command, Give):
            break
        tries[command.model.name] += 1
        assert cuts == 0 or command.model.name in allowed
        if not begins:
            command = machine.failed(fault, command, 0.0)
            continue
        machine.began()
        cuts += 1
        command = machine.cut(fault, command, 0.0, lambda one: one.name in allowed)
    assert all(count <= attempts for count in tries.values())
    assert cuts <= attempts


def test_the_rest_of_an_answer_is_asked_of_the_models_that_follow_and_last_of_the_one_that_broke() -> None:
    machine = plan([model("a"), model("b"), model("c")], attempts=3)
    order = []
    command = machine.start()
    for _ in range(3):
        assert isinstance(command, Try)
        order.append(command.model.name)
        machine.began()
        command = machine.cut(Fault("truncated", "x"), command, 0.0, lambda one: True)
    assert order == ["a", "b", "c"]
    assert isinstance(command, Give)
    alone = plan([model("a")], attempts=3)
    first = alone.start()
    assert isinstance(first, Try)
    alone.began()
    assert isinstance(alone.cut(Fault("truncated", "x"), first, 0.0, lambda one: True), Try)


@given(
    chain=chains,
    events=st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from(KINDS)), min_size=1, max_size=60),
    attempts=st.integers(1, 4),
    retries=st.integers(0, 5),
)
def test_a_second_try_runs_beside_the_first_once_elsewhere_and_out_of_the_budget(
    chain: list[Model], events: list[tuple[bool, bool, Fault]], attempts: int, retries: int
) -> None:
    left = [retries]

    def spend() -> bool:
        left[0] -= 1
        return left[0] >= 0

    machine = Plan(chain, attempts=attempts, choose=first_free, spend=spend, random=lambda: 1.0, deadline=100.0)
    command, tries, hedges, too_small = machine.start(), Counter[str](), 0, 0
    for hedge, second_goes_on, fault in events:
        while isinstance(command, Wait):
            command = machine.waited(0.0)
        if isinstance(command, Give):
            break
        running, tries[command.model.name] = command, tries[command.model.name] + 1
        assert running.model.context > too_small
        beside = machine.beside(running, 0.0) if hedge else None
        if beside is not None:
            hedges += 1
            tries[beside.model.name] += 1
            assert beside.endpoint != running.endpoint
            dropped, running = (running, beside) if second_goes_on else (beside, running)
            machine.dropped(Fault("reset", "x"), dropped)
        if fault.code == "context_length_exceeded":
            too_small = max(too_small, running.model.context)
        command = machine.failed(fault, running, 0.0)
    assert hedges <= 1
    assert all(count <= attempts for count in tries.values())
    assert sum(tries.values()) - len(tries) <= retries
    assert isinstance(command, Give) or len(events) < 2 * attempts * len(chain) + 1


def test_the_second_try_prefers_another_endpoint_of_the_same_model() -> None:
    for chain, expected in (
        ([model("a", endpoints=2), model("b")], "a@1"),
        ([model("a"), model("b")], "b@0"),
    ):
        machine = plan(chain)
        first = machine.start()
        assert isinstance(first, Try)
        second = machine.beside(first, 0.0)
        assert second is not None
        assert second.endpoint.id == expected
        assert machine.beside(first, 0.0) is None
    alone = plan([model("a")])
    first = alone.start()
    assert isinstance(first, Try)
    assert alone.beside(first, 0.0) is None


def test_when_both_tries_fail_the_rest_of_the_chain_is_tried_and_no_silent_endpoint_again() -> None:
    machine = plan([model("a"), model("b"), model("c")])
    first = machine.start()
    assert isinstance(first, Try)
    second = machine.beside(first, 0.0)
    assert second is not None
    machine.dropped(Fault("timeout.first_token", "x"), first)
    third = machine.failed(Fault("timeout.first_token", "x"), second, 1.0)
    assert isinstance(third, Try)
    assert third.model.name == "c"
    end = machine.failed(Fault("timeout.first_token", "x"), third, 2.0)
    assert isinstance(end, Give)


def test_no_second_try_without_budget_or_time_or_after_content() -> None:
    chain = [model("a"), model("b")]
    poor = plan(chain, retries=0)
    first = poor.start()
    assert isinstance(first, Try)
    assert poor.beside(first, 0.0) is None
    late = plan(chain)
    first = late.start()
    assert isinstance(first, Try)
    assert late.beside(first, 100.0) is None
    begun = plan(chain)
    first = begun.start()
    assert isinstance(first, Try)
    begun.began()
    assert begun.beside(first, 0.0) is None


def test_a_window_that_proved_too_small_stays_too_small_for_the_whole_request() -> None:
    chain = [model("a", context=4096), model("b", context=128000), model("c", context=2048)]
    long = Fault("status", "long", status=400, code="context_length_exceeded")
    tries, _ = run(chain, [long, Fault("status", "x", status=500)], attempts=1)
    assert [t.model.name for t in tries] == ["a", "b"]
