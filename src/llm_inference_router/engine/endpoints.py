"""The state of every endpoint: how busy it is, whether its breaker rests, and until when it asked to be left alone."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

from llm_inference_router.resilience.balance import pick, prefix_of
from llm_inference_router.resilience.breaker import Breaker, State
from llm_inference_router.types import ARGUMENTS_CODE, Endpoint, Fault, Message, Model

_RATE_LIMIT_REST_S = 5.0  # where the upstream names no time
_LONGEST_REST_S = 60.0
_AUTH_REST_S = 60.0
_MISTAKES = frozenset({400, 413, 422})
_ANSWERED = frozenset({"context_length_exceeded", ARGUMENTS_CODE})
_BLAMELESS = frozenset({"rate_limited", "auth", "cancelled", "hedged"})
_OF_A_KEY = frozenset({"rate_limited", "auth"})  # said of who asked, not of the endpoint


class EndpointState:
    __slots__ = ("breaker", "cause", "drained", "key", "outstanding", "rests_until")

    def __init__(self, breaker: Breaker | None, key: Hashable) -> None:
        self.breaker = breaker
        self.key = key  # the credentials it is asked with
        self.outstanding = 0
        self.rests_until = 0.0
        self.cause = ""  # the kind of fault that its rest follows from; "": it has none, or the breaker's
        self.drained = False  # by its owner: what runs on it ends, and nothing new is sent

    def permits(self, now: float) -> bool:
        return not self.drained and now >= self.rests_until and (self.breaker is None or self.breaker.permits(now))

    def rests_for(self, now: float) -> float:
        rest = max(0.0, self.rests_until - now)
        return max(rest, self.breaker.rests_for(now)) if self.breaker else rest

    def rest(self, until: float, cause: str) -> None:
        """Never shorter than it was told before."""
        if until > self.rests_until:
            self.rests_until = until
            self.cause = cause

    def take_over(self, breaker: Breaker | None, key: Hashable) -> None:
        """A new configuration serves it, with a breaker and credentials that may be others."""
        self.breaker = None if breaker is None else breaker.after(self.breaker)
        if key != self.key and self.cause in _OF_A_KEY:
            self.rests_until = 0.0
        self.key = key


class Endpoints:
    """All endpoints of a configuration. Times are monotonic seconds."""

    def __init__(
        self,
        models: Sequence[Model],
        breakers: Mapping[str, Breaker | None],
        before: "Endpoints | None" = None,
        keys: Mapping[str, Hashable] | None = None,
    ) -> None:
        """What `before` knows of an endpoint that is the same still holds, as far as its breaker has the same settings
        and its model the same credentials (`keys`, by model)."""
        self._models = models
        keys = keys or {}
        known = before.known if before is not None else {}
        self.known: dict[Endpoint, EndpointState] = {}
        self._keys: dict[str, Hashable] = {}
        for model in models:
            for endpoint in model.endpoints:
                breaker, key = breakers[endpoint.id], keys.get(model.name)
                state = known.get(endpoint)
                if state is None:
                    state = EndpointState(breaker, key)
                else:
                    state.take_over(breaker, key)
                self.known[endpoint] = state
                self._keys[endpoint.id] = key
        self._states = {endpoint.id: state for endpoint, state in self.known.items()}
        self._siblings = {
            one.id: tuple(self._states[other.id] for other in model.endpoints if other is not one)
            for model in models
            for one in model.endpoints
        }

    def choose(
        self, model: Model, excluded: frozenset[str], messages: Sequence[Message], now: float
    ) -> Endpoint | None:
        """An endpoint that may be tried now, by least outstanding work and prefix affinity; None when there is none."""
        if len(model.endpoints) == 1:
            [only] = model.endpoints
            return only if only.id not in excluded and self._states[only.id].permits(now) else None
        free = [e for e in model.endpoints if e.id not in excluded and self._states[e.id].permits(now)]
        if not free:
            return None
        return pick(free, {e.id: self._states[e.id].outstanding for e in free}, prefix_of(messages))

    def began(self, endpoint: Endpoint) -> int:
        """The number to end this try with."""
        state = self._states[endpoint.id]
        state.outstanding += 1
        return state.breaker.begin() if state.breaker else 0

    def ended(self, endpoint: Endpoint, turn: int, fault: Fault | None, now: float) -> None:
        state = self._states[endpoint.id]
        state.outstanding -= 1
        if state.cause and now >= state.rests_until:
            state.cause = ""
        if fault is not None:
            rest = _rest(fault)
            # What a key met that has been replaced meanwhile is no news of the new one.
            if rest and (fault.kind not in _OF_A_KEY or state.key == self._keys[endpoint.id]):
                state.rest(now + rest, fault.kind)
        if state.breaker is None:
            return
        if fault is None or fault.final or fault.status in _MISTAKES or fault.code in _ANSWERED:
            state.breaker.succeeded(turn)  # it answered: a client's or a model's mistake is no failure of the endpoint
        elif fault.kind in _BLAMELESS:
            state.breaker.abandoned(turn)
        else:
            spare = any(other.permits(now) for other in self._siblings[endpoint.id])
            state.breaker.failed(turn, now, spare)

    def drain(self, id: str, drained: bool) -> None:  # noqa: A002 - the endpoint's own name
        """Raises KeyError for an id that no endpoint has."""
        self._states[id].drained = drained

    def drained(self) -> tuple[str, ...]:
        return tuple(name for name, state in self._states.items() if state.drained)

    def probed(self, endpoint: Endpoint, healthy: bool, now: float) -> None:
        """The verdict of an active health probe."""
        breaker = self._states[endpoint.id].breaker
        if breaker is None:
            return
        if not healthy:
            breaker.trip(now)
        elif breaker.state(now) == "half_open":
            breaker.succeeded(
                breaker.begin()
            )  # while closed it proves nothing: a server may be up and fail every request

    def resting(self, now: float) -> frozenset[str]:
        """Models of which no endpoint may be tried now."""
        return frozenset(m.name for m in self._models if not any(self._states[e.id].permits(now) for e in m.endpoints))

    def limited(self, resting: Collection[str]) -> frozenset[str]:
        """Those of the resting models that rest because their upstream asked for it."""
        return frozenset(
            m.name
            for m in self._models
            if m.name in resting and any(self._states[e.id].cause == "rate_limited" for e in m.endpoints)
        )

    def rests_for(self, models: Collection[str], now: float) -> float:
        """Seconds until the first endpoint of these models may be tried again."""
        rests = [self._states[e.id].rests_for(now) for m in self._models if m.name in models for e in m.endpoints]
        return min(rests, default=0.0)

    def running(self) -> dict[str, int]:
        """Requests that run now, by model."""
        return running((self,))

    def places(self) -> Iterator[tuple[EndpointState, str]]:
        """Every endpoint's state with its model."""
        return ((self._states[e.id], m.name) for m in self._models for e in m.endpoints)

    def states(self, now: float) -> Iterator[tuple[str, State]]:
        for name, state in self._states.items():
            yield name, (state.breaker.state(now) if state.breaker else "closed")


def running(several: Iterable[Endpoints]) -> dict[str, int]:
    """Requests that run now, by model. What runs on an endpoint that several configurations have counts once."""
    found: dict[str, int] = {}
    for state, model in dict.fromkeys(place for endpoints in several for place in endpoints.places()):
        found[model] = found.get(model, 0) + state.outstanding
    return found


def _rest(fault: Fault) -> float:
    """Seconds for which an endpoint is left alone after a try that ended so."""
    if fault.kind == "rate_limited":
        asked = _RATE_LIMIT_REST_S if fault.retry_after_s is None else fault.retry_after_s
        return min(asked, _LONGEST_REST_S)
    if fault.status >= 500 and fault.retry_after_s is not None:
        return min(fault.retry_after_s, _LONGEST_REST_S)
    return _AUTH_REST_S if fault.kind == "auth" else 0.0
