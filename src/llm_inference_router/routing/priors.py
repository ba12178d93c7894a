"""What a tier is worth before anything is known of a model: P(good answer | tier, complexity).

Each tier is a logistic curve in complexity, `logit P = intercept - slope * complexity`, fitted by
scripts/fit_complexity.py to the scores of 53 models on five public files (see `evaluation.tiers`). The
curves share their intercept: benchmarks hold next to nothing light, so that all tiers answer light requests
alike is an assumption, and the level there (0.96 at complexity 0.1) is one too. Where the curves go from
there is measured.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from llm_inference_router.types import Quality, Tier

# tier -> (slope, intercept), in logits
QUALITY: Mapping[Tier, tuple[float, float]] = MappingProxyType(
    {
        "small": (4.04, 2.98),
        "medium": (3.16, 2.98),
        "large": (2.58, 2.98),
    }
)
# Standard deviation in logits of one model around its tier's curve, and of the curve when one of the files
# is left out.
SPREAD: Mapping[Tier, float] = MappingProxyType(
    {
        "small": 0.47,
        "medium": 0.48,
        "large": 0.39,
    }
)


def quality(tier: Tier, complexity: float) -> Quality:
    """Expected quality 0..1 of a tier's answer at a complexity 0..1, and the standard deviation between its
    models.

    It falls with complexity in every tier, and no tier is better than a larger one.
    """
    slope, intercept = QUALITY[tier]
    mean = 1.0 / (1.0 + math.exp(slope * complexity - intercept))
    return Quality(mean=mean, sd=mean * (1.0 - mean) * SPREAD[tier])
