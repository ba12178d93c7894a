"""The one vocabulary of constraints, applied: what a constraint says against a model."""

from typing import Protocol

from llm_inference_router.config.schema import Constraint
from llm_inference_router.vocabulary import TIERS, Location, Tier


class Described(Protocol):
    """What a constraint looks at; both a configured model and a model of the catalogue are one."""

    @property
    def name(self) -> str: ...
    @property
    def tier(self) -> Tier: ...
    @property
    def location(self) -> Location: ...
    @property
    def region(self) -> str: ...


def excludes(constraint: Constraint, model: Described) -> str | None:
    """Why the constraint excludes the model, in words for people; None when it may stay. The bar excludes
    nothing."""
    if constraint.models is not None and model.name not in constraint.models:
        return f"not one of {', '.join(constraint.models)}"
    if constraint.tier is not None and model.tier != constraint.tier:
        return f"tier {model.tier} is not {constraint.tier}"
    rank = TIERS.index(model.tier)
    if constraint.min_tier is not None and rank < TIERS.index(constraint.min_tier):
        return f"tier {model.tier} is below {constraint.min_tier}"
    if constraint.max_tier is not None and rank > TIERS.index(constraint.max_tier):
        return f"tier {model.tier} is above {constraint.max_tier}"
    if constraint.location is not None and model.location != constraint.location:
        return f"location {model.location} is not {constraint.location}"
    if constraint.region is not None and model.region != constraint.region:
        return f"region {model.region or 'unknown'} is not {constraint.region}"
    return None
