"""The one filter: which models may and can serve a request, and why each of the others may not.

Whatever narrows a set of models (a rule now; budgets, privacy and experiment arms in the same way) is a
`Narrowing`, and all of them pass through `admissible`. Nothing after it can bring a rejected model back.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from llm_inference_router.backends.registry import takes
from llm_inference_router.config.constraint import excludes
from llm_inference_router.config.schema import Constraint
from llm_inference_router.money import to_usd
from llm_inference_router.routing.ask import Ask, Live
from llm_inference_router.routing.predict import expected_cost
from llm_inference_router.types import Model, Rejection, RejectionReason

# Prompt tokens are an estimate (each model has a tokenizer of its own), and a prompt that does not fit costs
# a failed try: so the estimate counts a tenth more against the window.
CONTEXT_MARGIN = 1.1
NOTHING_MEASURED: Mapping[str, Live] = {}


class Narrowing(Struct, frozen=True):
    """A constraint applied to the configured models beforehand. `excluded` is model name -> why."""

    label: str
    reason: RejectionReason
    excluded: Mapping[str, str]
    bar: float | None = None


def narrow(label: str, reason: RejectionReason, constraint: Constraint, models: Iterable[Model]) -> Narrowing:
    """The constraint as a lookup; `label` names its owner in rejections, such as "rule night"."""
    outside = {model.name: why for model in models if (why := excludes(constraint, model)) is not None}
    return Narrowing(label, reason, outside, constraint.bar)


def admissible(
    ask: Ask,
    models: Sequence[Model],
    narrowings: Sequence[Narrowing],
    resting: AbstractSet[str],
    *,
    windows: bool = True,
    live: Mapping[str, Live] = NOTHING_MEASURED,
) -> tuple[list[Model], tuple[Rejection, ...]]:
    """The models that may and can serve, and a rejection for each other one, both in the order given.

    A model is rejected for its first obstacle; "unavailable" comes last, so it means that nothing but rest is
    in the way. `windows` False leaves out the context window, where no other model could serve instead.
    """
    remaining: list[Model] = []
    rejections: list[Rejection] = []
    signals = ask.signals
    needs, padded = signals.needs, int(signals.prompt_tokens * CONTEXT_MARGIN)
    for model in models:
        rejection = None
        if needs and not needs <= model.capabilities:
            missing = ", ".join(sorted(needs - model.capabilities))
            rejection = Rejection(model.name, "capability", f"lacks {missing}")
        elif ask.own and not ask.own <= (taken := takes(model.backend, ask.dialect)):
            detail = f"has no way to take {', '.join(sorted(ask.own - taken))}"
            rejection = Rejection(model.name, "capability", detail)
        elif windows and padded + _room(ask, model) > model.context:
            detail = f"about {padded} + {_room(ask, model)} tokens do not fit in {model.context}"
            rejection = Rejection(model.name, "context", detail)
        else:
            rejection = _barred(ask, model, narrowings, live)
            if rejection is None and model.name in resting:
                rejection = Rejection(model.name, "unavailable", "its endpoints rest after failures")
        if rejection is None:
            remaining.append(model)
        else:
            rejections.append(rejection)
    return remaining, tuple(rejections)


def _room(ask: Ask, model: Model) -> int:
    """Tokens to keep free for the answer."""
    output = ask.signals.output_tokens.p50 if ask.max_tokens is None else ask.max_tokens
    return output if model.max_output is None else min(output, model.max_output)


def _barred(ask: Ask, model: Model, narrowings: Sequence[Narrowing], live: Mapping[str, Live]) -> Rejection | None:
    for narrowing in narrowings:
        why = narrowing.excluded.get(model.name)
        if why is not None:
            return Rejection(model.name, narrowing.reason, f"{narrowing.label}: {why}")
    if ask.max_cost is not None:
        cost = expected_cost(model, ask, live.get(model.name))
        if cost > ask.max_cost:
            detail = f"expected ${to_usd(cost):.6f} is over the caller's ${to_usd(ask.max_cost):.6f}"
            return Rejection(model.name, "cost", detail)
    return None


def fits_nowhere(ask: Ask, models: Sequence[Model]) -> bool:
    """Whether no capable model has the window for this request, whatever constraints say."""
    needs, padded = ask.signals.needs, int(ask.signals.prompt_tokens * CONTEXT_MARGIN)
    return all(padded + _room(ask, model) > model.context for model in models if needs <= model.capabilities)


def beyond_windows(
    ask: Ask,
    models: Sequence[Model],
    narrowings: Sequence[Narrowing],
    resting: AbstractSet[str],
    live: Mapping[str, Live] = NOTHING_MEASURED,
) -> tuple[list[Model], tuple[Rejection, ...]]:
    """Who may try when the request `fits_nowhere` by our estimate: the widest of the capable models, if it may serve.

    The upstream counts better than we do; when it agrees, its own error is what the client's library knows. A
    constraint that forbids the widest does not let a narrower one try: it only ever narrows.
    """
    able, rejections = admissible(ask, models, narrowings, resting, windows=False, live=live)
    widest = max((model.context for model in models if ask.signals.needs <= model.capabilities), default=0)
    narrow_ones = [model for model in able if model.context < widest]
    refused = {one.model: one for one in rejections}
    refused |= {
        m.name: Rejection(m.name, "context", f"its window of {m.context} is not the widest") for m in narrow_ones
    }
    order = [refused[model.name] for model in models if model.name in refused]
    return [model for model in able if model.context == widest], tuple(order)
