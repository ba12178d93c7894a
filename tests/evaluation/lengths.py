"""A small predictor that really learns: one ability for each model, and one slope on the prompt's length."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from llm_inference_router.evaluation.data import Row
from llm_inference_router.evaluation.metrics import Floats
from llm_inference_router.evaluation.predictor import Prediction
from llm_inference_router.types import ChatRequest
from tests.evaluation.rasch import rasch

_RIDGE = 10.0
_UNKNOWN = 0.5  # logits of a model that was never seen


def _length(requests: Sequence[ChatRequest]) -> Floats:
    return np.log1p(np.array([sum(len(m.text) for m in request.messages) for request in requests], dtype=np.float64))


class Lengths(Struct, frozen=True):
    """quality = logistic(ability of the model - difficulty), difficulty linear in the logarithm of the length."""

    ability: Mapping[str, float]
    middle: float
    slope: float

    def _difficulty(self, requests: Sequence[ChatRequest]) -> Floats:
        difficulty: Floats = self.slope * (_length(requests) - self.middle)
        return difficulty

    def predict(self, requests: Sequence[ChatRequest], models: Sequence[str]) -> Prediction:
        ability = np.array([self.ability.get(model, _UNKNOWN) for model in models])
        quality = 1.0 / (1.0 + np.exp(self._difficulty(requests)[:, None] - ability[None, :]))
        return Prediction(tuple(models), quality, np.full_like(quality, 0.1), np.full_like(quality, 256.0))

    def complexity(self, requests: Sequence[ChatRequest]) -> Floats:
        value: Floats = 1.0 / (1.0 + np.exp(-self._difficulty(requests)))
        return value

    def knows(self, model: str) -> bool:
        return model in self.ability


def train(sources: Mapping[str, Sequence[Row]], seed: int) -> Lengths:
    """Abilities and difficulties by Rasch, then a ridge of difficulty on length. `seed` changes nothing."""
    rows = [row for source in sources.values() for row in source]
    models = sorted({model for row in rows for model in row.scores})
    table = np.array([[row.scores.get(model, np.nan) for model in models] for row in rows])
    fitted = rasch(table, steps=20)
    length = _length([row.request for row in rows])
    middle = float(length.mean())
    slope = float((length - middle) @ fitted.difficulty / (((length - middle) ** 2).sum() + _RIDGE))
    return Lengths(dict(zip(models, fitted.ability.tolist(), strict=True)), middle, slope)
