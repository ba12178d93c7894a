"""How often a model may be asked again: a budget shared by all requests, and the pause between tries."""

_RESERVE = 10.0  # retries a quiet router may spend before it has earned any
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class RetryBudget:
    """At most `share` retries a request on the long run, so that retries never multiply an upstream's trouble.

    The token bucket of Finagle's RetryBudget: a request earns `share` tokens, a retry spends one.
    """

    def __init__(self, share: float, reserve: float = _RESERVE) -> None:
        self._share = share
        self._most = reserve
        self._tokens = reserve if share > 0 else 0.0

    def earn(self) -> None:
        self._tokens += self._share
        if self._tokens > self._most:
            self._tokens = self._most

    def spend(self) -> bool:
        """Whether one more retry is allowed; takes it if so."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def pause(tries: int, random: float) -> float:
    """Seconds before try number `tries` + 1: doubling, with full jitter from `random` in 0..1 (AWS, "full jitter")."""
    ceiling: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (tries - 1))
    return ceiling * random
