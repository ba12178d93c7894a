"""The only injected effects: time and new names. Pure code receives their results as arguments."""

import random
import time
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds on a clock that never goes back: for durations and deadlines."""
        ...

    def now_ms(self) -> int:
        """Unix time in milliseconds: for labels and calendar windows only."""
        ...


class SystemClock:
    monotonic = staticmethod(time.monotonic)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


_random_bits = random.Random().getrandbits  # seeded from the system's entropy; names need to be unique, not secret


def new_id(now_ms: int) -> str:
    """A time-ordered UUID (version 7, RFC 9562 section 5.7) in its usual form."""
    random_part = _random_bits(74)
    high = (now_ms & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | random_part >> 62
    low = 0x8000_0000_0000_0000 | random_part & 0x3FFF_FFFF_FFFF_FFFF
    text = (high << 64 | low).to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
