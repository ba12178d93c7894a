"""The one filter: which models may and can serve a request, and why each of the others may not.

Whatever narrows a set of models (a rule now; budgets, privacy and experiment arms in the same way) is a
`Narrowing`, and all of them pass through `admissible`. Nothing after it can bring a rejected model back.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from llm_inference_router.backends.registry import takes, unseen
from llm_inference_router.config.constraint import excludes
from llm_inference_router.config.schema import Constraint
from llm_inference_router.money import to_usd
from llm_inference_router.routing.ask import Ask, Live
from llm_inference_router.routing.attached import prompt_tokens
from llm_inference_router.routing.predict import expected_cost
from llm_inference_router.types import Model, Rejection
from llm_inference_router.vocabulary import RejectionReason

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
    outputs: bool = True,
    live: Mapping[str, Live] = NOTHING_MEASURED,
) -> tuple[list[Model], tuple[Rejection, ...]]:
    """The models that may and can serve, and a rejection for each other one, both in the order given.

    A model is rejected for its first obstacle; "unavailable" comes last, so it means that nothing but rest is
    in the way. `windows` False leaves out the context window, where no other model could serve instead, `outputs`
    False the most tokens that a model gives.
    """
    remaining: list[Model] = []
    rejections: list[Rejection] = []
    signals = ask.signals
    padded, length = int(signals.prompt_tokens * CONTEXT_MARGIN), _length(ask) if outputs else 0
    for model in models:
        if signals.attachments:
            padded = _padded(ask, model)
        lacking = incapable(ask, model)
        rejection = None
        if lacking is not None:
            rejection = Rejection(model.name, "capability", lacking)
        elif model.max_output is not None and length > model.max_output:
            detail = f"gives at most {model.max_output} tokens, up to {length} are expected"
            rejection = Rejection(model.name, "output", detail)
        elif windows and padded + _room(ask, model) > model.context:
            rejection = _too_small(ask, model)
        else:
            rejection = _barred(ask, model, narrowings, live)
            if rejection is None and model.name in resting:
                rejection = Rejection(model.name, "unavailable", "its endpoints rest after failures")
        if rejection is None:
            remaining.append(model)
        else:
            rejections.append(rejection)
    return remaining, tuple(rejections)


def incapable(ask: Ask, model: Model) -> str | None:
    """What the request needs and the model has not, after its name: "lacks vision". None where nothing is missing.

    A model that embeds does nothing else: what such a server calls chat, if it answers at all, is not what anybody who
    lists it under `embeddings` wants to be answered with.
    """
    needs, able = ask.signals.needs, model.capabilities
    if needs and not needs <= able:
        return f"lacks {', '.join(sorted(needs - able))}"
    if "embeddings" in able and "embeddings" not in needs:
        return "serves embeddings alone"
    if ask.own and not ask.own <= (taken := takes(model.backend, ask.dialect)):
        return f"has no way to take {', '.join(sorted(ask.own - taken))}"
    if ask.signals.attachments and (unable := unseen(model.backend, ask.signals.attachments)) is not None:
        return f"has no way to take {unable}"
    return None


def _length(ask: Ask) -> int:
    """Tokens that the answer may well have, where the client wants that many.

    Its limit alone says nothing: agents always name a large one, and a model that gives less is asked for less.
    """
    expected = ask.signals.output_tokens.p90
    if ask.max_tokens is None:
        return 0
    if ask.max_tokens > expected:
        return expected
    return ask.max_tokens


def _padded(ask: Ask, model: Model) -> int:
    """Tokens of the prompt, and what they may be more than was counted."""
    return int(prompt_tokens(model, ask.signals) * CONTEXT_MARGIN)


def _room(ask: Ask, model: Model) -> int:
    """Tokens to keep free for the answer."""
    output = ask.signals.output_tokens.p50 if ask.max_tokens is None else ask.max_tokens
    return output if model.max_output is None else min(output, model.max_output)


def _too_small(ask: Ask, model: Model) -> Rejection:
    needed = _padded(ask, model) + _room(ask, model)
    return Rejection(model.name, "context", f"has a context of {model.context} tokens, about {needed} are needed")


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


def _able(ask: Ask, models: Sequence[Model]) -> list[Model]:
    """Those that could serve the request, were it only short enough."""
    return [model for model in models if incapable(ask, model) is None]


def fits_nowhere(ask: Ask, models: Sequence[Model]) -> bool:
    """Whether no capable model has the window for this request, whatever constraints say."""
    return all(_padded(ask, model) + _room(ask, model) > model.context for model in _able(ask, models))


def beyond_windows(
    ask: Ask,
    models: Sequence[Model],
    narrowings: Sequence[Narrowing],
    resting: AbstractSet[str],
    live: Mapping[str, Live] = NOTHING_MEASURED,
    *,
    outputs: bool = True,
) -> tuple[list[Model], tuple[Rejection, ...]]:
    """Who may try when the request `fits_nowhere` by our estimate: the widest of the capable models, if it may serve.

    The upstream counts better than we do; when it agrees, its own error is what the client's library knows. A
    constraint that forbids the widest does not let a narrower one try: it only ever narrows. Where the caller's own
    `max_tokens` alone is more than the window nothing is estimated, and nobody tries.
    """
    able, rejections = admissible(ask, models, narrowings, resting, windows=False, outputs=outputs, live=live)
    widest = max((model.context for model in _able(ask, models)), default=0)
    refused = {one.model: one for one in rejections}
    chosen: list[Model] = []
    for model in able:
        if outputs and ask.max_tokens is not None and _room(ask, model) > model.context:
            refused[model.name] = _too_small(ask, model)
        elif model.context < widest:
            detail = f"its window of {model.context} is not the widest"
            refused[model.name] = Rejection(model.name, "context", detail)
        else:
            chosen.append(model)
    return chosen, tuple(refused[model.name] for model in models if model.name in refused)
