"""Whoever is set rings once, not before its time; a machine that is late is late for all of them alike."""

import asyncio
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.engine.alarm import Alarm
from tests.support.clock import JumpingLoop


class Bell:
    def __init__(self) -> None:
        self.rang: list[float] = []

    def ring(self) -> None:
        self.rang.append(asyncio.get_running_loop().time())


_STEP = st.tuples(st.sampled_from(["set", "unset", "wait"]), st.integers(0, 4), st.integers(0, 20))


@given(st.lists(_STEP, max_size=40))
def test_each_rings_when_it_was_last_set_for_and_never_once_unset(steps: list[tuple[str, int, int]]) -> None:
    async def run() -> None:
        alarm, bells = Alarm(), [Bell() for _ in range(5)]
        due: dict[int, float] = {}
        expected: list[list[float]] = [[] for _ in bells]
        loop = asyncio.get_running_loop()

        async def pass_until(end: float) -> None:
            await asyncio.sleep(end - loop.time())
            await asyncio.sleep(0)
            for number, at in list(due.items()):
                if at <= loop.time():
                    expected[number].append(at)
                    del due[number]

        for what, number, seconds in steps:
            if what == "wait":
                await pass_until(loop.time() + seconds + 0.5)
            elif what == "set":
                due[number] = loop.time() + seconds
                alarm.set(bells[number], due[number])
            else:
                due.pop(number, None)
                alarm.unset(bells[number])
        await pass_until(loop.time() + 100)
        assert [bell.rang for bell in bells] == [pytest.approx(one) for one in expected]

    with closing(JumpingLoop()) as loop:
        loop.run_until_complete(run())


def test_one_that_sets_itself_again_rings_again() -> None:
    class Again(Bell):
        def ring(self) -> None:
            super().ring()
            if len(self.rang) < 3:
                alarm.set(self, self.rang[-1] + 2)

    alarm, bell = Alarm(), Again()

    async def run() -> None:
        alarm.set(bell, 1.0)
        await asyncio.sleep(50)

    with closing(JumpingLoop()) as loop:
        loop.run_until_complete(run())
    assert bell.rang == [1.0, 3.0, 5.0]


def test_once_closed_nothing_rings() -> None:
    alarm, bell = Alarm(), Bell()

    async def run() -> None:
        alarm.set(bell, 1.0)
        alarm.close()
        await asyncio.sleep(50)

    with closing(JumpingLoop()) as loop:
        loop.run_until_complete(run())
    assert bell.rang == []
