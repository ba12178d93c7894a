"""The predictor's file: one msgpack map with everything that `llm-router train` has fitted.

The embedding table is a file of its own, which every predictor shares; the artefact names it by its hash.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.learning.lens import DIRECTIONS, FIRST_KIND, PARTS, Lens, Scale, latent_size
from llm_inference_router.learning.loading import Calibration, Labelled, Line, Own, Panel, prior, standing
from llm_inference_router.vocabulary import TIERS, Tier

FORMAT = 2
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
        digest = sha256(repr((self.format, self.features, self.embedding, self.kinds, self.scale)).encode())
        digest.update(self.weights)
        digest.update(self.bias)
        return digest.hexdigest()[:12]

    def lens(self) -> Lens:
        return Lens(len(self.kinds), self.scale, self.version)

    def table(self) -> NDArray[np.float64]:
        """Of shape (rows, features + dims)."""
        return np.frombuffer(self.weights, "<f4").reshape(FIRST_KIND + len(self.kinds), -1).astype(np.float64)

    def biases(self) -> NDArray[np.float64]:
        """Of shape (rows,)."""
        return np.frombuffer(self.bias, "<f4").astype(np.float64)

    def panel(self, models: Mapping[str, Named]) -> Panel:
        """Some models side by side, with the labels of `source`."""
        loadings = {
            name: prior(self.line, standing(self.line, named.names, named.tier), len(self.kinds))
            for name, named in models.items()
        }
        found = self.source(models)
        return Panel(loadings, None if found is None else found[1], self.known, self.blind)

    def source(self, models: Mapping[str, Named]) -> tuple[str, Labelled] | None:
        """The labels that serve these models, by the name of their source: where one has them of every model. The
        owner's own calibration, which knows models by their names in the configuration, goes first; of other sources
        the one with the most does."""
        mine = self.labelled.get(CALIBRATION)
        if mine is not None and models.keys() <= mine.models.keys():
            return CALIBRATION, Labelled(mine.kinds, {name: mine.models[name] for name in models})
        best: tuple[int, str, Labelled] | None = None
        for source, labelled in self.labelled.items():
            found: dict[str, Own] = {}
            for name, named in models.items():
                own = next((labelled.models[one] for one in named.names if one in labelled.models), None)
                if own is None:
                    break
                found[name] = own
            else:
                fewest = min(own.labels for own in found.values())
                if best is None or fewest > best[0]:
                    best = fewest, source, Labelled(labelled.kinds, found)
        return None if best is None else best[1:]


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
    if damage := next(_damages(artefact), None):
        raise ArtefactError(f"{name}: is damaged: {damage}; train it again")
    return artefact


def _damages(artefact: Artefact) -> Iterator[str]:
    """What a right file never has, and what would show only when a request comes."""
    if not all(np.isfinite(np.frombuffer(numbers, "<f4")).all() for numbers in (artefact.weights, artefact.bias)):
        yield "its tables hold what is no number"
    scale, line = artefact.scale, artefact.line
    if not len(scale.low) == len(scale.high) == len(PARTS):
        yield f"its scale does not have {len(PARTS)} parts"
    elif not _finite(scale.middle, scale.steepness, *scale.low, *scale.high, *scale.plain, *scale.ease):
        yield "its scale holds what is no number"
    elif any(low == high for low, high in zip(scale.low, scale.high, strict=True)):
        yield "a part of its scale has no width"
    shared = (line.offset, line.slope, line.middle, line.by_task, line.source_sd, line.model_sd, line.everyday)
    if not _finite(*shared, *(number for pair in line.tiers.values() for number in pair)):
        yield "its line holds what is no number"
    yield from (f"it does not know the tier {tier}" for tier in TIERS if tier not in line.tiers)
    for calibration in (artefact.known, artefact.blind):
        logits, chances = calibration.logits, calibration.chances
        if not logits or len(logits) != len(chances) or not _finite(*logits, *chances):
            yield "a calibration has not one chance for each of its log odds"
        elif any(a > b for values in (logits, chances) for a, b in pairwise(values)):
            yield "a calibration does not rise"
        elif chances[0] < 0 or chances[-1] > 1:
            yield "a calibration has chances that are none"
    kinds = len(artefact.kinds)
    lines = latent_size(0) - DIRECTIONS
    for source, labelled in artefact.labelled.items():
        if any(not 0 <= kind < kinds for kind in labelled.kinds):
            yield f"the source {source} has kinds without a name"
        for model, own in labelled.models.items():
            numbers = (own.offset, own.sd, *own.directions, *own.kinds, *own.line)
            if len(own.line) not in (0, lines) or not _finite(*numbers):
                yield f"what {model} adds holds what is no number, or too few"


def _finite(*numbers: float) -> bool:
    return all(map(isfinite, numbers))


def encode(artefact: Artefact) -> bytes:
    """The same artefact gives the same bytes."""
    return msgspec.msgpack.encode(artefact, order="deterministic")


def load(path: Path, features: tuple[str, ...]) -> Artefact:
    """Raises ArtefactError, also for a file that cannot be read."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise ArtefactError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return decode(data, features, path.name)


@cache
def shipped(features: tuple[str, ...]) -> Artefact:
    """The predictor of the package, read at the first call."""
    return load(SHIPPED, features)
