"""The only injected effects: time and new names. Pure code receives their results as arguments."""

import os
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


def new_id(now_ms: int) -> str:
    """A time-ordered UUID (version 7, RFC 9562 section 5.7) as 32 hexadecimal digits and hyphens."""
    random = int.from_bytes(os.urandom(10), "big")
    high = (now_ms & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (random >> 68) & 0x0FFF
    low = 0x8000_0000_0000_0000 | random & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
