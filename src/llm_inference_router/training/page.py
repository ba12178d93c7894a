"""The predictor's card as a page: what it was trained on, its figures beside their controls, what it cannot do."""

from collections.abc import Iterator, Mapping
from typing import Any

from llm_inference_router.training.aims import AIMS, Figures, spread

_HEAD = """# The shipped predictor

This page is made by `scripts/card.py` from `predictor.msgpack` and from what `llm-router eval` measured; do not edit
it. In brackets: 95 % intervals. What the figures mean: `docs/guides/evaluation.md`; how to train:
`docs/guides/training.md`.
"""

_LIMITS = """## Limits

- The sources are examinations for the most part. What the predictor knows of everyday traffic comes from the written
  prompts, whose levels are their writers' judgement.
- Scores are of English prompts almost without exception; other languages rest on the embedding and the written prompts.
- A model without labels of its own is placed by its name or tier. How strictly your traffic is judged is not known
  before there are labels of it, so read such predictions as an order, not as probabilities.
- Below complexity 0.35 a model without labels of its own is credited with up to 2 more log odds. That is judgement:
  the sources hold next to no such requests.
- Labels are of the models and versions that the sources name; providers change what stands behind a name.
- The figures show these files. A prompt that shares 60 characters with one that is scored was not learned from, but
  questions of one benchmark are alike in more than their words.
"""


def page_of(card: Mapping[str, Any], left_out: Figures, folds: Figures, size: int, digest: str) -> str:
    """`left_out` and `folds` as `llm-router eval --json` prints them with --leave-source-out and --folds.

    Raises ValueError where they are of another mode or of other sources than the card's.
    """
    _check(card, left_out, folds)
    parts = [_HEAD, f"File: {size:,} bytes, sha256 `{digest}`; package {card['package']}, format {card['format']}.\n"]
    parts += [
        "\n".join(block) + "\n"
        for block in (_sources(card), _left_out(left_out), _folds(folds), _aims(left_out, folds))
    ]
    return "\n".join([*parts, _LIMITS])


def _check(card: Mapping[str, Any], left_out: Figures, folds: Figures) -> None:
    if not card:
        raise ValueError("the predictor has no card; train it anew")
    for figures, mode in ((left_out, "leave source out"), (folds, "folds")):
        if not str(figures["mode"]).endswith(mode):
            raise ValueError(f"these are figures of the mode {figures['mode']!r}, not {mode!r}")
        if set(figures["files"]) != set(card["sources"]):
            raise ValueError(
                f"{mode}: figures of {', '.join(sorted(figures['files']))}, "
                f"but the predictor was trained on {', '.join(sorted(card['sources']))}"
            )


def _table(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _sources(card: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Sources", "")
    yield from _table("source", "from", "licence", "rows", "dropped", "models", "scores")
    for name, one in card["sources"].items():
        origin, licence = one["from"] or "not known to this version", one["licence"] or "the owner's"
        figures = (f"{one[key]:,}" for key in ("rows", "dropped", "models", "scores"))
        yield _row(name, origin, licence, *figures)
    written = card["written"]
    yield _row(
        "written prompts", "`training/prompts.jsonl` of this package", "Apache-2.0", f"{written['rows']:,}", 0, "-", "-"
    )
    yield ""
    yield (
        "Dropped are prompts that share 60 characters of normalised text with one of an earlier source (by name), "
        "once what stands in more than 1 % of a source's prompts is cut out (`evaluation/windows.py`)."
    )
    shared = written["shared"]
    yield (
        f"Written prompts that share as much with a source: {', '.join(shared) if shared else 'none'}. "
        "The data themselves are not in the package; their files are known by these hashes:"
    )
    yield ""
    yield from _table("file", "sha256")
    for one in (*card["sources"].values(), written):
        for name, digest in one["files"].items():
            yield _row(name, f"`{digest}`")
    yield ""
    yield f"Embedding table: sha256 `{card['embedding']}` of its content (`scripts/distil.py` says what it is made of)."


def _left_out(figures: Figures) -> Iterator[str]:
    yield from ("## Source left out: traffic it has never met", "")
    yield "Each file scored by a predictor trained on the others. APGR 0.5 is random."
    yield ""
    yield from _table("source", "APGR", "length only", "shuffled", "oracle", "ECE")
    rows = {
        name: (one["pair"] and one["pair"]["apgr"], one["calibration"]["ece"]) for name, one in figures["files"].items()
    }
    rows["mean"] = figures["mean"]["apgr"], figures["mean"]["ece"]
    for name, (rates, ece) in rows.items():
        cells = [spread(rates and rates[one]) for one in ("router", "length", "shuffled", "oracle")]
        yield _row(name, *cells, spread(ece))
    yield ""
    yield from _notes(figures)


def _folds(figures: Figures) -> Iterator[str]:
    yield from (f"## In domain: {figures['mode']}", "")
    yield "Each part scored by a predictor trained on the other parts and files. Chance: shuffled deals as good."
    yield ""
    yield from _table("source", "AIQ", "single models", "shuffled", "length only", "oracle", "chance", "ECE")
    for name, one in figures["files"].items():
        aiq = one["money"] and one["money"]["aiq"]
        cells = [spread(aiq and aiq[key]) for key in ("router", "singles", "shuffled", "length", "oracle")]
        yield _row(name, *cells, f"{aiq['chance']:.1%}" if aiq else "-", spread(one["calibration"]["ece"]))
    yield ""
    yield "Cost of the best single model's quality, relative to the cheapest single model or mix that reaches it:"
    yield ""
    yield from _table("source", "best single", "quality", "router", "length only", "shuffled", "oracle", "verdict")
    for name, one in figures["files"].items():
        for equal in (one["money"] or {}).get("equal_quality", ()):
            if equal["model"] == one["money"]["best_single"]:
                cells = [_ratio(equal[key]) for key in ("router", "length", "shuffled", "oracle")]
                yield _row(name, equal["model"], f"{equal['quality']:.3f}", *cells, equal["verdict"])
    yield ""
    yield from _notes(figures)


def _ratio(interval: Mapping[str, float | None]) -> str:
    return "never reached" if interval["value"] is None else spread(interval)


def _notes(figures: Figures) -> Iterator[str]:
    for name, one in figures["files"].items():
        yield from (f"- {name}: {note}" for note in one["notes"])


def _aims(left_out: Figures, folds: Figures) -> Iterator[str]:
    yield from ("## What was aimed at", "")
    yield from _table("figure", "aim", "measured", "reached")
    missed = []
    for aim in AIMS:
        found = aim.figure(left_out, folds)
        if found is None:
            yield _row(aim.name, aim.bound, "not measured", "-")
            continue
        met = aim.met(found[0])
        missed += [] if met else [aim]
        yield _row(aim.name, aim.bound, found[1], "yes" if met else "**no**")
    yield ""
    yield from (f"- {aim.name}: not reached. {aim.why}" for aim in missed)
