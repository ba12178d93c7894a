"""A predictor's file: what is written is read again, and what would fail only when a request comes is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from llm_inference_router.learning.artefact import (
    CALIBRATION,
    Artefact,
    ArtefactError,
    Named,
    decode,
    encode,
    load,
)
from llm_inference_router.learning.loading import Labelled, Own
from llm_inference_router.signals.features import NAMES
from llm_inference_router.signals.sense import shipped

GOOD = shipped().artefact
KINDS = len(GOOD.kinds)
OWN = Own(0.1, (0.0, 0.0, 0.0), (0.0,) * KINDS, 0.2, 40)
TWO = {"a": Named(("gpt-4",), "large"), "b": Named((), "small")}


def labelled(own: Own = OWN, kinds: tuple[int, ...] = (0,), *names: str) -> Artefact:
    source = Labelled(kinds, dict.fromkeys(names or ("a", "b"), own))
    return structs.replace(GOOD, labelled={**GOOD.labelled, CALIBRATION: source})


def test_what_is_written_is_read_again() -> None:
    written = encode(labelled())
    assert encode(decode(written, NAMES)) == written


def test_half_a_file_is_refused() -> None:
    whole = encode(GOOD)
    with pytest.raises(ArtefactError, match="is not a predictor"):
        decode(whole[: len(whole) // 2], NAMES)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda: structs.replace(GOOD, format=3), "has format 3"),
        (lambda: structs.replace(GOOD, weights=GOOD.weights[:-4]), "do not have the size"),
        (lambda: structs.replace(GOOD, weights=GOOD.weights[:-4] + np.float32("nan").tobytes()), "no number"),
        (lambda: structs.replace(GOOD, scale=structs.replace(GOOD.scale, low=(0.0,))), "does not have 5 parts"),
        (lambda: structs.replace(GOOD, scale=structs.replace(GOOD.scale, middle=float("inf"))), "no number"),
        (lambda: structs.replace(GOOD, scale=structs.replace(GOOD.scale, low=GOOD.scale.high)), "no width"),
        (lambda: structs.replace(GOOD, line=structs.replace(GOOD.line, slope=float("nan"))), "no number"),
        (lambda: structs.replace(GOOD, line=structs.replace(GOOD.line, tiers={"small": (0.0, 1.0)})), "tier medium"),
        (lambda: structs.replace(GOOD, known=structs.replace(GOOD.known, chances=(0.5,))), "one chance for each"),
        (
            lambda: structs.replace(GOOD, blind=structs.replace(GOOD.blind, chances=GOOD.blind.chances[::-1])),
            "does not rise",
        ),
        (lambda: labelled(kinds=(KINDS,)), "kinds without a name"),
        (lambda: labelled(structs.replace(OWN, kinds=(0.0,))), "does not fit the kinds"),
        (lambda: labelled(structs.replace(OWN, offset=float("nan"))), "no number, or too few"),
        (lambda: labelled(structs.replace(OWN, line=(1.0,))), "no number, or too few"),
    ],
)
def test_damage_is_found_when_the_file_is_read(broken: Callable[[], Artefact], words: str) -> None:
    with pytest.raises(ArtefactError, match=words):
        decode(encode(broken()), NAMES, "mine.model")


def test_a_path_that_no_file_can_have_cannot_be_read() -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        load(Path("a\0b"), NAMES)


def test_the_owners_labels_serve_where_they_cover_all_models() -> None:
    found = labelled().source(TWO)
    assert found is not None
    assert found[0] == CALIBRATION
    assert labelled(OWN, (0,), "a", "c").source(TWO) is None


def test_without_the_owners_labels_a_source_that_knows_all_models_serves() -> None:
    found = GOOD.source({"x": Named(("claude-v1",)), "y": Named(("claude-v2",))})
    assert found is not None
    assert found[0] == "routerbench_sub"
    assert set(found[1].models) == {"x", "y"}
