"""What labels have bought, and whether more would be worth their price.

Decisions are those of `cheapest_above_bar`: the cheapest model whose expected quality is at least bar x the best one's,
costs being the means that were paid while calibrating. What another hundred labelled prompts would be worth is their
expected value of information (Raiffa and Schlaifer 1961), by simulation. They would shrink the doubt about a model's
mean log odds from variance v to w = 1 / (1 / v + 100 x mean p (1 - p)), and until they are there its estimate is
expected to move by Normal(0, v - w) logits. For each of many such moves

    loss of a choice = its cost + shortfall below the bar x worth       gain = loss(choice now) - loss(choice then)

and the mean gain a request, times the requests that the model file will decide, is set against the labels' cost. The
worth of one unit of quality is the price at which the `utility` policy trades it: 1 / cost_weight USD.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import resample, summary
from llm_inference_router.evaluation.lessons import Taught
from llm_inference_router.evaluation.metrics import Interval
from llm_inference_router.learning.artefact import Named

Floats: TypeAlias = NDArray[np.float64]
Choices: TypeAlias = NDArray[np.intp]

MORE = 100
_MOVES = 400
_SAMPLES = 1000


class ModelBought(Struct, frozen=True):
    """`mean` of the labels, None without any; `prior` and `posterior` mean quality over the prompts, and `sd` of the
    latter."""

    labels: int
    mean: float | None
    prior: float
    posterior: float
    sd: float


class Bought(Struct, frozen=True):
    """`changed`: share of the prompts that go to another model than by the shipped predictor. `saved_*`: share of the
    strongest model's cost that is saved, None where that one costs nothing; `kept`: quality of what is chosen as a
    share of the strongest's, by the new estimate."""

    models: Mapping[str, ModelBought]
    prompts: int
    bar: float
    changed: Interval
    saved_before: Interval | None
    saved_after: Interval | None
    kept_before: Interval
    kept_after: Interval


class More(Struct, frozen=True):
    """Of `labels` more labelled prompts: `price` USD, `gain` USD a request, `requests` from which on they pay, None for
    never."""

    labels: int
    price: float
    gain: float
    requests: float | None

    def worth_it(self, requests: int) -> bool:
        return self.requests is not None and requests >= self.requests


class Deal(Struct, frozen=True, eq=False):
    """What both questions are asked of. `costs` USD of shape (prompts, models), nan where no answer came."""

    taught: Taught
    named: Mapping[str, Named]
    strongest: str
    latents: Floats
    labels: Mapping[str, Floats]
    costs: Floats
    bar: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.named)

    @property
    def prices(self) -> Floats:
        """Mean cost of each model; of one that never answered, endless."""
        seen = np.isfinite(self.costs)
        total = np.where(seen, self.costs, 0.0).sum(0)
        return np.where(seen.any(0), total / np.maximum(seen.sum(0), 1), np.inf)


def bought(deal: Deal, seed: int = 0) -> Bought:
    """Intervals resample prompts."""
    taught, latents, names = deal.taught, deal.latents, deal.names
    shipped = taught.shipped.panel(deal.named).qualities(latents)[0]
    unlabelled = taught.unlabelled.panel(deal.named).qualities(latents)[0]
    after = taught.artefact.panel(deal.named).qualities(latents)[0]
    old, new = choices(shipped, deal.prices, deal.bar), choices(after, deal.prices, deal.bar)
    counts = resample(len(latents), _SAMPLES, seed)
    best = names.index(deal.strongest)
    models = {}
    for column, name in enumerate(names):
        scores = deal.labels.get(name)
        seen = np.zeros(0) if scores is None else scores[np.isfinite(scores)]
        models[name] = ModelBought(
            labels=len(seen),
            mean=float(seen.mean()) if len(seen) else None,
            prior=float(unlabelled[:, column].mean()),
            posterior=float(after[:, column].mean()),
            sd=_sd(deal, name, after[:, column]),
        )
    return Bought(
        models=models,
        prompts=len(latents),
        bar=deal.bar,
        changed=summary(counts @ (old != new) / len(latents)),
        saved_before=_saved(deal, old, best, counts),
        saved_after=_saved(deal, new, best, counts),
        kept_before=_kept(after, old, best, counts),
        kept_after=_kept(after, new, best, counts),
    )


def more(deal: Deal, spent: float, worth: float, seed: int = 0, count: int = MORE) -> More:
    """`spent` USD on the labels so far, `worth` USD of one unit of quality."""
    labelled = max(int(np.isfinite(scores).sum()) for scores in deal.labels.values())
    price = spent * count / labelled if labelled else np.inf
    quality = deal.taught.artefact.panel(deal.named).qualities(deal.latents)[0]
    now = choices(quality, deal.prices, deal.bar)
    logits = np.log(np.clip(quality, 1e-6, 1 - 1e-6) / np.clip(1 - quality, 1e-6, 1))
    swing = _swings(deal, quality, count)
    rng = np.random.default_rng(seed)
    gains = []
    for move in rng.normal(size=(_MOVES, len(swing))) * swing:
        then = 1.0 / (1.0 + np.exp(-(logits + move)))
        gains.append(_loss(deal, then, now, worth) - _loss(deal, then, choices(then, deal.prices, deal.bar), worth))
    gain = max(0.0, float(np.mean(gains)))
    return More(count, price, gain, price / gain if gain > 0 and np.isfinite(price) else None)


def choices(quality: Floats, prices: Floats, bar: float) -> Choices:
    """The column that each request goes to: the cheapest above the bar, of equally cheap ones the better."""
    enough = quality >= bar * quality.max(1, keepdims=True)
    order = np.lexsort((-quality, np.where(enough, prices, np.inf)), axis=1)
    first: Choices = order[:, 0]
    return first


def _sd(deal: Deal, name: str, quality: Floats) -> float:
    learned = deal.taught.learned.get(name)
    return 0.0 if learned is None else float(np.mean(quality * (1.0 - quality))) * learned.sd_of_mean(deal.latents)


def _swings(deal: Deal, quality: Floats, count: int) -> Floats:
    """Standard deviation of each model's expected move, in logits; 0 for the strongest, whose place is fixed."""
    found = np.zeros(len(deal.names))
    for column, name in enumerate(deal.names):
        learned = deal.taught.learned.get(name)
        if learned is not None:
            variance = max(learned.sd_of_mean(deal.latents), 1e-6) ** 2
            told = count * float(np.mean(quality[:, column] * (1 - quality[:, column])))
            found[column] = (variance - 1.0 / (1.0 / variance + told)) ** 0.5
    return found


def _loss(deal: Deal, quality: Floats, chosen: Choices, worth: float) -> float:
    """Mean USD a request."""
    rows = np.arange(len(quality))
    short = np.maximum(0.0, deal.bar * quality.max(1) - quality[rows, chosen])
    return float(np.mean(deal.prices[chosen] + worth * short))


def _saved(deal: Deal, chosen: Choices, best: int, counts: Floats) -> Interval | None:
    """By what the prompts' own answers cost; where the chosen model's did not come, by its mean."""
    filled = np.where(np.isfinite(deal.costs), deal.costs, deal.prices)
    paid = counts @ filled[np.arange(len(chosen)), chosen]
    whole = counts @ filled[:, best]
    return summary(1.0 - paid / whole) if np.isfinite(whole).all() and whole.min() > 0 else None


def _kept(quality: Floats, chosen: Choices, best: int, counts: Floats) -> Interval:
    return summary((counts @ quality[np.arange(len(chosen)), chosen]) / (counts @ quality[:, best]))
