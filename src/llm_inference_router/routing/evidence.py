"""What a route's expectations of quality rest on, for people and for programs: whose labels and how many, public
results, or tiers alone; and which of its models are off the hull of single models meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from llm_inference_router.learning.artefact import CALIBRATION, Artefact, Named
from llm_inference_router.learning.loading import Panel, Source
from llm_inference_router.types import Candidate


class Evidence(Struct, frozen=True):
    """`bases`: what is known of each model where labels do not reach. `labels`: how many each model has of the one
    source that has them of all, empty without one; `source` is its name. `partly`: the models that the owner has
    labelled, where those are not all. `beaten`: the models off the hull, each with what beats it; None where the hull
    plays no part."""

    bases: Mapping[str, Source]
    source: str = ""
    labels: Mapping[str, int] = {}
    partly: tuple[str, ...] = ()
    beaten: Mapping[str, tuple[str, ...]] | None = None
    pinned: bool = False

    @property
    def owned(self) -> bool:
        """Whether the owner's own labels cover all the models."""
        return self.source == CALIBRATION


def evidence_of(
    artefact: Artefact,
    named: Mapping[str, Named],
    panel: Panel,
    beaten: Mapping[str, tuple[str, ...]] | None,
    *,
    pinned: bool = False,
) -> Evidence:
    found = artefact.source(named)
    mine = artefact.labelled.get(CALIBRATION)
    source, labels = ("", {}) if found is None else (found[0], {n: own.labels for n, own in found[1].models.items()})
    partly = () if mine is None or source == CALIBRATION else tuple(name for name in named if name in mine.models)
    return Evidence(dict(zip(panel.names, panel.bases, strict=True)), source, labels, partly, beaten, pinned)


def shown(evidence: Evidence) -> dict[str, Any]:
    """As JSON values under public names."""
    return {
        "owner_labels": sum(evidence.labels.values()) if evidence.owned else 0,
        "labels_from": None if not evidence.source else "owner" if evidence.owned else evidence.source,
        "models": [
            {"model": name, "labels": evidence.labels.get(name, 0), "otherwise": known}
            for name, known in evidence.bases.items()
        ],
        "off_hull": None if evidence.beaten is None else list(evidence.beaten),
        "says": said(evidence),
    }


def said(evidence: Evidence) -> str:
    """In a few plain sentences."""
    if evidence.owned:
        fewest, most = min(evidence.labels.values()), max(evidence.labels.values())
        count = f"{most}" if fewest == most else f"{fewest} to {most}"
        return f"Quality is expected from labels of your own: {count} for each model."
    if evidence.pinned:
        return f"{_rests(evidence)}; that plays no part, because the model was asked for by name."
    lack = "No labels of your own cover this route"
    if evidence.partly:
        others = [name for name in evidence.bases if name not in evidence.partly]
        lack = f"Your own labels cover {joined(evidence.partly)} and not {joined(others)}, so they do not count here"
    return f"{lack}: {_rests(evidence)[0].lower()}{_rests(evidence)[1:]}. {_hull(evidence)}"


def briefly(evidence: Evidence) -> str:
    """In one line, for the start of a server."""
    if evidence.owned:
        return f"quality from labels of your own, {min(evidence.labels.values())} at least for each model"
    sources = [*([f"training data ({evidence.source})"] if evidence.source else []), *_grouped(evidence)]
    line = f"quality from {joined(sources)}, without labels of your own (`llm-router calibrate`)"
    if evidence.beaten is None:
        return line
    off = f", not first: {', '.join(evidence.beaten)}" if evidence.beaten else ""
    return f"{line}: stays at the hull of single models{off}"


def basis(one: Candidate, evidence: Evidence) -> str:
    """What is known of this candidate on this request."""
    if one.quality.basis != "labels":
        return one.quality.basis
    return f"{evidence.labels[one.model]} labels{' of yours' if evidence.owned else ''}"


def _rests(evidence: Evidence) -> str:
    known = " and ".join(f"{_BASES[source]} ({', '.join(names)})" for source, names in _grouped(evidence).items())
    labelled = f"the predictor's training data ({evidence.source}) and, beyond them, " if evidence.source else ""
    return f"Quality is expected from {labelled}{known}"


def _grouped(evidence: Evidence) -> dict[Source, list[str]]:
    groups: dict[Source, list[str]] = {}
    for name, source in evidence.bases.items():
        groups.setdefault(source, []).append(name)
    return groups


_BASES: Mapping[Source, str] = {"labels": "labels", "public results": "public results", "tier": "the tier alone"}


def _hull(evidence: Evidence) -> str:
    if evidence.beaten is None:
        return "`llm-router calibrate` labels its models."
    stays = "Until `llm-router calibrate` has labelled its models, it stays at the hull of single models"
    if not evidence.beaten:
        return f"{stays}, where all of its models are."
    return f"{stays}: {joined(tuple(evidence.beaten))} {_is(evidence.beaten)} off it and not chosen first."


def worse_buy(beaten_by: Sequence[str]) -> str:
    """Why a model is off the hull."""
    others = f"{beaten_by[0]} is" if len(beaten_by) == 1 else f"mixes of {joined(beaten_by)} are"
    return f"{others} expected to be as good for less"


def joined(names: Sequence[str]) -> str:
    """As a list in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is(some: Iterable[str]) -> str:
    return "is" if len(tuple(some)) == 1 else "are"
