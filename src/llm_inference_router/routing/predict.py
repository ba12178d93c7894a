"""What to expect of a model on a request: quality, cost, time, and the one number that weighs them.

Quality is the product of the request's latent numbers and the model's (`learning.loading`). Cost is exact arithmetic
on list prices and expected tokens, the shared guess turned by how long the model's own answers have been
(`learning.length`). Time is a prior by tier and place until the model's own recent figures outweigh it.
"""

from llm_inference_router.config.schema import Utility
from llm_inference_router.learning.length import expected
from llm_inference_router.learning.loading import Panel
from llm_inference_router.money import PICODOLLARS_PER_USD
from llm_inference_router.routing.ask import Ask, Live
from llm_inference_router.routing.attached import prompt_tokens
from llm_inference_router.signals.sense import Sense
from llm_inference_router.types import NO_TOKENS, Candidate, Model, Quality, Quantiles, Signals
from llm_inference_router.vocabulary import Location, Tier

# Time to first token (ms, short prompt) and tokens a second, before anything is measured. Orders of magnitude
# only: a small model on one local GPU begins at once, a large one there decodes slowly; cloud models add a
# network and a queue but run on better hardware. They decide nothing but ties under cheapest_above_bar, and
# fade as figures come in.
PACE: dict[tuple[Tier, Location], tuple[float, float]] = {
    ("small", "local"): (120.0, 60.0),
    ("medium", "local"): (250.0, 35.0),
    ("large", "local"): (600.0, 15.0),
    ("small", "cloud"): (350.0, 120.0),
    ("medium", "cloud"): (450.0, 90.0),
    ("large", "cloud"): (900.0, 45.0),
}
# Reading the prompt, ms a token: about 3,000 tokens a second on one local GPU, 10,000 in a data centre.
PREFILL_MS: dict[Location, float] = {"local": 0.33, "cloud": 0.1}
# As many answers as the prior counts for: one slow start moves an estimate by a tenth, twenty settle it.
PRIOR_SAMPLES = 10

# Candidates carry a utility under every policy, so that decisions can be compared; the policy's weights, or
# these.
DEFAULT_COST_WEIGHT = Utility().cost_weight
DEFAULT_LATENCY_WEIGHT = Utility().latency_weight


_COVERED = 0.5  # from where on labels say more than the line


def qualities(panel: Panel, sense: Sense, signals: Signals) -> dict[str, Quality]:
    """Expected quality of each model of a panel. Signals that were seen through another lens, or through none, have
    only their complexity to go by."""
    latent = signals.latent
    if signals.lens != sense.lens.version:
        latent = sense.lens.plain(signals.complexity.value)
    found = panel.quality(latent)
    return {
        name: Quality(mean, sd, "labels" if found.covered >= _COVERED else basis)
        for name, basis, mean, sd in zip(panel.names, panel.bases, found.means, found.sds, strict=True)
    }


def expected_tokens(model: Model, ask: Ask, live: Live | None = None) -> tuple[Quantiles, Quantiles]:
    """Tokens of one answer, and how many of them are reasoning: the shared guess, turned by how long the model's own
    answers have been. Never more than the caller or the model allows: both count reasoning as output."""
    guess = ask.signals.output_tokens
    limit = ask.max_tokens
    if limit is None or (model.max_output is not None and model.max_output < limit):
        limit = model.max_output
    if live is None or live.length is None:
        if limit is None or guess.p90 <= limit:
            return guess, NO_TOKENS
        return Quantiles(min(guess.p50, limit), limit), NO_TOKENS
    return expected(live.length, guess, limit)


def expected_output(model: Model, ask: Ask, live: Live | None = None) -> int:
    """The median of `expected_tokens`."""
    return expected_tokens(model, ask, live)[0].p50


def expected_cost(model: Model, ask: Ask, live: Live | None = None) -> int:
    """Picodollars for the prompt and every choice asked for; nothing is taken to be cached."""
    return _cost(model, ask, expected_output(model, ask, live))


def _cost(model: Model, ask: Ask, output: int) -> int:
    price, signals = model.price, ask.signals
    prompt = prompt_tokens(model, signals) if signals.attachments else signals.prompt_tokens
    return price.input * prompt + price.output * output * ask.choices


def expected_pace(model: Model, prompt_tokens: int, live: Live | None) -> tuple[float, float]:
    """Milliseconds to the first token, and milliseconds for each token after it."""
    ttft, rate = PACE[model.tier, model.location]
    ttft += prompt_tokens * PREFILL_MS[model.location]
    if live is not None and live.samples > 0:
        weight = live.samples / (live.samples + PRIOR_SAMPLES)
        ttft += (live.ttft_ms - ttft) * weight
        if live.tokens_per_s > 0:
            rate += (live.tokens_per_s - rate) * weight
    return ttft, 1000.0 / rate


def utility(quality: float, cost: int, total_ms: float, cost_weight: float, latency_weight: float) -> float:
    """quality - cost_weight x USD - latency_weight x seconds."""
    return quality - cost_weight * (cost / PICODOLLARS_PER_USD) - latency_weight * (total_ms / 1000.0)


def estimate(
    model: Model,
    ask: Ask,
    quality: Quality,
    live: Live | None = None,
    cost_weight: float = DEFAULT_COST_WEIGHT,
    latency_weight: float = DEFAULT_LATENCY_WEIGHT,
) -> Candidate:
    """The model as a candidate."""
    output, reasoning = expected_tokens(model, ask, live)
    cost = _cost(model, ask, output.p50)
    signals = ask.signals
    prompt = prompt_tokens(model, signals) if signals.attachments else None
    ttft_ms, per_token_ms = expected_pace(model, signals.prompt_tokens if prompt is None else prompt, live)
    total_ms = ttft_ms + per_token_ms * output.p50
    worth = utility(quality.mean, cost, total_ms, cost_weight, latency_weight)
    return Candidate(model.name, quality, cost, ttft_ms, total_ms, worth, output, reasoning, (), prompt)
