"""What to try next: one pure machine for retry, fallback, waiting and giving up.

    start                            -> Try the chain's first model
    a fault that is the client's own -> Give it
    nothing answered (connect, dns,  -> another endpoint of the model, then the next model;
      tls, silence)                     never the same endpoint again
    reset, malformed, truncated      -> one fresh try of the same model, then the next model
    429, and 5xx with Retry-After    -> another endpoint of the model; else Wait if the upstream asks for a moment only;
                                        else the next model
    status 5xx                       -> another endpoint of the model, then the next model
    auth                             -> the next model
    context too long                 -> the next model with a larger window
    no model left                    -> the models that failed with 5xx or a reset again, after a pause, within
                                        `attempts` and the retry budget; then Give the last fault
    the deadline has passed          -> Give
    silence for a moment (hedging)   -> the same request beside it, once: `beside`. The first to answer wins, and a try
                                        that fails while the other runs is only noted: `dropped`

So what a fault says of its endpoint comes first, then `attempts`, then the chain. After the first content byte nothing
is tried again: `began` closes the plan.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from llm_inference_router.resilience.retry import pause
from llm_inference_router.types import Endpoint, Fault, Model

_SHORT_WAIT_S = 3.0  # what a caller is kept waiting for, rather than given another model's answer or an error
_SPREAD = 0.1  # of a wait that was asked for: many were told the same, and must not come back at the same moment
_SILENT = frozenset({"connect", "dns", "tls", "timeout.connect", "timeout.first_token", "timeout.total"})
_FRESH = frozenset({"reset", "malformed", "truncated"})


class Try(Struct, frozen=True, gc=False):
    model: Model
    endpoint: Endpoint


class Wait(Struct, frozen=True):
    seconds: float


class Give(Struct, frozen=True):
    """Nothing is left to try. `fault` None: no endpoint was free to be tried."""

    fault: Fault | None


Command: TypeAlias = Try | Wait | Give
Choose: TypeAlias = Callable[[Model, frozenset[str]], Endpoint | None]
"""An endpoint of the model that may be tried now and is not among the ids given; None when there is none."""


class Plan(Struct, eq=False):
    """The tries of one request. `spend` asks the retry budget; `random` gives 0..1; `deadline` is monotonic."""

    chain: Sequence[Model]
    attempts: int
    choose: Choose
    spend: Callable[[], bool]
    random: Callable[[], float]
    deadline: float
    _at: int = 0
    _floor: int = 0  # windows of this size have proved too small
    _tries: dict[str, int] = {}
    _silent: frozenset[str] = frozenset()
    _failed: frozenset[str] = frozenset()  # and may answer next time
    _again: list[Model] = []
    _rounds: int = 0
    _last: Fault | None = None
    _pending: Model | None = None
    _now: float = 0.0
    _cuts: int = 0
    _hedged: bool = False
    _over: bool = False

    def start(self) -> Command:
        return self._next_model()

    def failed(self, fault: Fault, tried: Try, now: float) -> Command:
        """The try ended with `fault` before any content, and no other is running.

        In the rest of an answer that broke no fault is final: it may be the continuation that this model refuses.
        """
        model = tried.model
        self._now = now
        self._note(fault, tried)
        if self._over or (fault.final and not self._cuts) or now >= self.deadline:
            return self._give()
        if fault.kind in _SILENT:
            return self._retry(model) or self._forward()
        if fault.code == "context_length_exceeded":
            return self._forward()
        if fault.kind == "rate_limited" or fault.status >= 500:
            return self._refused(model, fault)
        if fault.kind in _FRESH:
            return self._broken(model)
        return self._forward()

    def beside(self, running: Try, now: float) -> Try | None:
        """A second try while `running` is silent: on another endpoint of its model, or of the next model that has one.
        Once in a request, and always out of the retry budget: it is load that was not asked for."""
        if self._hedged or self._over or now >= self.deadline:
            return None
        taken = self._silent | self._failed | {running.endpoint.id}
        for at in range(self._at, len(self.chain)):
            model = self.chain[at]
            endpoint = self.choose(model, taken) if self._left(model) else None
            if endpoint is not None:
                if not self.spend():
                    return None
                self._hedged = True
                self._at = at
                return self._take(model, endpoint)
        return None

    def dropped(self, fault: Fault, tried: Try) -> None:
        """One of two tries ended with `fault`, and the other goes on."""
        self._note(fault, tried)
        if fault.status >= 500 or fault.kind in _FRESH:
            self._again.append(tried.model)

    def waited(self, now: float) -> Command:
        """The pause of the last Wait is over."""
        self._now = now
        model, self._pending = self._pending, None
        if model is None or now >= self.deadline:
            return self._give()
        return self._try(model) or self._forward()

    def began(self) -> None:
        self._over = True

    def cut(self, fault: Fault, tried: Try, now: float, fits: Callable[[Model], bool]) -> Command:
        """The answer broke after its content had begun, and another model may write the rest of it: the models after
        the one that broke, those before it, and last that one again, as far as the rest `fits` them. Within `attempts`,
        the retry budget and the deadline."""
        self._last = fault
        self._now = now
        broke = tried.model
        if fault.kind in _SILENT or fault.kind == "timeout.idle":
            self._silent |= {tried.endpoint.id}
        if self._cuts + 1 >= self.attempts or now >= self.deadline or not self.spend():
            return self._give()
        self._cuts += 1
        at = self.chain.index(broke)
        self.chain = [one for one in (*self.chain[at + 1 :], *self.chain[:at], broke) if fits(one)]
        self._at = 0
        self._again = []
        self._over = False
        return self._next_model()

    def _note(self, fault: Fault, tried: Try) -> None:
        self._last = fault
        if fault.kind in _SILENT:
            self._silent |= {tried.endpoint.id}
        elif fault.code == "context_length_exceeded":
            self._floor = max(self._floor, tried.model.context)
        else:
            self._failed |= {tried.endpoint.id}

    def _refused(self, model: Model, fault: Fault) -> Command:
        """The endpoint answered that it will not: another one may, or it in a moment."""
        elsewhere = self._retry(model, self._silent | self._failed)
        if elsewhere is not None:
            return elsewhere
        if fault.retry_after_s is not None and fault.retry_after_s <= _SHORT_WAIT_S and self._left(model):
            seconds = fault.retry_after_s * (1.0 + _SPREAD * self.random())
            if self._now + seconds < self.deadline and self.spend():
                self._pending = model
                return Wait(seconds)
        if fault.status >= 500:
            self._again.append(model)
        return self._forward()

    def _broken(self, model: Model) -> Command:
        if self._tries[model.name] == 1:
            fresh = self._retry(model, self._silent | self._failed) or self._retry(model)
            if fresh is not None:
                return fresh
        self._again.append(model)
        return self._forward()

    def _forward(self) -> Command:
        self._at += 1
        return self._next_model()

    def _next_model(self) -> Command:
        while self._at < len(self.chain):
            command = self._try(self.chain[self._at]) if self._left(self.chain[self._at]) else None
            if command is not None:
                return command
            self._at += 1
        return self._round()

    def _round(self) -> Command:
        """Every model has failed once: those whose trouble may pass are tried again."""
        while self._again:
            model = self._again.pop(0)
            if not self._left(model):
                continue
            self._rounds += 1
            seconds = pause(self._rounds, self.random())
            if self._now + seconds >= self.deadline or not self.spend():
                break
            self._pending = model
            return Wait(seconds)
        return self._give()

    def _left(self, model: Model) -> bool:
        return model.context > self._floor and self._tries.get(model.name, 0) < self.attempts

    def _retry(self, model: Model, excluded: frozenset[str] | None = None) -> Try | None:
        """The same model once more: on an endpoint that is not silent, within `attempts` and the budget."""
        endpoint = self.choose(model, self._silent if excluded is None else excluded) if self._left(model) else None
        if endpoint is None or not self.spend():
            return None
        return self._take(model, endpoint)

    def _try(self, model: Model) -> Try | None:
        endpoint = self.choose(model, self._silent)
        return None if endpoint is None else self._take(model, endpoint)

    def _take(self, model: Model, endpoint: Endpoint) -> Try:
        self._tries[model.name] = self._tries.get(model.name, 0) + 1
        return Try(model, endpoint)

    def _give(self) -> Give:
        self._over = True
        return Give(self._last)
