"""Whether many requests have come at once, so that each should let the others catch up between its steps.

All steps of a request touch more code and tables than the processor's nearest caches hold. Where many wait in the event
loop it is cheaper to take one step for all of them, and then the next, than every step for one after the other: what
the first has fetched is still there for the second. The price is that the first is sent with the last, so there is a
bound (figures: docs/explain/decisions.md). For a lone request a further round of the event loop costs more than that
gains.
"""

MANY = 6  # within a millisecond: more than could be answered in it one after the other
MOST = 64  # whose steps take some milliseconds together; more would keep the first waiting for longer


class Crowd:
    """The requests of a server that came in the same millisecond as the last one."""

    __slots__ = ("_at", "_size")

    def __init__(self) -> None:
        self._at = -1
        self._size = 0

    def came(self, seconds: float) -> None:
        """One more request, by the loop's clock."""
        at = int(seconds * 1000)
        if at == self._at:
            self._size += 1
        else:
            self._at, self._size = at, 1

    @property
    def many(self) -> bool:
        return MANY <= self._size <= MOST
