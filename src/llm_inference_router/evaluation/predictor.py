"""What evaluation asks of a predictor, and of whoever trains one: the interface between `evaluation` and `training`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.evaluation.data import Row
from llm_inference_router.types import ChatRequest


class Prediction(Struct, frozen=True):
    """Tables of shape (requests, models), the models in the order they were asked for.

    `quality` is the probability of a good answer, calibrated, 0..1; `sd` its standard deviation; `tokens_out` the
    expected tokens of an answer, reasoning included.
    """

    models: tuple[str, ...]
    quality: NDArray[np.float64]
    sd: NDArray[np.float64]
    tokens_out: NDArray[np.float64]


class Predictor(Protocol):
    """Scores any model by its name; one that it never saw is scored from its prior."""

    def predict(self, requests: Sequence[ChatRequest], models: Sequence[str]) -> Prediction: ...

    def complexity(self, requests: Sequence[ChatRequest]) -> NDArray[np.float64]:
        """Complexity 0..1 of each request."""
        ...

    def knows(self, model: str) -> bool:
        """Whether labels of this very model were in the training data."""
        ...


class Trainer(Protocol):
    """Trains a predictor from sources, by name; the same rows and seed give the same predictor."""

    def __call__(self, sources: Mapping[str, Sequence[Row]], seed: int) -> Predictor: ...
