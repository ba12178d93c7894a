"""One timer for many limits. Hardly any of them is ever reached, and a timer for each costs a request more than the
work that it guards: setting a limit here is an entry in a table, taking it back another.
"""

import asyncio
from math import inf
from typing import Protocol


class Ringer(Protocol):
    """Hashed by what it is, not by what it holds."""

    def ring(self) -> None: ...


class Alarm:
    """Of one event loop, by whose clock it goes."""

    def __init__(self) -> None:
        self._due: dict[Ringer, float] = {}
        self._rings_at = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, ringer: Ringer, due: float) -> None:
        """`ringer.ring()` is called once, at `due` or a moment later. What was set for it before is forgotten."""
        self._due[ringer] = due
        if due < self._rings_at:
            self._arm(due)

    def unset(self, ringer: Ringer) -> None:
        self._due.pop(ringer, None)

    def close(self) -> None:
        """Nothing rings any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        """It may ring for nobody: a limit that was taken back leaves its timer."""
        now = asyncio.get_running_loop().time()
        self._timer, self._rings_at = None, inf
        over = [ringer for ringer, due in self._due.items() if due <= now]
        for ringer in over:
            del self._due[ringer]
            ringer.ring()
        if self._due:
            nearest = min(self._due.values())
            if nearest < self._rings_at:
                self._arm(nearest)
