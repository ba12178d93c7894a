"""A circuit breaker for one endpoint: a state machine with time passed in.

    closed    -- failures in a row, within the window, reach the limit, and go on for a second -->  open
    closed    -- where another endpoint can take over: that many among three times as many tries, however long
                 that takes -->  open, and for twice as long each time it had only just closed
    open      -- the rest is over -->                            half_open
    half_open -- the one probe succeeds -->                      closed
    half_open -- the probe fails -->                             open
    half_open -- the probe is given up (a client left) -->       half_open, and the next request probes

Failures count in a row: at a thousand requests a second, five failures in thirty seconds are one in six thousand, and
no reason to take an endpoint away. At that pace even five in a row come by chance, several times a second where two in
five tries fail, and the other tries would have been answered: so a row has to last, unless nothing was answered yet.

One that fails every second request never fails often in a row, and costs a retry each time: it is taken away where it
can be spared. Every second probe of such a one succeeds, so its rests grow; those of an endpoint that is down do not,
since it may be well again at any moment. A try that began before the breaker last opened is no news when it ends: its
result is ignored.
"""

from collections import deque
from typing import Literal, TypeAlias

State: TypeAlias = Literal["closed", "half_open", "open"]
_SUCCESSES_TO_A_FAILURE = 2
_LONGEST = 8  # times the rest
_ROW_S = 1.0


class Breaker:
    """`failures` within `window` seconds open it for `rest` seconds, or, where it can be spared, up to eight times as
    long. Times are monotonic seconds."""

    def __init__(self, failures: int, window: float, rest: float) -> None:
        self.settings = (failures, window, rest)
        self._limit = failures
        self._window = window
        self._rest = rest
        self._failures: deque[tuple[float, int]] = deque(maxlen=failures)  # when, and after how many successes
        self._successes = 0
        self._row: tuple[float, int] | None = None  # when failures began to follow each other, after how many successes
        self._closed_at: int | None = None  # after how many successes it closed last
        self._longer = 1  # times the rest
        self._open_until = 0.0
        self._is_open = False
        self._probing = False
        self._turn = 0  # how often it has opened

    def after(self, before: "Breaker | None") -> "Breaker":
        """`before` itself, with all it knows, where its settings are the same; else this one, to which the end of a try
        that began under `before` is no news.
        """
        if before is None:
            return self
        if before.settings == self.settings:
            return before
        self._turn = before._turn + 1
        return self

    def state(self, now: float) -> State:
        if not self._is_open:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def permits(self, now: float) -> bool:
        state = self.state(now)
        return state == "closed" or (state == "half_open" and not self._probing)

    def begin(self) -> int:
        """A try starts; its result is given with the number returned. In half_open it is the probe, and no other is
        permitted until it ends.
        """
        if self._is_open:
            self._probing = True
        return self._turn

    def succeeded(self, turn: int) -> None:
        if turn != self._turn:
            return
        self._successes += 1
        if self._is_open:
            self._is_open = self._probing = False
            self._closed_at = self._successes
            self._failures.clear()

    def failed(self, turn: int, now: float, spare: bool = False) -> None:
        """`spare`: another endpoint can do its work."""
        if turn != self._turn:
            return
        if self._is_open:
            self.trip(now)
            return
        if self._row is None or self._row[1] != self._successes:
            self._row = now, self._successes
        self._failures.append((now, self._successes))
        since, before = self._failures[0]
        if len(self._failures) < self._limit:
            return
        between, few = self._successes - before, _SUCCESSES_TO_A_FAILURE * self._limit
        lasts = self._successes == (self._closed_at or 0) or now - self._row[0] >= _ROW_S
        if between <= few if spare else between == 0 and lasts and now - since <= self._window:
            just_closed = self._closed_at is not None and self._successes - self._closed_at <= few
            self._longer = min(2 * self._longer, _LONGEST) if spare and just_closed else 1
            self.trip(now)

    def abandoned(self, turn: int) -> None:
        """The try ended without a verdict on the endpoint."""
        if turn == self._turn:
            self._probing = False

    def rests_for(self, now: float) -> float:
        """Seconds until the next probe is permitted; 0 when requests are."""
        return max(0.0, self._open_until - now) if self._is_open else 0.0

    def trip(self, now: float) -> None:
        """Opens it at once: for a verdict that needs no counting, such as a failed health probe."""
        self._is_open = True
        self._turn += 1
        self._probing = False
        self._open_until = now + self._rest * self._longer
        self._failures.clear()
