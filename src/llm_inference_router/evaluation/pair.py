"""RouteLLM's figures for a weak and a strong model, beside length only, the shuffled control and the oracle."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.bootstrap import means, summary
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.figures import PairFigures, Rates, Shares
from llm_inference_router.evaluation.metrics import Interval, apgr_draws, cpt_draws
from llm_inference_router.evaluation.table import Table

Floats: TypeAlias = NDArray[np.float64]

# file -> (weak, strong), where none is asked for
KNOWN: Mapping[str, tuple[str, str]] = {
    "routerbench_sub": ("mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview"),
    "ulab_llmrouter": ("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
    "paretobandit": ("meta-llama/llama-3.1-8b-instruct", "google/gemini-2.5-flash"),
    "zeroeval": ("Meta-Llama-3-8B-Instruct", "gemini-1.5-pro"),
    "routellm_mmlu": ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"),
}
_DEALS = 200
_SHARES = np.linspace(0.0, 1.0, 21)


class Pair(Struct, frozen=True):
    weak: str
    strong: str
    origin: str


class Measured(Struct, frozen=True):
    """The figures, and APGR of the sample and of every draw, for means over files."""

    figures: PairFigures
    apgr: Mapping[str, Floats]


def pair_of(table: Table, asked: tuple[str, str] | None) -> Pair | None:
    """The pair to judge a file by: the one asked for, the file's known one, else its cheapest and its best model; None
    where that is one and the same. Raises `DataError` where the file lacks a model that was asked for."""
    if asked is not None:
        lacking = [model for model in asked if model not in table.models]
        if lacking:
            raise DataError(
                [f"{table.name}: has no scores of {model!r}; its models are {', '.join(table.models)}"
                 for model in lacking]
            )  # fmt: skip
        return Pair(*asked, origin="asked for")
    known = KNOWN.get(table.name)
    if known is not None and set(known) <= set(table.models):
        return Pair(*known, origin="known for this file")
    quality = table.scores.mean(axis=0)
    priced = table.priced
    if priced.size:
        weak = int(priced[np.lexsort((-quality[priced], table.cost[:, priced].mean(axis=0)))[0]])
        origin = "the cheapest and the best model"
    else:
        weak, origin = int(quality.argmin()), "the worst and the best model"
    strong = int(quality.argmax())
    if quality[strong] <= quality[weak]:
        return None
    return Pair(table.models[weak], table.models[strong], origin)


def measure_pair(table: Table, quality: Floats, pair: Pair, counts: Floats, seed: int) -> Measured:
    """Figures of predictions (rows, models) over the draws of `counts`."""
    first, second = table.models.index(pair.weak), table.models.index(pair.strong)
    weak, strong = table.scores[:, first], table.scores[:, second]
    rank = {
        "router": np.round(quality[:, second] - quality[:, first], 9),
        "length": table.length,
        "oracle": strong - weak,
    }
    rng = np.random.default_rng(seed)
    dealt = [rng.permutation(rank["router"]) for _ in range(_DEALS)]
    once = counts[:1]
    apgr = {name: apgr_draws(score, weak, strong, counts) for name, score in rank.items()}
    apgr["shuffled"] = _of_deals(np.array([apgr_draws(deal, weak, strong, once)[0] for deal in dealt]))

    def cpts(target: float) -> Rates:
        rates = {name: summary(cpt_draws(score, weak, strong, target, counts)) for name, score in rank.items()}
        deals = np.array([cpt_draws(deal, weak, strong, target, once)[0] for deal in dealt])
        return Rates(**rates, shuffled=summary(_of_deals(deals)))

    figures = PairFigures(
        weak=pair.weak,
        strong=pair.strong,
        origin=pair.origin,
        weak_quality=float(weak.mean()),
        strong_quality=float(strong.mean()),
        apgr=Rates(**{name: summary(values) for name, values in apgr.items()}),
        cpt_50=cpts(0.5),
        cpt_80=cpts(0.8),
        curve=_curve(rank, weak, strong, counts),
    )
    return Measured(figures, apgr)


def _of_deals(deals: Floats) -> Floats:
    """The mean of all deals, then the deals: their spread is that of chance, not of the sample."""
    return np.concatenate([[deals.mean()], deals])


def _curve(rank: Mapping[str, Floats], weak: Floats, strong: Floats, counts: Floats) -> Shares:
    def quality(score: Floats) -> Floats:
        return weak[:, None] + sent(score, _SHARES) * (strong - weak)[:, None]

    router = means(counts, quality(rank["router"]))
    return Shares(
        share=tuple(_SHARES.tolist()),
        router=tuple(summary(column) for column in router.T),
        length=tuple(quality(rank["length"]).mean(axis=0).tolist()),
        oracle=tuple(quality(rank["oracle"]).mean(axis=0).tolist()),
    )


def sent(score: Floats, shares: Floats) -> Floats:
    """How much of each row goes to the strong model when `shares` of all rows do, the highest scores first; equal ones
    alike. Shape (rows, shares)."""
    _, inverse, counts = np.unique(-score, return_inverse=True, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])[inverse]
    part: Floats = np.clip((shares[None, :] * len(score) - before[:, None]) / counts[inverse][:, None], 0.0, 1.0)
    return part


def mean_apgr(measured: list[Measured]) -> Rates | None:
    """APGR averaged over files, draw by draw; None where no file has one."""
    if not measured:
        return None

    def mean(name: str) -> Interval:
        return summary(np.mean([one.apgr[name] for one in measured], axis=0))

    return Rates(router=mean("router"), length=mean("length"), shuffled=mean("shuffled"), oracle=mean("oracle"))
