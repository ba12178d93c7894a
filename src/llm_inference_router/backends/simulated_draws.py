"""Seeded randomness for the simulated models: SplitMix64 (Steele, Lea, Flood 2014), a few lines and no module
state.
"""

import math

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Draws:
    """A stream of draws; the same seed gives the same stream."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def bits(self) -> int:
        """64 random bits."""
        self._state = (self._state + 0x9E37_79B9_7F4A_7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & _MASK
        return mixed ^ (mixed >> 31)

    def uniform(self) -> float:
        """0 <= value < 1."""
        return (self.bits() >> 11) / (1 << 53)

    def below(self, count: int) -> int:
        """An integer 0 <= value < count."""
        return self.bits() % count

    def jitter(self, spread: float) -> float:
        """A log-normal factor with median 1; `spread` is the standard deviation of its logarithm (Box-
        Muller).
        """
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        return math.exp(spread * radius * math.cos(2.0 * math.pi * self.uniform()))

    def word(self, length: int) -> str:
        """Letters and digits."""
        return "".join(_ALPHABET[self.below(len(_ALPHABET))] for _ in range(length))
