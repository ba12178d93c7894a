"""What a tier is worth before anything is known of a model: P(good answer | tier, complexity).

Each tier is a logistic curve in complexity, `logit P = intercept - slope * complexity`. The curves start almost together
and part as requests grow harder. Within a tier models differ: `SPREAD` is the standard deviation between the models of a
tier on the logit scale, and a quality's `sd` is that spread carried to the 0..1 scale at this point of the curve.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from llm_inference_router.types import Quality, Tier

# tier -> (slope, intercept)
QUALITY: Mapping[Tier, tuple[float, float]] = MappingProxyType(
    {
        "small": (4.60, 3.20),
        "medium": (3.10, 3.30),
        "large": (2.20, 3.40),
    }
)
SPREAD: Mapping[Tier, float] = MappingProxyType({"small": 0.6, "medium": 0.5, "large": 0.4})


def quality(tier: Tier, complexity: float) -> Quality:
    """Expected quality 0..1 of a tier's answer at a complexity 0..1, and the standard deviation between its models."""
    slope, intercept = QUALITY[tier]
    mean = 1.0 / (1.0 + math.exp(slope * complexity - intercept))
    return Quality(mean=mean, sd=mean * (1.0 - mean) * SPREAD[tier])
