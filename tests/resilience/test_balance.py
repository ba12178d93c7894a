from collections import Counter
from collections.abc import Iterable

import pytest

from llm_inference_router.resilience.balance import pick, prefix_of
from llm_inference_router.types import Endpoint, Message

ENDPOINTS = [Endpoint(f"m@{i}", f"http://h{i}") for i in range(4)]


def test_the_same_prefix_goes_to_the_same_endpoint() -> None:
    assert len({pick(ENDPOINTS, {}, b"conversation 7").id for _ in range(20)}) == 1


def shares(endpoints: list[Endpoint], prefixes: Iterable[str]) -> Counter[str]:
    return Counter(pick(endpoints, {}, prefix.encode()).id for prefix in prefixes)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("named", ["llama@gpu{}:8000", "m@http://10.0.0.{}:8000/v1"])
def test_prefixes_spread_evenly_over_the_endpoints(named: str, count: int) -> None:
    endpoints = [Endpoint(named.format(number), "http://h") for number in range(1, count + 1)]
    found = shares(endpoints, (f"conversation {number}" for number in range(4000)))
    assert len(found) == count
    fair = 4000 / count
    assert all(abs(share - fair) < 0.15 * fair for share in found.values())  # three deviations of chance at 7: 11 %


def test_a_busy_favourite_is_left_for_a_free_peer() -> None:
    favourite = pick(ENDPOINTS, {}, b"x")
    assert pick(ENDPOINTS, {favourite.id: 3}, b"x") != favourite
    assert pick(ENDPOINTS, {favourite.id: 2}, b"x") == favourite


def test_a_leaving_endpoint_moves_only_its_own_share() -> None:
    for i in range(200):
        prefix = f"p{i}".encode()
        before = pick(ENDPOINTS, {}, prefix)
        if before != ENDPOINTS[0]:
            assert pick(ENDPOINTS[1:], {}, prefix) == before


def test_the_share_of_a_leaving_endpoint_spreads_over_all_the_others() -> None:
    prefixes = [f"p{number}" for number in range(4000)]
    left = [one for one in prefixes if pick(ENDPOINTS, {}, one.encode()) == ENDPOINTS[0]]
    found = shares(ENDPOINTS[1:], left)
    assert len(found) == 3
    assert all(abs(share - len(left) / 3) < 0.2 * len(left) / 3 for share in found.values())


def test_the_prefix_ends_with_the_first_human_turn() -> None:
    system, user = Message("system", "S"), Message("user", "U")
    assert prefix_of([system, user, Message("assistant", "A")]) == prefix_of([system, user, Message("user", "other")])
