"""A model and a request in, the expected quality out."""

from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.learning.artefact import Named, shipped
from llm_inference_router.learning.lens import latent_size
from llm_inference_router.learning.loading import Calibration, Curve, Panel
from llm_inference_router.signals.features import NAMES

ARTEFACT = shipped(NAMES)
LABELLED = next(iter(ARTEFACT.labelled.values()))
UNKNOWN = [f"a-name-that-nobody-knows-{number}" for number in range(20)]
SIZE = latent_size(len(ARTEFACT.kinds))


def panel(names: list[str]) -> Panel:
    return ARTEFACT.panel({name: Named((name,)) for name in names})


PANELS = [panel(names[:count]) for names in (UNKNOWN, sorted(LABELLED.models)) for count in (1, 2, 8, 20)]


@pytest.mark.parametrize("one", PANELS)
@given(st.lists(st.floats(-5.0, 5.0), min_size=SIZE, max_size=SIZE))
def test_one_request_alone_is_worth_what_it_is_among_many(one: Panel, latent: list[float]) -> None:
    means, sds, covered = one.qualities(np.array([latent]))
    found = one.quality(latent)
    assert found.means == pytest.approx(means[0].tolist(), rel=1e-9, abs=1e-9)
    assert found.sds == pytest.approx(sds[0].tolist(), rel=1e-9, abs=1e-9)
    assert found.covered == pytest.approx(covered[0], rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 9)), min_size=1), st.floats(-12.0, 12.0))
def test_a_calibration_of_one_number_is_that_of_many(knots: list[tuple[int, int]], logit: float) -> None:
    logits, chances = (tuple(map(float, sorted(numbers))) for numbers in zip(*knots, strict=True))
    calibration = Calibration(logits, chances)
    at = bisect_left(logits, logit)
    if at < len(logits) and logits[at] == logit:
        return  # on a knot that stands twice either of its chances is right
    assert Curve(calibration)(logit) == pytest.approx(float(calibration(np.array(logit))), rel=1e-9, abs=1e-9)
