"""The decision: one pure function that the server, /v1/route, the command line and the tests all call.

A route: its rules, the filter, an estimate of each candidate, its policy. A model's own name pins it: no
rule, no policy and no other model, because the caller has made the choice; what the model cannot do and what
the caller's key may not use still stand in the way. (Rules shape what a route chooses. Keys are what keeps a
caller from a model: list the names a key may ask for, and only those can be pinned.)
"""

from collections.abc import Mapping

from msgspec import Struct, structs

from llm_inference_router.errors import Busy, NotFound, RouterError, Unservable, Unsupported, UpstreamUnavailable
from llm_inference_router.routing import predict
from llm_inference_router.routing.ask import Ask as Ask
from llm_inference_router.routing.ask import Live as Live
from llm_inference_router.routing.catalog import Catalog, Choice
from llm_inference_router.routing.filter import admissible, beyond_windows, fits_nowhere
from llm_inference_router.routing.policy import choose
from llm_inference_router.routing.rules import CompiledRule, first_match
from llm_inference_router.routing.space import one_space
from llm_inference_router.signals.base import TextView
from llm_inference_router.types import (
    Caller,
    Candidate,
    ChatRequest,
    Decision,
    Model,
    PolicyUsed,
    Quality,
    Rejection,
    Signals,
)

_FIXED = PolicyUsed("fixed")
_NO_QUALITY = Quality(0.0, 0.0)
# What a request asks for and a model cannot do, whoever asks.
_UNABLE = frozenset({"capability", "context", "output"})


class Snapshot(Struct, frozen=True):
    """What is known when a request comes in; a request keeps its snapshot to the end.

    `resting` names the models without a usable endpoint. `retry_after_s` is what a caller is told to wait
    when rest is all that stands in the way; the default is the breaker's default rest.
    """

    catalog: Catalog
    resting: frozenset[str] = frozenset()
    live: Mapping[str, Live] = {}
    retry_after_s: float = 10.0
    limited: frozenset[str] = frozenset()


def ask_for(
    request: ChatRequest,
    view: TextView,
    signals: Signals,
    caller: Caller,
    *,
    id: str,  # noqa: A002 - the record's own name
    request_id: str,
    at: int,
    quality: float | None = None,
    max_cost: int | None = None,
) -> Ask:
    """The one way from a parsed chat request to an Ask. `at` Unix milliseconds, `max_cost` picodollars."""
    return Ask(
        id=id,
        request_id=request_id,
        at=at,
        model=request.model,
        caller=caller,
        signals=signals,
        ask=view.ask,
        messages=request.messages,
        max_tokens=request.max_tokens,
        quality=quality,
        max_cost=max_cost,
        choices=request.choices,
        dialect=request.dialect,
        own=request.own,
    )


def decide(ask: Ask, snapshot: Snapshot) -> Decision:
    """Chooses a model and its fallbacks. The same ask and snapshot always give the same decision.

    Raises NotFound for a name that does not exist or that the caller's key may not use (which is not told
    apart), Unsupported when no model can serve, Unservable when none may, and UpstreamUnavailable (503) when one could
    but its endpoints rest.
    """
    choice = resolve(snapshot.catalog, ask)
    rule = first_match(choice.rules, ask) if choice.rules else None
    narrowings = () if rule is None else (rule.narrowing,)
    resting, live = snapshot.resting, snapshot.live
    embeds, free = ask.dialect == "embeddings", not choice.pinned
    # Each text of a request for embeddings has the window to itself, so their sum says nothing.
    windows, outputs = free and not embeds, free
    models, rejections = admissible(
        ask, choice.models, narrowings, resting, windows=windows, outputs=outputs, live=live
    )
    if not models and any(one.reason == "output" for one in rejections):
        # Nobody gives that many: then whoever may gives what it can.
        outputs = False
        models, rejections = admissible(
            ask, choice.models, narrowings, resting, windows=windows, outputs=outputs, live=live
        )
    if embeds:
        models, rejections = one_space(choice.models, models, rejections)
    elif not models and fits_nowhere(ask, choice.models):
        models, rejections = beyond_windows(ask, choice.models, narrowings, resting, live, outputs=outputs)
    if not models:
        raise _refusal(choice, rejections, snapshot)
    policy = _FIXED if embeds and free else _policy(choice, rule, ask)
    candidates = _candidates(choice, models, ask, policy, live)
    chain = choose(policy, candidates, ask.signals.complexity.value)
    caller = ask.caller
    return Decision(
        id=ask.id,
        request_id=ask.request_id,
        at=ask.at,
        route=choice.name,
        reason=_reason(policy, rule),
        rule=None if rule is None else rule.name,
        policy=policy,
        chosen=chain[0],
        chain=chain,
        signals=ask.signals,
        candidates=candidates,
        rejections=rejections,
        baseline=chain[0] if embeds else choice.baseline,  # no other model's vectors could have been taken instead
        key=caller.key,
        user=caller.user,
        session=caller.session,
        tags=caller.tags,
        choices=ask.choices,
    )


