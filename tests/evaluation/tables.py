"""Made-up answers: models of known strength on questions whose difficulty shows in the prompt's length."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llm_inference_router.evaluation.data import Row, parse_rows

MODELS = {"small": (-0.5, 1e-5), "middle": (0.7, 1e-4), "large": (2.0, 1e-3)}  # ability in logits, USD a query


def lines(count: int = 120, seed: int = 1, *, prefix: str = "q", cost: bool = True) -> list[str]:
    rng, letters = np.random.default_rng(seed), np.random.default_rng([seed, count])
    found = []
    for number in range(count):
        hard = rng.normal()
        # The last word tells prompts apart, since those that are alike are kept out of each other's training.
        last = "".join(letters.choice([*"abcdefghijklmnopqrstuvwxyz"], 4))
        prompt = "word " * (int(np.clip(np.exp(3.0 + 0.8 * hard), 1, 400)) - 1) + f"{last} "
        chance = {model: 1 / (1 + np.exp(2.0 * hard - ability)) for model, (ability, _) in MODELS.items()}
        row = {
            "id": f"{prefix}{number}",
            "prompt": prompt,
            "task": "made up",
            "scores": {model: float(rng.random() < p) for model, p in chance.items()},
        }
        if cost:
            row["cost"] = {model: usd * (0.9 + len(prompt) / 2000) for model, (_, usd) in MODELS.items()}
        found.append(json.dumps(row))
    return found


def rows(count: int = 120, seed: int = 1, *, prefix: str = "q", cost: bool = True) -> list[Row]:
    return parse_rows(lines(count, seed, prefix=prefix, cost=cost))


def write(path: Path, text: Sequence[str]) -> Path:
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path
