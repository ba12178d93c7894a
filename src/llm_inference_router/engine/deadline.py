"""The limits on one upstream try: silence before the first content, silence afterwards, the whole of it.

One timer serves all: it is armed for the nearest limit and, when it rings too early because something has arrived
meanwhile, armed again. So a chunk costs one assignment, not a timer.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Literal

from llm_inference_router.transport.base import TransportFault
from llm_inference_router.types import Fault, Timeouts
from llm_inference_router.vocabulary import FaultKind

_CLIENT_STALL_S = 30.0
_AFTER_FINISH_S = 1.0  # usage and the end marker follow the finish reason at once, or not at all

Phase = Literal["first_token", "idle", "client", "finish"]
_LIMITS: Mapping[Phase, float] = {"client": _CLIENT_STALL_S, "finish": _AFTER_FINISH_S}


class ClientStalled(Exception):
    """The client has stopped reading."""


class Deadline:
    """`with`, in a task: cancels its body when a limit passes, and raises TransportFault, or ClientStalled, in its
    place.

    `remaining` is seconds for the whole try; `first_token` replaces the model's own limit where the head of an answer
    carries all its tokens.
    """

    def __init__(self, timeouts: Timeouts, remaining: float, first_token: float | None = None) -> None:
        self._idle = timeouts.idle
        self._limit = timeouts.first_token if first_token is None else first_token
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + remaining
        self._phase: Phase = "first_token"
        self._since = self._loop.time()
        self._expired: Phase | Literal["total"] | None = None
        self.client_s = 0.0  # for which the client was waited for

    def enter(self, phase: Phase) -> None:
        """Something has happened: from now on silence is measured against this phase's limit."""
        now = self._loop.time()
        if self._phase == "client":
            self.client_s += now - self._since
        self._phase = phase
        self._limit = self._idle if phase == "idle" else _LIMITS[phase]
        self._since = now
        if self._since + self._limit < self._due:
            self._timer.cancel()
            self._arm()

    def touch(self) -> None:
        self._since = self._loop.time()

    def _arm(self) -> None:
        self._due = self._since + self._limit
        if self._due > self._ends_at:
            self._due = self._ends_at
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        if now >= self._ends_at:
            self._expired = "client" if self._phase == "client" else "total"
        elif now >= self._since + self._limit:
            self._expired = self._phase
        else:
            self._arm()
            return
        self._task.cancel()

    def __enter__(self) -> "Deadline":
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._expired is None or self._task.uncancel() > self._cancelling:
            return  # not ours, or somebody else has cancelled the task as well: that goes first
        if not isinstance(error, asyncio.CancelledError):
            return
        if self._expired == "client":
            raise ClientStalled from error
        if self._expired == "finish":
            raise TransportFault(Fault("timeout.idle", "nothing followed the end of the answer")) from error
        raise TransportFault(_FAULTS[self._expired]) from error


def _fault(kind: FaultKind, message: str) -> Fault:
    return Fault(kind, message)


_FAULTS = {
    "first_token": _fault("timeout.first_token", "the model was silent for too long before its first token"),
    "idle": _fault("timeout.idle", "the model fell silent in the middle of its answer"),
    "total": _fault("timeout.total", "the answer took longer than its limit"),
}
