"""The hull of single models: what a route can have without knowing one request from another.

Each model is a point of cost and expected quality, and a mix of two by chance is a point on the line between them. The
hull is the cheapest way to each quality. A model is off it where a mix, or another model alone, is expected to be as
good and costs less. Expectations that no evidence from the owner's traffic supports are good enough to tell that such
a model is a bad buy, and not good enough to find the requests on which it is a good one.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from llm_inference_router.learning.lens import Lens
from llm_inference_router.learning.loading import Panel
from llm_inference_router.types import Model

# The typical request: three tokens in for one out, as the prices of models are usually blended.
TYPICAL_INPUT, TYPICAL_OUTPUT = 750, 250
# Complexity of an easy, a middling and a hard request: about the middles of the bands.
LEVELS = (0.2, 0.5, 0.8)
_SAME = 1e-9  # of quality, and of cost as a share: what lies on the line between two points is not off it
_REMEMBERED = 256  # sets of models that rules, needs and resting endpoints leave of a route


class Hull:
    """Some models with their costs of the typical request (picodollars) and their qualities at each level."""

    __slots__ = ("_costs", "_levels", "beaten")

    def __init__(self, costs: Mapping[str, int], levels: Sequence[Mapping[str, float]]) -> None:
        self._costs = costs
        self._levels = levels
        # The same few sets come again and again; the commonest is all of the route.
        self.beaten = lru_cache(maxsize=_REMEMBERED)(self._beaten)

    def _beaten(self, names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        """Those of `names` that are off the hull of `names` at every level, each with what beats it, in the order
        given. Never all of them: the best of a level, and of equals the cheapest, is always on it."""
        found: dict[str, set[str]] = {}
        for number, level in enumerate(self._levels):
            off = _off(names, self._costs, level)
            found = off if not number else {name: found[name] | off[name] for name in found if name in off}
        return {name: tuple(one for one in names if one in found[name]) for name in names if name in found}


def hull_of(models: Sequence[Model], panel: Panel, lens: Lens) -> Hull:
    """Of requests of which nothing is known but how complex they are."""
    levels = [dict(zip(panel.names, panel.quality(lens.plain(value)).means, strict=True)) for value in LEVELS]
    return Hull({model.name: typical_cost(model) for model in models}, levels)


def typical_cost(model: Model) -> int:
    """Picodollars for the typical request."""
    output = TYPICAL_OUTPUT if model.max_output is None else min(TYPICAL_OUTPUT, model.max_output)
    return model.price.input * TYPICAL_INPUT + model.price.output * output


def _off(names: Sequence[str], costs: Mapping[str, int], quality: Mapping[str, float]) -> dict[str, set[str]]:
    """At one level: the models off the hull, each with the ends of the mix that beats it."""
    corners = _corners(names, costs, quality)
    off: dict[str, set[str]] = {}
    for name in names:
        least, ends = _reach(quality[name], corners, costs, quality)
        if least < costs[name] * (1.0 - _SAME) and name not in ends:
            off[name] = ends
    return off


def _corners(names: Sequence[str], costs: Mapping[str, int], quality: Mapping[str, float]) -> list[str]:
    """From the cheapest (of equals the best) by the steepest rise, of equally steep ones the longest, to the best."""
    at = min(names, key=lambda name: (costs[name], -quality[name]))
    corners = [at]
    while True:
        ahead = [name for name in names if costs[name] > costs[at] and quality[name] > quality[at] + _SAME]
        if not ahead:
            return corners
        cost, good = costs[at], quality[at]
        at = max(ahead, key=lambda name: ((quality[name] - good) / (costs[name] - cost), costs[name]))
        corners.append(at)


def _reach(
    wanted: float, corners: Sequence[str], costs: Mapping[str, int], quality: Mapping[str, float]
) -> tuple[float, set[str]]:
    """What the hull pays for a quality, and the corners that are mixed for it."""
    below = corners[0]
    for above in corners:
        if quality[above] >= wanted - _SAME:
            if above == below or quality[above] <= wanted + _SAME:
                return costs[above], {above}
            share = (wanted - quality[below]) / (quality[above] - quality[below])
            return costs[below] + share * (costs[above] - costs[below]), {below, above}
        below = above
    return costs[below], {below}
