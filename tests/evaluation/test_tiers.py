"""The tiers' curves: their fit, and the laws that routing relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.evaluation.tiers import TIER_OF, Floats, Scores, fit_tiers
from llm_inference_router.routing.priors import QUALITY, SPREAD, quality
from llm_inference_router.types import TIERS, Tier

complexities = st.floats(0, 1)


@given(complexities, complexities)
def test_quality_falls_with_complexity_in_every_tier(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for tier in TIERS:
        assert quality(tier, low).mean >= quality(tier, high).mean


@given(complexities)
def test_a_larger_tier_is_never_worse(complexity: float) -> None:
    small, medium, large = (quality(tier, complexity).mean for tier in TIERS)
    assert small <= medium <= large


@given(complexities)
def test_qualities_are_probabilities_with_a_spread(complexity: float) -> None:
    for tier in TIERS:
        found = quality(tier, complexity)
        assert 0 < found.mean < 1
        assert 0 < found.sd < 0.25


@pytest.mark.parametrize(("complexity", "cheapest"), [(0.1, "small"), (0.3, "small"), (0.5, "medium"), (0.9, "large")])
def test_the_cheapest_tier_within_nine_tenths_of_the_best(complexity: float, cheapest: Tier) -> None:
    best = quality("large", complexity).mean
    assert next(tier for tier in TIERS if quality(tier, complexity).mean >= 0.9 * best) == cheapest


def test_every_tier_has_its_constants() -> None:
    assert set(QUALITY) == set(SPREAD) == set(TIERS)


def test_curves_are_recovered_from_scores_that_follow_them() -> None:
    rng = np.random.default_rng(1)
    slopes: dict[Tier, float] = {"small": 5.0, "medium": 3.0, "large": 2.0}
    models = {tier: [m for m, t in TIER_OF.items() if t == tier][:2] for tier in TIERS}
    files = []
    for offset in (-0.3, 0.3):
        complexity = rng.random(1500)
        scores: dict[str, Floats] = {}
        for tier, names in models.items():
            chance = 1 / (1 + np.exp(slopes[tier] * complexity - 3.6 - offset))
            scores |= {name: (rng.random(1500) < chance).astype(float) for name in names}
        files.append(Scores(complexity, scores))
    found = fit_tiers(files)
    assert found.intercept == pytest.approx(3.6, abs=0.3)
    for tier, slope in slopes.items():
        assert found.slope[tier] == pytest.approx(slope, abs=0.6)
