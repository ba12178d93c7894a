"""The purse that a calibration pays from, and what a call can cost at most."""

import asyncio
import random

from llm_inference_router.engine.calibrate import Purse, most_cost
from llm_inference_router.evaluation.judging import judged_body
from llm_inference_router.types import Model, Price

LIMIT = 1000


def test_whatever_comes_first_the_limit_is_never_passed() -> None:
    async def spend(seed: int) -> tuple[int, int]:
        rng = random.Random(seed)
        purse, refused = Purse(LIMIT, 100), 0

        async def call() -> None:
            nonlocal refused
            most = rng.randint(1, 200)
            if not await purse.take(most):
                refused += 1
                return
            await asyncio.sleep(0)
            await purse.settle(most, rng.randint(0, most))
            assert purse.spent <= LIMIT

        await asyncio.gather(*(call() for _ in range(60)))
        return purse.spent, refused

    for seed in range(30):
        spent, refused = asyncio.run(spend(seed))
        assert 100 < spent <= LIMIT
        assert refused > 0


def test_a_call_waits_for_what_comes_back() -> None:
    async def wait() -> list[str]:
        purse, told = Purse(LIMIT, 0), []
        assert await purse.take(900)

        async def second() -> None:
            assert await purse.take(500)
            told.append("second")

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        assert not told
        await purse.settle(900, 100)
        await waiting
        assert not await Purse(LIMIT, 0).take(LIMIT + 1)
        return told

    assert asyncio.run(wait()) == ["second"]


def test_the_most_counts_every_byte_and_all_the_output() -> None:
    model = Model("m", "openai", "m", (), "large", "cloud", "", 8192, None, Price(10, 30), frozenset())
    plain = judged_body([{"role": "user", "content": "a" * 400}], "b" * 300, "c" * 300, schema=False)
    schema = judged_body([{"role": "user", "content": "a" * 400}], "b" * 300, "c" * 300, schema=True)
    assert most_cost(model, plain) >= 1000 * 10 + plain["max_tokens"] * 30
    assert most_cost(model, schema) > most_cost(model, plain)
    written = Model("m", "openai", "m", (), "large", "cloud", "", 8192, None, Price(10, 30, None, 20), frozenset())
    assert most_cost(written, plain) > most_cost(model, plain)
