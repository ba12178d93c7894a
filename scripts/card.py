"""Writes the shipped predictor's card, src/llm_inference_router/learning/data/CARD.md, from its file and its figures.

usage: scripts/card.py LEAVE_SOURCE_OUT.json FOLDS.json [--predictor FILE] [-o FILE]

The figures are what `llm-router eval DATA... --json` prints, once with --leave-source-out and once with --folds.
"""

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path

from llm_inference_router.learning.artefact import SHIPPED, ArtefactError, load
from llm_inference_router.signals.features import NAMES
from llm_inference_router.training.page import page_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("left_out", type=Path, metavar="LEAVE_SOURCE_OUT.json")
    parser.add_argument("folds", type=Path, metavar="FOLDS.json")
    parser.add_argument("--predictor", type=Path, default=SHIPPED, metavar="FILE")
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED.with_name("CARD.md"), metavar="FILE")
    asked = parser.parse_args()
    data = asked.predictor.read_bytes()
    try:
        card = load(asked.predictor, NAMES).card
        left_out, folds = (json.loads(path.read_text(encoding="utf-8")) for path in (asked.left_out, asked.folds))
        text = page_of(card, left_out, folds, len(data), sha256(data).hexdigest())
    except (ArtefactError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    asked.output.write_text(text, encoding="utf-8")
    print(f"wrote {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
