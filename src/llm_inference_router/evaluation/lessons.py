"""From judged answers to a model file: the shipped predictor with one more source of labels, the owner's own.

Labels are comparisons with the strongest model, so they say nothing of how good that one is by itself. On this source
quality is therefore relative: the strongest has 0.5 everywhere, and another model the probability that its answer is
the better one, ties shared out. Before any label that probability follows from both models' places on the line,

    logit P(m is better than s) = line of m - line of s,

which is exact where answers are right or wrong by Rasch's model and ties are left out (then it is that of Bradley and
Terry 1952). Bars and policies compare models on the same request, so a relative scale serves them as well.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from llm_inference_router.learning.artefact import CALIBRATION, Artefact, Named
from llm_inference_router.learning.cold import Crowd, Learned, Spread, learn, line_logits, nobody, own_of
from llm_inference_router.learning.loading import Labelled, Own, prior, standing

Floats: TypeAlias = NDArray[np.float64]


class Taught(Struct, frozen=True, eq=False):
    """`artefact` with the labels, `unlabelled` with the same source before any label, `shipped` without it; `learned`
    of each model but the strongest, whose place is fixed."""

    artefact: Artefact
    shipped: Artefact
    unlabelled: Artefact
    learned: Mapping[str, Learned]


def teach(
    artefact: Artefact,
    named: Mapping[str, Named],
    strongest: str,
    latents: Floats,
    labels: Mapping[str, Floats],
) -> Taught:
    """`latents` (n, d) of the prompts; `labels` of each model but the strongest, (n,), nan where there is none."""
    line, kinds = artefact.line, len(artefact.kinds)
    places = {name: standing(line, one.names, one.tier) for name, one in named.items()}
    loadings = {name: prior(line, place, kinds) for name, place in places.items()}
    reference = loadings[strongest]
    against = Crowd(
        mean=-np.array([reference.offset, *reference.weights]),
        ways=nobody(latents.shape[1]).ways,
        sds=np.zeros(0),
    )
    learned: dict[str, Learned] = {}
    before: dict[str, Own] = {}
    after: dict[str, Own] = {}
    for name in named:
        if name == strongest:
            fixed = Learned(against.mean, np.zeros((len(against.mean),) * 2), int(_most(labels)))
            before[name] = after[name] = own_of(fixed, latents, kinds)
            continue
        spread = Spread(
            (2 * line.model_sd**2 + line.slope**2 * (places[name].sd ** 2 + places[strongest].sd ** 2)) ** 0.5
        )
        base = line_logits(loadings[name], latents)
        scores = labels[name]
        seen = np.isfinite(scores)
        nothing = np.zeros_like(seen)
        for owns, used in ((before, nothing), (after, seen)):
            found = learn(latents[used], base[used], scores[used], against, spread, kinds=kinds, requests=latents)
            owns[name] = own_of(found, latents, kinds)
        learned[name] = found
    return Taught(_with(artefact, after), artefact, _with(artefact, before), learned)


def _with(artefact: Artefact, models: Mapping[str, Own]) -> Artefact:
    """All kinds are covered: the owner's traffic is what it is. Everything is moved by the little that the calibration
    of other sources is off at even odds, so that equally good answers have exactly one half."""
    known = artefact.known
    even = round(float(np.interp(0.5, known.chances, known.logits)), 4)
    models = {name: structs.replace(own, offset=round(own.offset + even, 4)) for name, own in models.items()}
    source = Labelled(tuple(range(len(artefact.kinds))), models)
    return structs.replace(artefact, labelled={**artefact.labelled, CALIBRATION: source})


def _most(labels: Mapping[str, Floats]) -> int:
    return max((int(np.isfinite(scores).sum()) for scores in labels.values()), default=0)
