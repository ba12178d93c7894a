"""Whether many requests have come at once, so that each should let the others catch up between its steps.

All steps of a request touch more code and tables than the processor's nearest caches hold. Where many come in one round
of the event loop it is cheaper to take one step for all of them, and then the next, than every step for one after the
other: what the first has fetched is still there for the second (figures: docs/explain/decisions.md). For a lone request
a further round of the event loop costs more than that gains.
"""

MANY = 6  # fewer may come one after the other within a tick of the loop's clock, which is a millisecond


class Crowd:
    """Of one event loop whose clock stands still within a round, as uvloop's does. With another one there is none."""

    __slots__ = ("_at", "_size")

    def __init__(self) -> None:
        self._at = 0.0
        self._size = 0

    def came(self, at: float) -> None:
        """One more request, by the loop's clock."""
        if at == self._at:
            self._size += 1
        else:
            self._at, self._size = at, 1

    @property
    def many(self) -> bool:
        return self._size >= MANY
