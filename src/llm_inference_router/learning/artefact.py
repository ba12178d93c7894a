"""The predictor's file: one msgpack map with everything that `llm-router train` has fitted.

The embedding table is a file of its own, which every predictor shares; the artefact names it by its hash.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.lens import DIRECTIONS, FIRST_KIND, Lens, Scale
from llm_inference_router.learning.loading import Calibration, Labelled, Line, Own, Panel, prior, standing
from llm_inference_router.types import Tier

FORMAT = 1
CALIBRATION = "calibration"  # the source that `llm-router calibrate` adds
SHIPPED = Path(__file__).with_name("data") / "predictor.msgpack"


class ArtefactError(ValueError):
    """A file that is no predictor, or one that does not fit this version of the package."""


class Named(Struct, frozen=True):
    """How a model may be known: by what it is called upstream or in a configuration, and by its tier."""

    names: tuple[str, ...]
    tier: Tier | None = None


class Artefact(Struct, frozen=True, tag_field="file", tag="llm-router predictor"):
    """`weights` are float32, rows one after the other; `kinds` and `features` name columns and rows; `labelled`: the
    sources whose models were trained on, by name. `card` is what the training says of itself."""

    format: int
    features: tuple[str, ...]
    embedding: str
    kinds: tuple[str, ...]
    weights: bytes
    bias: bytes
    scale: Scale
    line: Line
    known: Calibration
    blind: Calibration
    labelled: Mapping[str, Labelled]
    card: Mapping[str, Any] = {}

    @property
    def version(self) -> str:
        """Tells lenses apart: records of one version can be replayed with the same, and no other."""
        digest = sha256(repr((self.format, self.features, self.embedding, self.kinds)).encode())
        digest.update(self.weights)
        digest.update(self.bias)
        return digest.hexdigest()[:12]

    def lens(self) -> Lens:
        return Lens(
            self.table(),
            np.frombuffer(self.bias, "<f4").astype(np.float64),
            len(self.features),
            self.scale,
            self.version,
        )

    def table(self) -> NDArray[np.float64]:
        """Of shape (rows, features + dims)."""
        return np.frombuffer(self.weights, "<f4").reshape(FIRST_KIND + len(self.kinds), -1).astype(np.float64)

    def panel(self, models: Mapping[str, Named]) -> Panel:
        """Some models side by side. Labels serve where one source has them of every model: the owner's own calibration,
        which knows models by their names in the configuration, else of several sources the one with the most."""
        loadings = {
            name: prior(self.line, standing(self.line, named.names, named.tier), len(self.kinds))
            for name, named in models.items()
        }
        return Panel(loadings, self._source(models), self.known, self.blind)

    def _source(self, models: Mapping[str, Named]) -> Labelled | None:
        mine = self.labelled.get(CALIBRATION)
        if mine is not None and models.keys() <= mine.models.keys():
            return Labelled(mine.kinds, {name: mine.models[name] for name in models})
        best: tuple[int, Labelled] | None = None
        for labelled in self.labelled.values():
            found: dict[str, Own] = {}
            for name, named in models.items():
                own = next((labelled.models[one] for one in named.names if one in labelled.models), None)
                if own is None:
                    break
                found[name] = own
            else:
                fewest = min(own.labels for own in found.values())
                if best is None or fewest > best[0]:
                    best = fewest, Labelled(labelled.kinds, found)
        return None if best is None else best[1]


def decode(data: bytes, features: tuple[str, ...], name: str = "predictor") -> Artefact:
    """Raises ArtefactError for what is none, or was made for other `features` or another embedding."""
    try:
        artefact = msgspec.msgpack.decode(data, type=Artefact)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{name}: is not a predictor made by `llm-router train`: {error}") from error
    if artefact.format != FORMAT:
        raise ArtefactError(f"{name}: has format {artefact.format}, this version reads {FORMAT}; train it again")
    if artefact.features != features:
        raise ArtefactError(f"{name}: was trained with other features than this version measures; train it again")
    if artefact.embedding != shipped_embedding().sha256:
        raise ArtefactError(f"{name}: was trained on another embedding table; train it again")
    rows, columns = FIRST_KIND + len(artefact.kinds), len(features) + shipped_embedding().dims
    if len(artefact.weights) != 4 * rows * columns or len(artefact.bias) != 4 * rows:
        raise ArtefactError(f"{name}: its tables do not have the size that its names promise")
    for model, own in (
        (model, own) for labelled in artefact.labelled.values() for model, own in labelled.models.items()
    ):
        if len(own.kinds) != len(artefact.kinds) or len(own.directions) != DIRECTIONS:
            raise ArtefactError(f"{name}: what {model} adds does not fit the kinds that it names")
    return artefact


def encode(artefact: Artefact) -> bytes:
    """The same artefact gives the same bytes."""
    return msgspec.msgpack.encode(artefact, order="deterministic")


def load(path: Path, features: tuple[str, ...]) -> Artefact:
    """Raises ArtefactError, also for a file that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read: {error.strerror}") from error
    return decode(data, features, path.name)


@cache
def shipped(features: tuple[str, ...]) -> Artefact:
    """The predictor of the package, read at the first call."""
    return load(SHIPPED, features)
