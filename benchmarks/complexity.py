"""How well complexity tells which requests need the strong model: complexity.py DATA_FOLDER [--json]

For each file and its pair of models (weak -> strong), APGR with 95 % bootstrap intervals (0.5 is random
mixing):

    in sample       the shipped weights, which have seen the file
    unseen          weights and task evidence fitted again without the file: the honest figure
    length          prompt length in characters alone
    shuffled        the shipped scores dealt at random: mean and 95 % range
    oracle          a score that knows both answers: the ceiling
    difficulty      rank correlation of the unseen score with the Rasch difficulty over all models of the file
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from llm_inference_router.evaluation.corpus import PAIRS, anchors_of, labelled_of, read_sources
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.fitting import Fitted, features_of, fit_complexity, fit_tasks
from llm_inference_router.evaluation.metrics import Floats, Interval, apgr_interval, oracle, rank_correlation, shuffled
from llm_inference_router.signals.complexity import complexity_of
from llm_inference_router.signals.weights import TASK

ANCHORS = Path(__file__).resolve().parent.parent / "tests/signals/anchors.jsonl"


def measure(folder: Path) -> dict[str, Any]:
    """All figures, ready for JSON. Raises `DataError`."""
    sources = read_sources(folder)
    anchors = anchors_of(ANCHORS)
    files: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        weak, strong = source.weak, source.strong
        shipped: Floats = np.array([complexity_of(row).value for row in features_of(source.requests, TASK).tolist()])
        others = {other: value for other, value in sources.items() if other != name}
        refitted: Fitted = fit_complexity(
            list(others.values()), anchors, fit_tasks(labelled_of(folder, others, anchors))
        )
        unseen = refitted.values(features_of(source.requests, refitted.task))
        length = [sum(len(m.text) for m in request.messages) for request in source.requests]
        files[name] = {
            "rows": len(source.requests),
            "weak": PAIRS[name][0],
            "strong": PAIRS[name][1],
            "in_sample": _plain(apgr_interval(shipped, weak, strong)),
            "unseen": _plain(apgr_interval(unseen, weak, strong)),
            "length": _plain(apgr_interval(length, weak, strong)),
            "shuffled": _plain(shuffled(shipped, weak, strong)),
            "oracle": round(oracle(weak, strong), 3),
            "difficulty": round(rank_correlation(unseen, source.difficulty), 3),
        }
    columns = ("in_sample", "unseen", "length", "shuffled")
    mean = {key: round(float(np.mean([row[key][0] for row in files.values()])), 3) for key in columns}
    return {"metric": "APGR", "interval": "95 % bootstrap, 1,000 draws", "files": files, "mean": mean}


def _plain(value: Interval) -> list[float]:
    return [round(value.value, 3), round(value.low, 3), round(value.high, 3)]


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    heads = "".join(f"{head:23s}" for head in ("in sample", "unseen", "length", "shuffled"))
    lines = [f"{'APGR (0.5 = random)':19s} {'rows':>5s}  {heads}oracle  difficulty"]
    for name, row in figures["files"].items():
        cells = "  ".join(
            "{:.3f} [{:.3f} {:.3f}]".format(*row[key]) for key in ("in_sample", "unseen", "length", "shuffled")
        )
        lines.append(f"{name:19s} {row['rows']:5d}  {cells}  {row['oracle']:.3f}   {row['difficulty']:+.3f}")
    mean = figures["mean"]
    cells = "  ".join(f"{mean[key]:.3f}{'':14s}" for key in ("in_sample", "unseen", "length", "shuffled"))
    lines.append(f"{'mean':19s} {'':5s}  {cells}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        figures = measure(arguments.folder)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2) if arguments.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
