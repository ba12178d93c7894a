"""The predictor files that routes name, each read once."""

from collections.abc import Mapping
from pathlib import Path

from llm_inference_router.config.schema import SHIPPED_PREDICTOR, Config
from llm_inference_router.errors import ConfigError
from llm_inference_router.learning.artefact import ArtefactError, load
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import Sense


def predictors(config: Config) -> Mapping[str, Sense]:
    """By the name that the configuration has for each file. Raises ConfigError with a problem for every route whose
    file is missing, damaged, or was made for other features or another embedding."""
    found: dict[str, Sense] = {}
    faults: dict[str, ArtefactError] = {}
    problems: list[str] = []
    for route, settings in config.routes.items():
        file = settings.predictor
        if file == SHIPPED_PREDICTOR:
            continue
        if file not in found and file not in faults:
            try:
                found[file] = Sense(load(Path(file), NAMES), shipped_embedding())
            except ArtefactError as fault:
                faults[file] = fault
        if file in faults:
            problems.append(f"routes.{route}.predictor: {faults[file]}; {_HINT}")
    if problems:
        raise ConfigError(problems)
    return found


_HINT = "name a file that `llm-router calibrate` or `llm-router train` wrote, or `default`"
