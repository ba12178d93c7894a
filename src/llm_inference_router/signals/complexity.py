"""Complexity: how hard a request is on a fixed scale 0..1, and what its bands are called.

Its value and its five parts come from the predictor's lens (`learning.lens`): the weights of a part's features add up
to the part, the parts to the hardness, and the scale puts hardness within 0..1.
"""

from llm_inference_router.vocabulary import Band

# The default upper edges of light and medium; a route's policy may set its own.
BANDS = (0.35, 0.70)


def band_of(value: float, edges: tuple[float, float] = BANDS) -> Band:
    return "light" if value < edges[0] else "medium" if value < edges[1] else "heavy"
