"""An artefact as `evaluation` asks for predictions: whole tables at once, the very numbers that serving computes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llm_inference_router.evaluation.predictor import Prediction
from llm_inference_router.learning import artefact as artefacts
from llm_inference_router.learning.artefact import Artefact, Named
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import Sense
from llm_inference_router.types import ChatRequest, Signals

Floats: TypeAlias = NDArray[np.float64]


class ArtefactPredictor:
    """Sees each request once, however often it is asked about."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self._sense = Sense(artefact, shipped_embedding())
        self._seen: dict[int, tuple[ChatRequest, Signals]] = {}

    def predict(self, requests: Sequence[ChatRequest], models: Sequence[str]) -> Prediction:
        signals = [self._signals(request) for request in requests]
        panel = self.artefact.panel({model: Named((model,)) for model in models})
        quality, sd, _ = panel.qualities(np.array([one.latent for one in signals]))
        tokens = np.array([float(one.output_tokens.p50) for one in signals])
        return Prediction(tuple(models), quality, sd, np.repeat(tokens[:, None], len(models), axis=1))

    def complexity(self, requests: Sequence[ChatRequest]) -> Floats:
        return np.array([self._signals(request).complexity.value for request in requests])

    def tasks(self, requests: Sequence[ChatRequest]) -> list[str]:
        return [self._signals(request).task.label for request in requests]

    def knows(self, model: str) -> bool:
        return any(model in labelled.models for labelled in self.artefact.labelled.values())

    def _signals(self, request: ChatRequest) -> Signals:
        found = self._seen.get(id(request))
        if found is None or found[0] is not request:
            found = self._seen[id(request)] = request, extract(request, view(request), self._sense)
        return found[1]


def shipped() -> ArtefactPredictor:
    return ArtefactPredictor(artefacts.shipped(NAMES))


def load(path: Path) -> ArtefactPredictor:
    """Raises ArtefactError."""
    return ArtefactPredictor(artefacts.load(path, NAMES))
