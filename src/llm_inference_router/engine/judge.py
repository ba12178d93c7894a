"""From a request to its decision: measure, then decide. Server, /v1/route and command line come through here."""

from msgspec import Struct, structs

from llm_inference_router.effects import Clock, new_id
from llm_inference_router.routing.decide import Snapshot, ask_for, decide
from llm_inference_router.signals.base import extract, unjudged, view
from llm_inference_router.types import Caller, ChatRequest, Decision


class Wishes(Struct, frozen=True, gc=False):
    """What the caller asks of this one request, beside its body. `max_cost` in picodollars."""

    request_id: str = ""
    quality: float | None = None
    max_cost: int | None = None
    explained: bool = False


def judge(request: ChatRequest, caller: Caller, wishes: Wishes, snapshot: Snapshot, clock: Clock) -> Decision:
    """Raises NotFound, Unsupported, Unservable or UpstreamUnavailable, as `decide` does."""
    began = clock.monotonic()
    seen = view(request)
    if request.dialect == "embeddings":
        signals = unjudged(request, seen)
    else:
        choice = snapshot.catalog.choices.get(request.model)
        signals = extract(request, seen, None if choice is None else choice.sense)
    now = clock.now_ms()
    name = new_id(now)
    ask = ask_for(
        request,
        seen,
        signals,
        caller,
        id=name,
        request_id=wishes.request_id or "req_" + name.replace("-", ""),
        at=now,
        quality=wishes.quality,
        max_cost=wishes.max_cost,
    )
    decision = decide(ask, snapshot)
    elapsed = clock.monotonic() - began
    return structs.replace(decision, elapsed_us=int(elapsed * 1e6 + 0.5))
