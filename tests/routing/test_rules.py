"""The first rule whose conditions all hold narrows the choice."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config.schema import Constraint, Rule, When
from llm_inference_router.routing.ask import Ask
from llm_inference_router.routing.rules import compile_rule, first_match
from llm_inference_router.types import Caller, Message
from tests.routing.build import ask, model, signals

MODELS = (model("small"), model("large", "large"))
ANY = Constraint(tier="small")


def holds(when: When, asked: Ask) -> bool:
    return first_match([compile_rule(Rule(name="r", when=when, use=ANY), MODELS)], asked) is not None


def berlin(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)


def test_without_conditions_a_rule_always_holds() -> None:
    assert holds(When(), ask())


def test_the_first_match_wins() -> None:
    rules = [
        compile_rule(Rule(name=name, when=When(keywords=(word,)), use=ANY), MODELS)
        for name, word in (("one", "tea"), ("two", "milk"), ("three", "milk"))
    ]
    found = first_match(rules, ask("milk and honey"))
    assert found is not None
    assert found.name == "two"


@pytest.mark.parametrize(
    ("when", "good", "bad"),
    [
        (
            When(task=("code", "chat")),
            ask(measured=signals(task="code")),
            ask(measured=signals(task="agent")),
        ),
        (
            When(language=("pt-BR", "DE")),
            ask(measured=signals(language="pt")),
            ask(measured=signals(language="en")),
        ),
        (When(users=("alice", "bob")), ask(caller=Caller(user="bob")), ask(caller=Caller(user="Bob"))),
        (When(keys=("research",)), ask(caller=Caller(key="research")), ask()),
        (
            When(tags={"team": "batch", "env": "prod"}),
            ask(caller=Caller(tags={"team": "batch", "env": "prod", "more": "1"})),
            ask(caller=Caller(tags={"team": "batch"})),
        ),
        (When(pattern="(?i)review (this|my) code"), ask("Please REVIEW my code"), ask("review code")),
        (When(pattern="^größe$"), ask("größe"), ask("die größe")),
        (When(keywords=("hello", "hi")), ask("Hi!"), ask("this")),
        (When(users=()), None, ask()),
        (When(keywords=()), None, ask("hello")),
    ],
)
def test_each_condition_holds_and_does_not_hold(when: When, good: Ask | None, bad: Ask) -> None:
    assert good is None or holds(when, good)
    assert not holds(when, bad)


@pytest.mark.parametrize(("tokens", "within"), [(9, False), (10, True), (20, True), (21, False)])
def test_token_limits_belong_to_the_range(tokens: int, within: bool) -> None:
    when = When(min_prompt_tokens=10, max_prompt_tokens=20)
    assert holds(when, ask(measured=signals(prompt_tokens=tokens))) is within


@pytest.mark.parametrize(("value", "within"), [(0.29, False), (0.3, True), (0.6, True), (0.61, False)])
def test_complexity_limits_belong_to_the_range(value: float, within: bool) -> None:
    assert holds(When(min_complexity=0.3, max_complexity=0.6), ask(measured=signals(complexity=value))) is within


def test_only_the_last_ask_is_read_unless_the_rule_reads_the_conversation() -> None:
    turns = (Message("system", "the contract"), Message("assistant", "statute 12"), Message("user", "go on"))
    asked = ask("go on", messages=turns)
    assert not holds(When(keywords=("contract",)), asked)
    assert holds(When(keywords=("contract",), in_="conversation"), asked)
    assert not holds(When(pattern="statute [0-9]+"), asked)
    assert holds(When(pattern="statute [0-9]+", in_="conversation"), asked)


def test_a_keyword_of_two_words_does_not_span_two_turns() -> None:
    turns = (Message("user", "power of"), Message("user", "attorney"))
    assert not holds(When(keywords=("power of attorney",), in_="conversation"), ask("attorney", messages=turns))


def test_the_whole_ask_is_read_however_long() -> None:
    filler = "nothing to see here. " * 20_000
    assert holds(When(keywords=("nightjar",)), ask(filler + "nightjar " + filler))


def test_a_long_hostile_text_is_read_in_linear_time() -> None:
    # With backtracking this pattern would not end within the age of the universe.
    assert not holds(When(pattern="(a+)+$"), ask("a" * 100_000 + "b"))


@pytest.mark.parametrize(
    ("clock", "within"),
    [
        ("2026-01-15T21:59:59", False),
        ("2026-01-15T22:00:00", True),
        ("2026-01-16T00:00:00", True),
        ("2026-01-16T05:59:59", True),
        ("2026-01-16T06:00:00", False),
        ("2026-07-15T22:00:00", True),  # summer time
        ("2026-07-15T21:59:59", False),
        ("2026-03-29T01:59:59", True),  # the night that loses an hour
        ("2026-03-29T05:59:59", True),
        ("2026-03-29T06:00:00", False),
        ("2026-10-25T05:59:59", True),  # the night that has one twice
        ("2026-10-25T06:00:00", False),
    ],
)
def test_hours_run_over_midnight_on_the_clock_of_their_zone(clock: str, within: bool) -> None:
    assert holds(When(hours="22:00-06:00 Europe/Berlin"), ask(at=berlin(clock))) is within


def test_both_passes_of_the_doubled_hour_count() -> None:
    first = int(datetime.fromisoformat("2026-10-25T02:30:00+02:00").timestamp() * 1000)
    for at in (first, first + 3_600_000):
        assert holds(When(hours="02:00-03:00 Europe/Berlin"), ask(at=at))
    assert not holds(When(hours="02:00-03:00 Europe/Berlin"), ask(at=first + 2 * 3_600_000))


@given(at=st.integers(0, 4_000_000_000_000), start=st.integers(0, 1439), end=st.integers(0, 1439))
def test_a_window_and_its_complement_share_the_day(at: int, start: int, end: int) -> None:
    if start == end:
        return
    window, other = (
        f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02} America/New_York" for a, b in ((start, end), (end, start))
    )
    assert holds(When(hours=window), ask(at=at)) != holds(When(hours=other), ask(at=at))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (When(pattern="(unclosed"), "missing )"),
        (When(pattern="(?=look)ahead"), "(?="),
        (When(hours="late"), "hours"),
        (When(hours="22:00-06:00 Europe/Berln"), "Europe/Berlin"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(when: When, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        compile_rule(Rule(name="r", when=when, use=ANY), MODELS)
    assert words in str(error.value)
