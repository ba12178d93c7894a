from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.resilience.retry import RetryBudget, pause


@given(st.floats(0, 1), st.lists(st.booleans(), max_size=500))
def test_retries_never_pass_the_share_of_requests_and_the_reserve(share: float, wants: list[bool]) -> None:
    budget = RetryBudget(share, reserve=5)
    spent = 0
    for want in wants:
        budget.earn()
        if want and budget.spend():
            spent += 1
    assert spent <= 5 + share * len(wants) + 1e-6


def test_no_share_means_no_retry() -> None:
    budget = RetryBudget(0.0)
    budget.earn()
    assert not budget.spend()


@given(st.integers(1, 40), st.floats(0, 1))
def test_pauses_are_bounded(tries: int, random: float) -> None:
    assert 0 <= pause(tries, random) <= 2.0
