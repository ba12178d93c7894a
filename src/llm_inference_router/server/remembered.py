"""Idempotency keys in memory, within a bound: running ones, and what came of the newest others."""

from collections import OrderedDict
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_inference_router.store.idempotency import Answer, Claim

State: TypeAlias = Literal["running", "answered", "interrupted", "free"]

KEPT_S = 24 * 3600.0
MOST_BYTES = 64 * 1024 * 1024
MOST_KEYS = 100_000


class Known(Struct, frozen=True):
    """`since` is monotonic seconds. `answer` None although answered: it is too long to be kept. `free`: the store may
    still have the claim, since it is told in its own time."""

    claim: Claim
    since: float
    state: State = "running"
    decision_id: str = ""
    answer: Answer | None = None


class Remembered:
    """By scope and key. Age counts on a clock that is never set, and what runs is of no age: a second execution must
    not begin because the time of day was corrected."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, at: tuple[str, str], now: float) -> Known | None:
        known = self._known.get(at)
        if known is not None and known.state != "running" and now - known.since > KEPT_S:
            self.drop(at)
            return None
        return known

    def put(self, known: Known) -> None:
        """Takes the place of what was known of the key, and of the oldest where there is no room."""
        at = (known.claim.scope, known.claim.key)
        self.drop(at)
        self._known[at] = known
        self.bytes += _size(known)
        while self.bytes > MOST_BYTES or len(self._known) > MOST_KEYS:
            oldest = next((at for at, one in self._known.items() if one.state != "running"), None)
            if oldest is None:
                return
            self.drop(oldest)

    def drop(self, at: tuple[str, str]) -> None:
        known = self._known.pop(at, None)
        if known is not None:
            self.bytes -= _size(known)


def _size(known: Known) -> int:
    return len(known.answer.body) if known.answer is not None else 0
