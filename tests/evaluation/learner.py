"""A trainer that keeps the shipped lens and line and learns each model's own part: quick, and it really learns."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import structs

from llm_inference_router.evaluation.data import Row
from llm_inference_router.evaluation.predictor import Predictor
from llm_inference_router.learning.artefact import shipped
from llm_inference_router.learning.cold import Spread, learn, line_logits, nobody, own_of
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.loading import Labelled, prior, standing
from llm_inference_router.signals.base import extract, view
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import Sense
from llm_inference_router.training.predictor import ArtefactPredictor


def train(sources: Mapping[str, Sequence[Row]], seed: int) -> Predictor:
    blank = shipped(NAMES)
    kinds = len(blank.kinds)
    sense = Sense(blank, shipped_embedding())
    labelled = {}
    for name, rows in sources.items():
        latents = np.array([extract(row.request, view(row.request), sense).latent for row in rows])
        owns = {}
        for model in sorted({model for row in rows for model in row.scores}):
            base = line_logits(prior(blank.line, standing(blank.line, (model,), None), kinds), latents)
            scores = np.array([row.scores[model] for row in rows])
            learned = learn(latents, base, scores, nobody(latents.shape[1]), Spread(3.0), kinds=kinds)
            owns[model] = own_of(learned, latents, kinds)
        labelled[name] = Labelled(tuple(range(kinds)), owns)
    return ArtefactPredictor(structs.replace(blank, labelled=labelled))
