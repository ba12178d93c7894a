"""Complexity: how hard a request is on a fixed scale 0..1, explained by five parts.

Rasch's model gives every benchmark question one difficulty, whatever the model that answers. The features
of a request are added up with weights fitted to those difficulties (`weights`, made by
scripts/fit_complexity.py), part by part:

    part  = (sum of the part's weights x features - LOW[part]) / SPAN[part], kept within 0..1
    value = 1 / (1 + exp(-(BASE + sum over parts of SPAN[part] x part)))

so that a part's share in the value can be read off the table.
"""

import math
from collections.abc import Sequence
from operator import mul

from llm_inference_router.signals.features import FEATURES, PARTS
from llm_inference_router.signals.weights import BASE, LOW, SPAN, WEIGHTS
from llm_inference_router.types import Band, Complexity, Parts

# The default upper edges of light and medium; a route's policy may set its own.
BANDS = (0.35, 0.70)

# A feature that was added after the last fit stands at its prior, so that the fit itself can be run.
_SLICES: tuple[tuple[int, int, tuple[float, ...], float, float], ...] = tuple(
    (
        first := min(i for i, f in enumerate(FEATURES) if f.part == part),
        end := 1 + max(i for i, f in enumerate(FEATURES) if f.part == part),
        tuple(WEIGHTS.get(f.name, f.prior) for f in FEATURES[first:end]),
        LOW[part],
        SPAN[part],
    )
    for part in PARTS
)


def band_of(value: float, edges: tuple[float, float] = BANDS) -> Band:
    return "light" if value < edges[0] else "medium" if value < edges[1] else "heavy"


def complexity_of(features: Sequence[float]) -> Complexity:
    """The complexity of a request from its feature vector."""
    logit = BASE
    parts = []
    for first, end, weights, low, span in _SLICES:
        share = (sum(map(mul, weights, features[first:end])) - low) / span
        share = max(0.0, min(share, 1.0))
        logit += span * share
        parts.append(share)
    value = 1.0 / (1.0 + math.exp(-logit))
    return Complexity(value=value, band=band_of(value), parts=Parts(*parts))
