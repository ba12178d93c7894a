"""Light requests are easier than any benchmark's, for models without labels of their own."""

import numpy as np
import pytest

from llm_inference_router.learning.artefact import Named
from llm_inference_router.learning.lens import Lens, Scale
from llm_inference_router.learning.loading import prior, standing
from llm_inference_router.routing.predict import qualities
from llm_inference_router.signals.sense import shipped
from llm_inference_router.vocabulary import Tier
from tests.signals.requests import signals

EASE = 2  # its place among the latent numbers
EDGE, STEEPNESS, MOST = -1.0, 4.0, 2.0


@pytest.mark.parametrize(("odds", "easier"), [(3.0, 0.0), (-1.0, 0.0), (-1.25, 1.0), (-1.5, 2.0), (-4.0, 2.0)])
def test_it_grows_below_the_edge_to_a_bound_and_is_nothing_above(odds: float, easier: float) -> None:
    scale = Scale(0.0, 1.0, (0.0,) * 5, (1.0,) * 5, ease=(EDGE, STEEPNESS, MOST))
    lens = Lens(3, scale, "made for this")
    assert lens.plain(1.0 / (1.0 + np.exp(-odds)))[EASE] == pytest.approx(easier)


@pytest.mark.parametrize("tier", ["small", "medium", "large"])
@pytest.mark.parametrize("text", ["Hi", "Where is my order 48213?", "What is the capital of France?", "What is 17*23?"])
def test_a_model_of_any_tier_is_expected_to_do_what_is_light(text: str, tier: Tier) -> None:
    sense = shipped()
    panel = sense.artefact.panel({"one": Named(("a-name-that-nobody-knows",), tier)})
    assert qualities(panel, sense, signals(text))["one"].mean >= 0.9


def test_what_is_hard_stays_hard() -> None:
    sense = shipped()
    panel = sense.artefact.panel({"one": Named((), "small")})
    hard = "Prove that every finite integral domain is a field, and say where commutativity is used."
    assert qualities(panel, sense, signals(hard))["one"].mean < 0.7


def test_models_with_labels_go_by_them_alone() -> None:
    """What their labels add takes away again what the line would credit them with."""
    artefact = shipped().artefact
    credit = prior(artefact.line, standing(artefact.line, (), "small"), len(artefact.kinds)).weights[EASE]
    owned = [own for source in artefact.labelled.values() for own in source.models.values()]
    assert owned
    assert all(credit + own.line[EASE] == 0.0 for own in owned)
