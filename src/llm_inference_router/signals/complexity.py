"""Complexity: how hard a request is on a fixed scale 0..1, explained by five parts.

Rasch's model gives every benchmark question one difficulty, whatever the model that answers. The features
of a request are added up with weights fitted to those difficulties (`weights`, made by
scripts/fit_complexity.py), part by part:

    part  = (sum of the part's weights x features - LOW[part]) / SPAN[part], kept within 0..1
    value = 1 / (1 + exp(-(BASE + sum over parts of SPAN[part] x part)))

so that a part's share in the value can be read off the table.
"""

from collections.abc import Iterable, Sequence
from math import exp

from llm_inference_router.signals.features import FEATURES, PARTS
from llm_inference_router.signals.weights import BASE, LOW, SPAN, WEIGHTS
from llm_inference_router.types import Band, Complexity, Parts

# The default upper edges of light and medium; a route's policy may set its own.
BANDS = (0.35, 0.70)

# The part and the weight of each feature. A feature that was added after the last fit stands at its prior, so that the
# fit itself can be run.
_TERMS = tuple((PARTS.index(f.part), WEIGHTS.get(f.name, f.prior)) for f in FEATURES)
_ENDS = tuple((LOW[part], SPAN[part]) for part in PARTS)
_NONE = [0.0] * len(PARTS)


def band_of(value: float, edges: tuple[float, float] = BANDS) -> Band:
    return "light" if value < edges[0] else "medium" if value < edges[1] else "heavy"


def complexity_of(features: Sequence[float]) -> Complexity:
    """The complexity of a request from its feature vector."""
    value, parts = _weighed(enumerate(features))
    return Complexity(value, band_of(value), Parts(*parts))


def kept_complexity_of(features: Iterable[tuple[int, float]]) -> Complexity:
    """The same from pairs of an index of `FEATURES` and a value, those left out being 0, and to four decimals: more
    say nothing, and are kept with each request. The band is that of the value as it is kept."""
    value, parts = _weighed(features)
    (value,) = rounded((value,))
    return Complexity(value, band_of(value), Parts(*rounded(parts)))


def rounded(shares: Iterable[float]) -> list[float]:
    """Shares to four decimals; built-in `round` goes through text, which takes six times as long."""
    return [(share * 10000.0 + 0.5) // 1.0 / 10000.0 for share in shares]


def _weighed(features: Iterable[tuple[int, float]]) -> tuple[float, list[float]]:
    """The value and its parts."""
    totals = _NONE[:]
    for index, value in features:
        part, weight = _TERMS[index]
        totals[part] += weight * value
    logit = BASE
    parts = []
    for total, (low, span) in zip(totals, _ENDS, strict=True):
        share = (total - low) / span
        if share < 0.0:
            share = 0.0
        elif share > 1.0:
            share = 1.0
        logit += span * share
        parts.append(share)
    return 1.0 / (1.0 + exp(-logit)), parts
