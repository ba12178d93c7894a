"""A predictor as signals use it: the embedding and the lens of one artefact."""

from functools import cache, lru_cache

from llm_inference_router.learning import artefact as artefacts
from llm_inference_router.learning.artefact import Artefact
from llm_inference_router.learning.embedding import Embedding
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.lens import FIRST_KIND, FIRST_TASK, Lens, Sight
from llm_inference_router.learning.projection import Projection
from llm_inference_router.signals.features import NAMES, NOTHING_AROUND, Surroundings, features
from llm_inference_router.signals.reading import Reading, read

_SYSTEM_SHARE = 1.5  # of a system message beside the ask: it says what is wanted, the ask often only of what
_SYSTEMS = 512  # an application's system message comes with each of its requests


class Sense:
    """Sees requests through one artefact's lens."""

    __slots__ = ("_hint", "_project", "artefact", "lens")

    def __init__(self, artefact: Artefact, embedding: Embedding) -> None:
        self.artefact = artefact
        self._project = Projection(artefact.table(), artefact.biases(), embedding).rows
        self.lens: Lens = artefact.lens()
        self._hint = lru_cache(maxsize=_SYSTEMS)(self._task_scores)

    def see(
        self, window: str, reading: Reading, around: Surroundings, system: str, *, tools: bool, working: bool
    ) -> Sight:
        """`system` is the window of the system message, which may say what is wanted of every ask."""
        return self.lens.see(
            self._project(features(window, reading, around), reading.words),
            hint=self._hint(system) if system else (),
            tools=tools,
            working=working,
        )

    def _task_scores(self, system: str) -> tuple[float, ...]:
        reading = read(system)
        rows = self._project(features(system, reading, NOTHING_AROUND), reading.words)
        return tuple(_SYSTEM_SHARE * score for score in rows[FIRST_TASK:FIRST_KIND])


@cache
def shipped() -> Sense:
    """The predictor of the package, read at the first call. Raises ArtefactError or TableError if the package is
    damaged."""
    return Sense(artefacts.shipped(NAMES), shipped_embedding())
