"""Fits the constants of the ability priors to the table of public results.

python scripts/fit_families.py            writes src/llm_inference_router/learning/data/abilities.json
python scripts/fit_families.py --check    fails when the file is not what the table gives
python scripts/fit_families.py --report   how well numbers are foretold, and models from their relatives
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from llm_inference_router.learning.abilities import WIDENING, Constants, ability
from llm_inference_router.learning.factor import fit, held_out
from llm_inference_router.learning.families import Match, find_in, index_of
from llm_inference_router.learning.leaderboard import Family, table

PATH = Path(__file__).parent.parent / "src" / "llm_inference_router" / "learning" / "data" / "abilities.json"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--report", action="store_true", help="print how good the constants are, and write nothing")
    asked = parser.parse_args(arguments)
    constants = fit(table().families)
    text = msgspec.json.format(msgspec.json.encode(constants), indent=2) + b"\n"
    if asked.report:
        report(constants)
    elif not asked.check:
        PATH.write_bytes(text)
        print(f"wrote {PATH.name}: {len(constants.benchmarks)} benchmarks, {len(table().families)} models")
    elif PATH.read_bytes() != text:
        print(f"{PATH.name} is not what the table gives: run scripts/fit_families.py", file=sys.stderr)
        return 1
    return 0


def report(constants: Constants) -> None:
    errors = held_out(table().families, constants)
    print(f"a number from the other benchmarks of its model: {len(errors)} numbers, in logits")
    print(f"  error {_rms(errors[:, 0]):.3f}, expected {_rms(errors[:, 1]):.3f}")
    print(f"  beyond two expected errors: {np.mean(np.abs(errors[:, 0]) > 2 * errors[:, 1]):.1%}")
    print("a model from its relatives when its own line is taken out: general ability, in logits")
    for kind in ("variant", "family"):
        found = [each for each in map(_from_relatives, table().families) if each and each[0] == kind]
        error, sd = (np.array([each[at] for each in found]) for at in (1, 2))
        bare = np.sqrt(sd**2 - WIDENING[kind] ** 2)
        extra = np.sqrt(max(0.0, float(np.mean(error**2 - bare**2))))
        print(f"  {kind}: {len(found)} models, error {_rms(error):.3f}, expected {_rms(sd):.3f}, to add {extra:.3f}")


def _from_relatives(family: Family) -> tuple[str, float, float] | None:
    match = find_in(index_of(other for other in table().families if other is not family), family.name)
    own = ability(Match("exact", (family,), None))
    guess = ability(match) if match else None
    if not family.results or own is None or match is None or guess is None or match.kind == "exact":
        return None
    return match.kind, own.general - guess.general, guess.sd


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
