"""What a predictor says of where it comes from, kept inside its file; and the page that is made of that and of figures.

Nothing here depends on the day or the machine, so the same data give the same bytes.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from llm_inference_router.evaluation.readers import files_of
from llm_inference_router.learning.artefact import FORMAT
from llm_inference_router.learning.embedding import shipped as shipped_embedding
from llm_inference_router.training.examples import Source
from llm_inference_router.training.overlap import Cleaned


class Origin(Struct, frozen=True):
    """Where a public file comes from."""

    project: str
    licence: str


# By the file's name without its ending. Of a file that is not here the owner knows best: its licence is left open.
ORIGINS: Mapping[str, Origin] = {
    "paretobandit": Origin("ParetoBandit, validation split", "Apache-2.0"),
    "routellm_mmlu": Origin("RouteLLM, answers to MMLU", "Apache-2.0"),
    "routerbench_sub": Origin("RouterBench, a part", "MIT"),
    "ulab_llmrouter": Origin("ulab-uiuc/LLMRouter", "MIT"),
    "zeroeval": Origin("WildEval/ZeroEval, MATH level 5, correctness recomputed", "Apache-2.0"),
}


class File(Struct, frozen=True):
    """A source as it was read: `names` and `hashes` of its files."""

    names: tuple[str, ...]
    hashes: tuple[str, ...]


def file_of(path: Path) -> File:
    """A file, or a folder whose files are one source. Raises `DataError` for a folder without any."""
    files = files_of(path)
    return File(tuple(one.name for one in files), tuple(sha256(one.read_bytes()).hexdigest() for one in files))


def card_of(
    files: Mapping[str, File], prompts: File, sources: Sequence[Source], cleaned: Cleaned, count: int, seed: int
) -> dict[str, Any]:
    """`count` is how many written prompts there are."""
    return {
        "format": FORMAT,
        "package": version("llm-inference-router"),
        "seed": seed,
        "embedding": shipped_embedding().sha256,
        "sources": {
            source.name: {
                "files": dict(zip(files[source.name].names, files[source.name].hashes, strict=True)),
                **_origin(source.name),
                "rows": len(source.x),
                "dropped": cleaned.dropped[source.name],
                "models": len(source.models),
                "scores": int(np.isfinite(source.scores).sum()),
                "kinds": sorted({kind for kind in source.kinds if kind}),
            }
            for source in sorted(sources, key=lambda one: one.name)
        },
        "written": {
            "files": dict(zip(prompts.names, prompts.hashes, strict=True)),
            "rows": count,
            "shared": list(cleaned.written),
        },
    }


def _origin(name: str) -> dict[str, str | None]:
    known = ORIGINS.get(name)
    return {"from": known.project if known else None, "licence": known.licence if known else None}
