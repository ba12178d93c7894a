from collections import Counter

from llm_inference_router.resilience.balance import pick, prefix_of
from llm_inference_router.types import Endpoint, Message

ENDPOINTS = [Endpoint(f"m@{i}", f"http://h{i}") for i in range(4)]


def test_the_same_prefix_goes_to_the_same_endpoint() -> None:
    assert len({pick(ENDPOINTS, {}, b"conversation 7").id for _ in range(20)}) == 1


def test_prefixes_spread_over_the_endpoints() -> None:
    counts = Counter(pick(ENDPOINTS, {}, f"conversation {i}".encode()).id for i in range(4000))
    assert len(counts) == 4
    assert min(counts.values()) > 700


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


def test_the_prefix_ends_with_the_first_human_turn() -> None:
    system, user = Message("system", "S"), Message("user", "U")
    assert prefix_of([system, user, Message("assistant", "A")]) == prefix_of([system, user, Message("user", "other")])
