from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.resilience.breaker import Breaker


def tripped() -> Breaker:
    breaker = Breaker(failures=3, window=30, rest=10)
    for at in (0.0, 1.0, 2.0):
        breaker.failed(breaker.begin(), at)
    return breaker


def test_it_opens_at_the_limit_within_the_window() -> None:
    breaker = Breaker(failures=3, window=30, rest=10)
    breaker.failed(breaker.begin(), 0)
    breaker.failed(breaker.begin(), 20)
    assert breaker.permits(20)
    breaker.failed(breaker.begin(), 40)  # the first is out of the window
    assert breaker.permits(40)
    breaker.failed(breaker.begin(), 41)
    assert not breaker.permits(41)
    assert breaker.rests_for(41) == 10


def test_one_probe_after_the_rest_decides() -> None:
    breaker = tripped()
    assert breaker.state(11.9) == "open"
    assert breaker.state(12.0) == "half_open"
    turn = breaker.begin()
    assert not breaker.permits(12.0)
    breaker.succeeded(turn)
    assert breaker.state(12.0) == "closed"


def test_a_failed_probe_opens_it_again() -> None:
    breaker = tripped()
    turn = breaker.begin()
    breaker.failed(turn, 13.0)
    assert breaker.state(22.9) == "open"
    assert breaker.permits(23.0)


def test_a_probe_without_verdict_lets_the_next_one_through() -> None:
    breaker = tripped()
    turn = breaker.begin()
    breaker.abandoned(turn)
    assert breaker.permits(12.0)


@given(st.lists(st.tuples(st.sampled_from(["ok", "bad", "left"]), st.floats(0, 20)), max_size=60))
def test_it_never_rests_longer_than_its_rest(events: list[tuple[str, float]]) -> None:
    breaker = Breaker(failures=2, window=30, rest=10)
    now = 0.0
    for kind, step in events:
        now += step
        if breaker.permits(now):
            turn = breaker.begin()
            if kind == "ok":
                breaker.succeeded(turn)
                assert breaker.permits(now)
            elif kind == "bad":
                breaker.failed(turn, now)
            else:
                breaker.abandoned(turn)
        assert breaker.permits(now + 10)


def test_a_row_of_failures_after_an_answer_has_to_last_a_second() -> None:
    breaker = Breaker(failures=3, window=30, rest=10)
    breaker.succeeded(breaker.begin())
    for number in range(9):
        breaker.failed(breaker.begin(), 5.0 + 0.1 * number)
    assert breaker.permits(6.0)
    breaker.failed(breaker.begin(), 6.0)
    assert not breaker.permits(6.0)
    breaker.succeeded(breaker.begin())
    for number in range(3):
        breaker.failed(breaker.begin(), 16.0 + 0.1 * number)
    assert not breaker.permits(16.2), "nothing was answered since the probe"


def flap(breaker: Breaker, now: float) -> float:
    """Fails every second try, a minute apart, until it opens; the rest that follows."""
    for minute in range(3):
        breaker.failed(breaker.begin(), now + 60 * minute, spare=True)
        if minute < 2:
            breaker.succeeded(breaker.begin())
    return breaker.rests_for(now + 120)


def test_one_that_only_just_closed_rests_longer_each_time_where_it_can_be_spared() -> None:
    breaker, now, rests = Breaker(failures=3, window=30, rest=10), 0.0, []
    for _ in range(6):
        rests.append(flap(breaker, now))
        now += 1000.0
        breaker.succeeded(breaker.begin())
    assert rests == [10, 20, 40, 80, 80, 80]
    for _ in range(7):
        breaker.succeeded(breaker.begin())
    assert flap(breaker, now) == 10, "it was well in between"


def test_one_that_is_down_is_probed_as_soon_as_ever() -> None:
    breaker = tripped()
    for at in (20.0, 40.0, 60.0):
        breaker.failed(breaker.begin(), at, spare=True)
        assert breaker.rests_for(at) == 10


def test_a_try_from_before_it_opened_is_no_news() -> None:
    breaker = Breaker(failures=2, window=30, rest=10)
    early = breaker.begin()
    for at in (0.0, 1.0):
        breaker.failed(breaker.begin(), at)
    assert breaker.state(2.0) == "open"
    breaker.succeeded(early)
    assert breaker.state(2.0) == "open"
    breaker.failed(early, 9.0)
    assert breaker.rests_for(9.0) == 2.0
    probe = breaker.begin()
    breaker.abandoned(early)
    assert not breaker.permits(11.0), "the probe still runs"
    breaker.succeeded(probe)
    assert breaker.permits(11.0)


def test_an_endpoint_that_often_fails_is_taken_away_where_it_can_be_spared() -> None:
    for spare, opened in ((True, True), (False, False)):
        breaker = Breaker(failures=3, window=30, rest=10)
        for at in range(3):
            breaker.succeeded(breaker.begin())
            breaker.failed(breaker.begin(), float(at), spare)
        assert (breaker.state(2.0) == "open") is opened


@given(st.integers(3, 20))
def test_rare_failures_take_nothing_away(successes: int) -> None:
    breaker = Breaker(failures=5, window=30, rest=10)
    for at in range(200):
        for _ in range(successes):
            breaker.succeeded(breaker.begin())
        breaker.failed(breaker.begin(), at / 100, spare=True)
        assert breaker.state(at / 100) == "closed"