def resolve(catalog: Catalog, ask: Ask) -> Choice:
    """What the requested name stands for. A key that may not use a name gets the answer of one that does not
    exist.
    """
    permitted = ask.caller.routes
    choice = catalog.choices.get(ask.model)
    if choice is not None and (permitted is None or ask.model in permitted):
        return choice
    routes = [name for name in catalog.routes if permitted is None or name in permitted]
    offer = f"Routes you may ask for: {', '.join(routes)}." if routes else "This key may use no route."
    shown = ask.model if len(ask.model) <= 100 else f"{ask.model[:100]}..."
    raise NotFound(f'The model "{shown}" does not exist, or this key may not use it. {offer}', param="model")


def _policy(choice: Choice, rule: CompiledRule | None, ask: Ask) -> PolicyUsed:
    """The route's policy. Its bar, if it has one, is the caller's, else the rule's, else the config's."""
    policy = choice.policy
    if policy.kind != "cheapest_above_bar":
        return policy
    bar = ask.quality
    if bar is None and rule is not None:
        bar = rule.narrowing.bar
    return policy if bar is None else PolicyUsed("cheapest_above_bar", bar=bar)


def _candidates(
    choice: Choice, models: list[Model], ask: Ask, policy: PolicyUsed, live: Mapping[str, Live]
) -> tuple[Candidate, ...]:
    cost_weight, latency_weight = policy.cost_weight, policy.latency_weight
    if cost_weight is None or latency_weight is None:
        cost_weight, latency_weight = predict.DEFAULT_COST_WEIGHT, predict.DEFAULT_LATENCY_WEIGHT
    embeds = ask.dialect == "embeddings"  # of whose quality nothing is known, and nothing is asked
    qualities = {} if embeds else predict.qualities(choice.panel, choice.sense, ask.signals)
    candidates = [
        predict.estimate(
            model, ask, qualities.get(model.name, _NO_QUALITY), live.get(model.name), cost_weight, latency_weight
        )
        for model in models
    ]
    if embeds:
        return tuple(candidates)
    # The hull is that of the models that could answer: one that is beaten by absent models is not beaten.
    if choice.hull is not None and (beaten := choice.hull.beaten(tuple([model.name for model in models]))):
        candidates = [
            structs.replace(one, beaten_by=beaten[one.model]) if one.model in beaten else one for one in candidates
        ]
    return tuple(candidates)


def _reason(policy: PolicyUsed, rule: CompiledRule | None) -> str:
    if policy.kind == "pinned":
        return "pinned"
    return f"policy:{policy.kind}" if rule is None else f"rule:{rule.name}"


def _refusal(choice: Choice, rejections: tuple[Rejection, ...], snapshot: Snapshot) -> RouterError:
    name = f'{"model" if choice.pinned else "route"} "{choice.name}"'
    if all(one.reason in _UNABLE for one in rejections):
        if choice.pinned:
            return Unsupported(f"The {name} cannot serve this request: it {rejections[0].detail}.")
        lacks = "; ".join(f"{one.model} {one.detail}" for one in rejections)
        return Unsupported(f"No model of {name} can serve this request: {lacks}.")
    why = "; ".join(f"{one.model}: {one.reason} ({one.detail})" for one in rejections)
    waiting = {one.model for one in rejections if one.reason == "unavailable"}
    if not waiting:
        return Unservable(f"No model of {name} may or can serve this request. {why}.")
    if waiting <= snapshot.limited:
        message = f"Every model of {name} that could answer is at its upstream's rate limit. {why}."
        return Busy(message, code="rate_limit_exceeded", retry_after_s=snapshot.retry_after_s)
    message = f"No model of {name} is available now. {why}."
    return UpstreamUnavailable(message, status=503, retry_after_s=snapshot.retry_after_s)
