"""A model's own lengths: its true quantiles in the end, the shared guess before, and nothing absurd between."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.length import PRIOR, SPREAD, WINDOW, Length, Lengths, Window, expected
from llm_inference_router.types import NO_TOKENS, Quantiles, Usage

GUESS = Quantiles(100, 240)
RATIOS = st.floats(0.001, 1_000)
SHARES = st.sampled_from((0.5, 0.9))


def used(output: int, reasoning: int = 0, *, estimated: bool = False) -> Usage:
    return Usage(10, output, reasoning_tokens=reasoning, source="estimated" if estimated else "reported")


def learned(outputs: list[int], reason: str = "stop") -> Lengths:
    lengths = Lengths()
    for output in outputs:
        lengths.observe(GUESS, used(output), reason)
    return lengths


def asked(lengths: Lengths, guess: Quantiles = GUESS, limit: int | None = None) -> tuple[Quantiles, Quantiles]:
    return expected(lengths.figures(), guess, limit)


def lognormal(count: int, median: float, seed: int = 1) -> list[int]:
    draws = random.Random(seed)
    return [round(draws.lognormvariate(math.log(median), 0.6)) for _ in range(count)]


# --- windows ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(RATIOS, st.booleans()), max_size=200), st.integers(5, 40))
def test_a_window_keeps_its_quantiles_in_order_and_within_what_it_saw(
    entries: list[tuple[float, bool]], size: int
) -> None:
    window = Window(size)
    for ratio, cut in entries:
        window.add(ratio, cut=cut)
    seen = [*PRIOR, *(ratio for ratio, _ in entries)]
    assert min(seen) <= window.quantile(0.5) <= window.quantile(0.9) <= max(seen)


@given(st.lists(RATIOS, min_size=8), SHARES)
def test_a_full_window_has_the_quantiles_of_its_last_ratios(ratios: list[float], share: float) -> None:
    window = Window(8)
    for ratio in ratios:
        window.add(ratio)
    last = sorted(ratios[-8:])
    assert window.quantile(share) == last[math.ceil(share * 8) - 1]


@given(st.lists(RATIOS, max_size=100), st.lists(RATIOS, max_size=100), SHARES)
def test_cut_answers_never_lower_a_quantile(whole: list[float], cut: list[float], share: float) -> None:
    window = Window(16)
    for ratio in whole:
        window.add(ratio)
    before = window.quantile(share)
    for ratio in cut:
        window.add(ratio, cut=True)
    assert window.quantile(share) >= before


@given(st.lists(RATIOS, max_size=30), RATIOS, SHARES)
def test_a_cut_answer_says_at_least_as_much_as_a_whole_one(ratios: list[float], last: float, share: float) -> None:
    cut, whole = Window(40), Window(40)
    for ratio in ratios:
        cut.add(ratio)
        whole.add(ratio)
    cut.add(last, cut=True)
    whole.add(last)
    assert cut.quantile(share) >= whole.quantile(share)


def test_cut_answers_hand_their_weight_to_the_longer_ones() -> None:
    # The product-limit estimate by hand: 1 2+ 3 4 5+ 6 leaves 5/6, 5/6 x 3/4, 5/6 x 2/4, ... beyond 1, 3, 4.
    window = Window(5, (1.0,))
    for ratio, cut in ((2.0, True), (3.0, False), (4.0, False), (5.0, True), (6.0, False)):
        window.add(ratio, cut=cut)
    assert [window.quantile(share) for share in (0.16, 0.17, 0.37, 0.38, 0.58, 0.59)] == [1, 3, 3, 4, 4, 6]


def test_cut_answers_are_forgotten_with_the_whole_ones_of_their_time() -> None:
    window = Window(8)
    for _ in range(5):
        window.add(50.0, cut=True)
    for _ in range(8):
        window.add(1.0)
    assert window.quantile(0.9) == 1.0


def test_all_answers_cut_is_still_a_lesson() -> None:
    lengths = learned([900] * 20, "length")
    assert asked(lengths)[0] == Quantiles(900, 900)


def test_a_window_has_room_for_its_prior() -> None:
    with pytest.raises(ValueError, match="a window of 4 cannot begin with 5 ratios"):
        Window(4)


# --- lengths ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(1.0, SPREAD))
def test_without_answers_the_guess_stands(p50: int, spread: float) -> None:
    guess = Quantiles(p50, int(p50 * spread))
    assert asked(Lengths(), guess) == (guess, NO_TOKENS)


@pytest.mark.parametrize("median", [20, 100, 1_500])
def test_the_quantiles_become_the_true_ones(median: float) -> None:
    found = asked(learned(lognormal(2_000, median)))[0]
    assert found.p50 == pytest.approx(median, rel=0.25)
    assert found.p90 == pytest.approx(median * math.exp(0.6 * 1.2816), rel=0.35)


def test_one_answer_moves_little_and_twenty_settle_it() -> None:
    assert asked(learned([400]))[0].p50 <= 143
    assert asked(learned(lognormal(20, 400)))[0].p50 == pytest.approx(400, rel=0.3)


def test_a_shift_is_followed_within_a_window() -> None:
    lengths = learned(lognormal(1_000, 100))
    for output in lognormal(WINDOW, 800, seed=2):
        lengths.observe(GUESS, used(output), "stop")
    assert asked(lengths)[0].p50 == pytest.approx(800, rel=0.3)


@given(st.lists(st.integers(90, 110), min_size=20, max_size=100), st.integers(1, 10**9))
def test_one_absurd_answer_moves_the_quantiles_to_a_neighbour(outputs: list[int], absurd: int) -> None:
    lengths = learned(outputs)
    lengths.observe(GUESS, used(absurd), "stop")
    found = asked(lengths)[0]
    assert 75 <= found.p50 <= 143
    assert found.p90 <= 240


@given(
    st.lists(
        st.builds(
            lambda p50, spread, output, share, reason, estimated: (
                Quantiles(p50, int(p50 * spread)),
                used(output, int(output * share), estimated=estimated),
                reason,
            ),
            st.integers(1, 5_000),
            st.floats(1, SPREAD),
            st.integers(0, 10**7),
            st.floats(0, 1),
            st.sampled_from(["stop", "length", "tool_calls", "content_filter", None]),
            st.booleans(),
        ),
        max_size=120,
    ),
    st.integers(1, 10_000),
    st.floats(1, 3),
    st.none() | st.integers(1, 10_000),
)
def test_whatever_was_answered_the_figures_are_in_order_and_within_bounds(
    seen: list[tuple[Quantiles, Usage, str | None]], p50: int, spread: float, limit: int | None
) -> None:
    lengths = Lengths()
    for guess, usage, reason in seen:
        lengths.observe(guess, usage, reason)
    output, thought = asked(lengths, Quantiles(p50, int(p50 * spread)), limit)
    assert 1 <= output.p50 <= output.p90
    assert 0 <= thought.p50 <= thought.p90
    assert thought.p50 <= output.p50
    assert thought.p90 <= output.p90
    assert limit is None or output.p90 <= limit


def test_every_choice_is_an_answer() -> None:
    together, apart = Lengths(), Lengths()
    for _ in range(30):
        together.observe(GUESS, used(600, 300), "stop", 3)
        apart.observe(GUESS, used(200, 100), "stop")
    assert together.figures() == apart.figures()


# --- guesses cut by a limit ---------------------------------------------------------------------------------------


def test_a_guess_cut_by_a_limit_is_no_measure() -> None:
    lengths = Lengths()
    lengths.observe(Quantiles(5, 5), used(5), "length")
    assert lengths.figures() == Lengths().figures()


@given(st.lists(st.integers(1, 50), min_size=WINDOW, max_size=WINDOW))
def test_a_guess_cut_by_a_limit_is_not_lowered(outputs: list[int]) -> None:
    assert asked(learned(outputs), Quantiles(60, 60), 60)[0] == Quantiles(60, 60)


# --- reasoning ----------------------------------------------------------------------------------------------------


def test_reasoning_is_learned_beside_the_output() -> None:
    lengths = Lengths()
    draws = random.Random(3)
    thoughts = [draws.randrange(200, 401) for _ in range(300)]
    for thought in thoughts:
        lengths.observe(GUESS, used(150 + thought, thought), "stop")
    output, thought_of = asked(lengths)
    assert output.p50 == pytest.approx(450, abs=30)
    assert thought_of.p50 == pytest.approx(300, abs=30)
    assert thought_of.p90 == pytest.approx(380, abs=20)


def test_a_model_that_reports_no_reasoning_is_expected_to_need_none() -> None:
    assert asked(learned([300] * 50))[1] == NO_TOKENS


def test_estimated_usage_teaches_length_alone() -> None:
    lengths = Lengths()
    for _ in range(30):
        lengths.observe(GUESS, used(400, 300), "stop")
    before = asked(lengths)
    for _ in range(WINDOW):
        lengths.observe(GUESS, used(800, estimated=True), "stop")
    output, thought = asked(lengths)
    assert output.p50 == 800
    assert thought == before[1]


def test_reasoning_that_was_cut_says_at_least_and_reasoning_that_ended_says_how_much() -> None:
    cut, ended = Lengths(), Lengths()
    for lengths in (cut, ended):
        for _ in range(WINDOW):
            lengths.observe(GUESS, used(900, 600), "stop")
    for _ in range(20):
        cut.observe(GUESS, used(300, 300), "length")  # not a word was said
        ended.observe(GUESS, used(300, 200), "length")
    assert asked(cut)[1].p50 == 600
    assert asked(ended)[1].p50 == 600
    for _ in range(WINDOW):
        cut.observe(GUESS, used(300, 300), "length")
        ended.observe(GUESS, used(300, 200), "length")
    assert asked(cut)[1].p50 == 600
    assert asked(ended)[1].p50 == 200


def test_the_guesss_own_p90_counts_less_with_every_answer() -> None:
    narrow = Quantiles(1_000, 1_500)  # the request named its length
    found = [expected(Length(1.0, SPREAD, own, 0.0, 0.0, 0), narrow, None)[0].p90 for own in (1.0, 0.5, 0.1, 0.0)]
    assert found[0] == 1_500
    assert found == sorted(found)
    assert found[-1] == 2_400
