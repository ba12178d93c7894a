"""Writes the shipped predictor's card, src/llm_inference_router/learning/data/CARD.md, from its file and its figures.

usage: scripts/card.py LEAVE_SOURCE_OUT.json FOLDS.json [--cold-start COLD.json] [--predictor FILE] [-o FILE]

The figures are what `llm-router eval DATA... --json` prints, once with --leave-source-out and once with --folds, both
of all the predictor's sources; and once with --cold-start, of the file ulab_llmrouter, since a file of two models has
none.
"""

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from llm_inference_router.learning.artefact import SHIPPED, load
from llm_inference_router.signals.features import NAMES
from llm_inference_router.training.page import page_of


def figures(path: Path, key: str = "files") -> dict[str, Any]:
    """Raises ValueError, OSError."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or key not in found:
        raise ValueError(f"{path}: has no {key!r}; it must hold what `llm-router eval --json` prints")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("left_out", type=Path, metavar="LEAVE_SOURCE_OUT.json")
    parser.add_argument("folds", type=Path, metavar="FOLDS.json")
    parser.add_argument("--cold-start", type=Path, metavar="COLD.json")
    parser.add_argument("--predictor", type=Path, default=SHIPPED, metavar="FILE")
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED.with_name("CARD.md"), metavar="FILE")
    asked = parser.parse_args()
    try:
        card = load(asked.predictor, NAMES).card
        data = asked.predictor.read_bytes()
        left_out, folds = figures(asked.left_out), figures(asked.folds)
        if asked.cold_start is not None:
            left_out |= {"cold_start": figures(asked.cold_start, "cold_start")["cold_start"]}
        text = page_of(card, left_out, folds, len(data), sha256(data).hexdigest())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    asked.output.write_text(text, encoding="utf-8")
    print(f"wrote {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
