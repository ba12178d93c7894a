"""What happens to one request while it happens; becomes its Record at the end."""

from msgspec import Struct

from llm_inference_router.dialects.assemble import added
from llm_inference_router.routing.cost import cost
from llm_inference_router.types import Attempt, Content, Decision, Endpoint, Fault, Model, Outcome, Record, Usage

LOST = Fault("hedged", "another try answered first")


class Trace(Struct, eq=False):
    """Times are monotonic seconds unless their names say otherwise."""

    decision: Decision
    baseline: Model
    stream: bool
    arrived: float
    attempts: list[Attempt] = []  # those that are over
    tries: int = 0  # with the one that is running
    warnings: tuple[str, ...] = ()
    hedged: bool = False  # two tries ran at once
    continued: bool = False  # the answer has parts of several tries
    model: Model | None = None
    usage: Usage | None = None
    cost: int = 0  # of the tries that are over, picodollars
    first_content_at: float | None = None
    _running: int = 0
    _running_since: float = 0.0
    _upstream_s: float = 0.0  # in which at least one try ran, without the one that still does

    def trying(self, now: float) -> None:
        self.tries += 1
        if self._running == 0:
            self._running_since = now
        self._running += 1

    def tried(
        self,
        model: Model,
        endpoint: Endpoint,
        fault: Fault | None,
        usage: Usage | None,
        *,
        began: float,
        ended: float,
        at: int,
        skipped: int = 0,
    ) -> Attempt:
        """One upstream try is over; `fault` None means it answered. `skipped`: events of its stream that could not be
        read."""
        first = None if fault is LOST else self.first_content_at
        attempt = Attempt(
            decision_id=self.decision.id,
            number=len(self.attempts) + 1,
            model=model.name,
            endpoint=endpoint.id,
            at=at,
            outcome=fault.kind if fault else "ok",
            status=fault.status if fault else 200,
            ttft_ms=None if first is None or first < began else (first - began) * 1000,
            total_ms=(ended - began) * 1000,
            usage=usage,
            cost=cost(model.price, usage) if usage else 0,
            detail=_detail(fault, skipped, self.continued),
        )
        self.attempts.append(attempt)
        self.cost += attempt.cost
        self._running -= 1
        if self._running == 0:
            self._upstream_s += ended - self._running_since
        if usage is not None and fault is not LOST:
            self.usage = added(self.usage, usage) if self.continued else usage
        return attempt

    def reason(self) -> str:
        """The decision's reason, or why another model had to answer."""
        if self.model is None or self.model.name == self.decision.chosen:
            return self.decision.reason
        failures = (one.outcome for one in self.attempts if one.outcome not in ("ok", "hedged"))
        failed = next(failures, "hedged" if self.hedged else "unavailable")
        return "fallback:" + failed.partition(".")[0]

    def overhead_ms(self, now: float) -> float:
        """What of the time so far no upstream was waited for."""
        running_s = now - self._running_since if self._running else 0.0
        spent_s = now - self.arrived - self._upstream_s - running_s
        return spent_s * 1000 if spent_s > 0.0 else 0.0

    def record(
        self,
        *,
        status: int,
        error: str | None,
        finish_reason: str | None,
        now: float,
        at: int,
        content: Content | None = None,
    ) -> Record:
        first = self.first_content_at
        outcome = Outcome(
            decision_id=self.decision.id,
            at=at,
            route=self.decision.route,
            model=self.model.name if self.model else self.decision.chosen,
            status=status,
            error=error,
            finish_reason=finish_reason,
            stream=self.stream,
            attempts=len(self.attempts),
            usage=self.usage,
            cost=self.cost,
            baseline_cost=cost(self.baseline.price, self.usage) if self.usage else 0,
            ttft_ms=None if first is None else (first - self.arrived) * 1000,
            total_ms=(now - self.arrived) * 1000,
            overhead_ms=self.overhead_ms(now),
            tier=self.model.tier if self.model else "",
            simulated=bool(self.model and self.model.simulated),
        )
        return Record(self.decision, tuple(self.attempts), outcome, content)


def _detail(fault: Fault | None, skipped: int, continued: bool) -> str:
    told = [fault.code] if fault and fault.code else []  # never its message: upstreams quote prompts in theirs
    if continued:
        told.append("goes on for another")
    if skipped:
        told.append(f"{skipped} malformed event{'s' if skipped > 1 else ''} skipped")
    return "; ".join(told)
