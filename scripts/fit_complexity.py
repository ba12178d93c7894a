"""Fits src/llm_inference_router/signals/weights.py and routing/priors.py's constants: fit_complexity.py
DATA_FOLDER

The folder holds the five evaluation files and the labelled prompts that benchmarks/complexity.py names. The
same files give the same weights, to the last digit. With --check nothing is written: exit 1 if the weights
in the tree differ.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from llm_inference_router.evaluation.corpus import (
    PAIRS,
    anchors_of,
    labelled_of,
    read_file,
    read_sources,
    scores_of,
)
from llm_inference_router.evaluation.data import DataError
from llm_inference_router.evaluation.fitting import Fitted, fit_complexity, fit_tasks
from llm_inference_router.evaluation.tiers import Curves, fit_tiers
from llm_inference_router.signals.features import FEATURES, PARTS
from llm_inference_router.signals.task import EVIDENCE
from llm_inference_router.types import TIERS

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "src/llm_inference_router/signals/weights.py"
PRIORS = ROOT / "src/llm_inference_router/routing/priors.py"
ANCHORS = ROOT / "tests/signals/anchors.jsonl"


def render(fitted: Fitted, provenance: str) -> str:
    """The module's text."""
    lines = [
        '"""Weights of complexity and evidence for tasks, made by scripts/fit_complexity.py: do not edit.',
        "",
        provenance,
        '"""',
        "",
        "from collections.abc import Mapping",
        "",
        "from llm_inference_router.signals.features import Part",
        "",
        f"BASE = {fitted.base}",
        "",
        "# What a part's features add up to where it is 0, and how far its 1 lies above that, in logits.",
        "LOW: Mapping[Part, float] = {",
        *(f'    "{part}": {fitted.low[part]},' for part in PARTS),
        "}",
        "SPAN: Mapping[Part, float] = {",
        *(f'    "{part}": {fitted.span[part]},' for part in PARTS),
        "}",
        "",
        "# Logits for a whole unit of each feature.",
        "WEIGHTS: Mapping[str, float] = {",
    ]
    for part in PARTS:
        lines.append(f"    # {part}")
        lines.extend(f'    "{f.name}": {fitted.weights[f.name]},' for f in FEATURES if f.part == part)
    lines += [
        "}",
        "",
        "# Log odds of the tasks (columns: task.LABELS without agent) for each evidence (rows).",
        "TASK: tuple[tuple[float, ...], ...] = (",
        *(f"    ({', '.join(map(str, row))}),  # {name}" for name, row in zip(EVIDENCE, fitted.task, strict=True)),
        ")",
        "",
    ]
    return "\n".join(lines)


def with_priors(text: str, curves: Curves) -> str:
    """routing/priors.py with its constants replaced."""
    for tier in TIERS:
        pair = f'"{tier}": ({curves.slope[tier]:.2f}, {curves.intercept:.2f}),'
        text, pairs = re.subn(rf'"{tier}": \([\d.]+, [\d.]+\),', pair, text)
        text, spreads = re.subn(rf'"{tier}": [\d.]+,', f'"{tier}": {curves.spread[tier]:.2f},', text)
        if (pairs, spreads) != (1, 1):
            raise SystemExit(f"{PRIORS}: the constants of {tier} are not where they are expected")
    return text


def written(path: Path, text: str, check: bool) -> bool:
    """Writes a generated file, or with `check` says whether it is as the data gives it."""
    if check:
        same = path.read_text(encoding="utf-8") == text
        print(f"{path.relative_to(ROOT)}: {'as' if same else 'not as'} the data gives it")
        return same
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
    return True


def weights_text(folder: Path) -> str:
    """What the data gives for signals/weights.py."""
    anchors = anchors_of(ANCHORS)
    sources = read_sources(folder)
    labelled = labelled_of(folder, sources, anchors)
    fitted = fit_complexity(list(sources.values()), anchors, fit_tasks(labelled))
    used = sum(anchor.fit for anchor in anchors)
    provenance = "\n".join(
        [
            "Fitted to:",
            *(f"- {name}: {len(source.requests):,} prompts" for name, source in sources.items()),
            f"- tests/signals/anchors.jsonl: {used} of {len(anchors)} labelled by hand, the others held out",
            f"- {len(labelled):,} prompts with a task",
            "Method and figures: docs/explain/complexity.md.",
        ]
    )
    return render(fitted, provenance)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--priors", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        if arguments.priors:
            curves = fit_tiers([scores_of(read_file(arguments.folder, name)) for name in PAIRS])
            return not written(PRIORS, with_priors(PRIORS.read_text(encoding="utf-8"), curves), arguments.check)
        good = written(WEIGHTS, weights_text(arguments.folder), arguments.check)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    # The tiers' curves stand on the complexity that was just written, so that a fresh interpreter has to
    # load it.
    again = [
        sys.executable,
        __file__,
        str(arguments.folder),
        "--priors",
        *(["--check"] if arguments.check else []),
    ]
    return subprocess.run(again, check=False).returncode or not good


if __name__ == "__main__":
    sys.exit(main())
