"""What a long run says of memory: it passes only where growth is neither certain nor likely."""

import random

import pytest

from tests.support.soak import MB, grows, slope


def readings(minutes: int, mb_an_hour: float, noise_mb: float) -> list[tuple[float, float]]:
    """Seconds and bytes, one a second, in steps that last a minute, as a process's memory has them."""
    luck = random.Random(4)
    steps = [luck.gauss(0.0, noise_mb) for _ in range(minutes)]
    return [
        (float(second), MB * (90.0 + mb_an_hour * second / 3600 + steps[second // 60]))
        for second in range(60 * minutes)
    ]


@pytest.mark.parametrize(
    ("mb_an_hour", "noise_mb", "verdict"),
    [(0.0, 0.01, False), (10.0, 0.05, True), (-5.0, 0.2, False), (3.0, 0.5, None)],
)
def test_memory_grows_or_does_not_or_nobody_knows_yet(mb_an_hour: float, noise_mb: float, verdict: bool | None) -> None:
    rate, low, high = (3600 * one / MB for one in slope(readings(15, mb_an_hour, noise_mb)))
    assert low <= rate <= high
    assert grows(rate, low) is verdict
