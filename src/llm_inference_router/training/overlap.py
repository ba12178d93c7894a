"""Cleans training data: a question that two sources hold is learned once, and a written prompt is in no source."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from llm_inference_router.evaluation.data import DataError, Row
from llm_inference_router.evaluation.windows import Shared, text_of
from llm_inference_router.training.examples import Prompt

_WRITTEN = "the written prompts"


class Cleaned(Struct, frozen=True):
    """`rows` of each source that are kept, `dropped` how many are not; `written`: the ids of written prompts that share
    a passage with a row of a source."""

    rows: Mapping[str, Sequence[Row]]
    dropped: Mapping[str, int]
    written: tuple[str, ...]


def cleaned(sources: Mapping[str, Sequence[Row]], prompts: Sequence[Prompt] = ()) -> Cleaned:
    """A prompt that shares a passage (`evaluation.windows`) with one of an earlier source, by name, is dropped.

    Raises `DataError` for a source of which fewer than two rows are left.
    """
    texts = {name: [text_of(row.messages) for row in rows] for name, rows in sources.items()}
    texts[_WRITTEN] = [text_of(prompt.request.messages) for prompt in prompts]
    shared = Shared(texts)
    everything = {name: np.ones(len(rows), dtype=np.bool_) for name, rows in sources.items()}
    kept = {name: np.flatnonzero(flags).tolist() for name, flags in shared.once(everything).items()}
    problems = [
        f"{name}: {len(rows) - len(kept[name])} of {len(rows)} prompts are in earlier sources too; leave this one out"
        for name, rows in sources.items()
        if len(kept[name]) < 2
    ]
    if problems:
        raise DataError(problems)
    again = np.flatnonzero(shared.touched(everything)[_WRITTEN])
    return Cleaned(
        rows={name: [rows[row] for row in kept[name]] for name, rows in sources.items()},
        dropped={name: len(rows) - len(kept[name]) for name, rows in sources.items()},
        written=tuple(prompts[row].id for row in again.tolist()),
    )
