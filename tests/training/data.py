"""Small data to train on: made-up answers, and a few of the written prompts of each task."""

import json
from collections import Counter
from pathlib import Path

from llm_inference_router.training.train import PROMPTS
from tests.evaluation import tables

EACH = 4


def prompts(path: Path) -> Path:
    """The first prompts of each task."""
    counts: Counter[str] = Counter()
    kept = []
    for line in PROMPTS.read_text(encoding="utf-8").splitlines():
        task = json.loads(line)["task"]
        counts[task] += 1
        kept += [line] if counts[task] <= EACH else []
    return tables.write(path, kept)


def sources(folder: Path, *names: str, count: int = 60) -> list[Path]:
    """A file of made-up answers for each name, each with questions of its own."""
    return [
        tables.write(folder / f"{name}.jsonl", tables.lines(count, seed, prefix=name))
        for seed, name in enumerate(names)
    ]
