"""Vectors of different models do not mix: the models of a route that may answer a request for embeddings."""

from collections.abc import Sequence

from llm_inference_router.types import Model, Rejection

# What may be in a model's way for a while, or for one request: another model must not take its place for that.
_PASSING = frozenset({"cost", "unavailable"})


def one_space(
    listed: Sequence[Model], models: Sequence[Model], rejections: Sequence[Rejection]
) -> tuple[list[Model], tuple[Rejection, ...]]:
    """Of the models that remain, those with the vectors of the first that may serve: those of the same
    `upstream_model`. `listed`: the route's models, `rejections` what stands in the way of those that do not remain.

    The first counts also while it rests. Whoever keeps vectors in a database gets an error then, and not vectors that
    lie somewhere else.
    """
    why = {one.model: one for one in rejections}
    first = next((model for model in listed if model.name not in why or why[model.name].reason in _PASSING), None)
    if first is None:
        return list(models), tuple(rejections)
    detail = f"its vectors do not mix with those of {first.name}"
    for model in models:
        if model.upstream_model != first.upstream_model:
            why[model.name] = Rejection(model.name, "constraint", detail)
    kept = [model for model in models if model.name not in why]
    return kept, tuple(why[model.name] for model in listed if model.name in why)
