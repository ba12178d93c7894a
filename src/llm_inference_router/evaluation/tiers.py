"""Fits what a tier's models are worth by complexity: the constants of `routing.priors`.

    logit P(good) = intercept - slope[tier] * complexity + offset[file] + ability[model]

Files differ in how strictly they score, so each has an offset; the offsets add up to zero, so that the
curves stand for the mean file. Models of a tier differ, with a normal prior. One intercept serves all
tiers, for benchmarks hold next to nothing light: it rests on an assumption that is stated as data,
`LIGHT_QUALITY` at `LIGHT` for every tier.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize

from llm_inference_router.types import TIERS, Tier

Floats: TypeAlias = NDArray[np.float64]

LIGHT, LIGHT_QUALITY, LIGHT_WEIGHT = 0.1, 0.96, 300.0
_FILE = 300.0  # weight of one file's tier
_MODEL_SD = 0.6

_MODELS: Mapping[Tier, str] = {
    "small": "mistralai/mistral-7b-chat mistral-7b-instruct-v0.3 llama-3.1-8b-instruct "
    "meta-llama/llama-3.1-8b-instruct Meta-Llama-3-8B-Instruct Meta-Llama-3.1-8B-Instruct "
    "qwen2.5-7b-instruct Qwen2-7B-Instruct Qwen2.5-7B-Instruct gemma-2-9b-it Yi-1.5-9B-Chat "
    "Phi-3.5-mini-instruct WizardLM/WizardLM-13B-V1.2",
    "medium": "mistralai/mixtral-8x7b-chat mistralai/Mixtral-8x7B-Instruct-v0.1 zero-one-ai/Yi-34B-Chat "
    "meta/llama-2-70b-chat gpt-3.5-turbo-1106 gpt-3.5-turbo-0125 claude-instant-v1 "
    "Meta-Llama-3-70B-Instruct Meta-Llama-3.1-70B-Instruct Athene-70B Qwen2-72B-Instruct "
    "Qwen2.5-32B-Instruct Qwen2.5-72B-Instruct Yi-1.5-34B-Chat claude-3-haiku-20240307 "
    "claude-3-5-haiku-20241022 gemini-1.5-flash gemini-1.5-flash-exp-0827 gemma-2-27b-it "
    "gpt-4o-mini-2024-07-18 llama-3.1-nemotron-51b-instruct llama-3.3-nemotron-super-49b-v1 "
    "google/gemini-2.5-flash",
    "large": "gpt-4-1106-preview gpt-4-0314 gpt-4-turbo-2024-04-09 gpt-4o-2024-05-13 gpt-4o-2024-08-06 "
    "chatgpt-4o-latest-24-09-07 claude-3-opus-20240229 claude-3-5-sonnet-20240620 "
    "claude-3-5-sonnet-20241022 gemini-1.5-pro gemini-1.5-pro-exp-0827 Mistral-Large-2 "
    "mistralai/mistral-large-2512 Llama-3.1-405B-Inst@sambanova grok-2-1212 deepseek-v2.5-0908 "
    "google/gemini-2.5-pro",
}
# Left out on purpose: models made for one job (chatqa, codegemma, code-llama), models that reason at length
# (o1), and claude-v1 and v2, whose scores are mostly refusals of the format.
TIER_OF: Mapping[str, Tier] = {model: tier for tier, names in _MODELS.items() for model in names.split()}


class Scores(Struct, frozen=True):
    """One file: complexity of each row, and each model's scores."""

    complexity: Floats
    scores: Mapping[str, Floats]


class Curves(Struct, frozen=True):
    """The fit: one intercept, a slope and a spread (logits) for each tier."""

    intercept: float
    slope: Mapping[Tier, float]
    spread: Mapping[Tier, float]


def _fit(files: Sequence[Scores]) -> tuple[Floats, list[tuple[int, int]], Floats]:
    members: list[tuple[int, int, Floats, Floats, float]] = []
    for i, file in enumerate(files):
        tiers = [TIERS.index(TIER_OF[model]) for model in file.scores if model in TIER_OF]
        for model, scores in file.scores.items():
            if model in TIER_OF:
                tier = TIERS.index(TIER_OF[model])
                weight = _FILE / len(scores) / tiers.count(tier)
                members.append((i, tier, file.complexity, scores, weight))
    count = len(files)

    def loss(theta: Floats) -> tuple[float, Floats]:
        raw, ability = theta[4 : 4 + count], theta[4 + count :]
        offset = raw - raw.mean()
        gradient = np.zeros_like(theta)
        offsets = np.zeros(count)
        value = 0.0
        for k, (i, tier, complexity, scores, weight) in enumerate(members):
            z = theta[3] - theta[tier] * complexity + offset[i] + ability[k]
            p = 1.0 / (1.0 + np.exp(-z))
            value -= weight * float((scores * np.log(p + 1e-12) + (1 - scores) * np.log(1 - p + 1e-12)).sum())
            error = weight * (scores - p)
            gradient[tier] += float((error * complexity).sum())
            gradient[3] -= float(error.sum())
            offsets[i] -= float(error.sum())
            gradient[4 + count + k] -= float(error.sum())
        for tier in range(3):
            p0 = 1.0 / (1.0 + np.exp(theta[tier] * LIGHT - theta[3]))
            value -= LIGHT_WEIGHT * float(LIGHT_QUALITY * np.log(p0) + (1 - LIGHT_QUALITY) * np.log(1 - p0))
            gradient[tier] += LIGHT_WEIGHT * (LIGHT_QUALITY - p0) * LIGHT
            gradient[3] -= LIGHT_WEIGHT * (LIGHT_QUALITY - p0)
        value += float((ability**2).sum()) / 2 / _MODEL_SD**2 + 1e-3 * float((raw**2).sum())
        gradient[4 + count :] += ability / _MODEL_SD**2
        gradient[4 : 4 + count] = offsets - offsets.mean() + 2e-3 * raw
        return value, gradient

    start = np.concatenate([[4.0, 3.0, 2.5, 3.3], np.zeros(count + len(members))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
    return found[:4], [(i, tier) for i, tier, *_ in members], found[4 + count :]


def fit_tiers(files: Sequence[Scores]) -> Curves:
    """Curves from all files. A tier's spread joins how much its models differ with how much the curve moves
    (at complexity 0.6) when one file is left out."""
    theta, members, ability = _fit(files)
    without = [_fit([file for file in files if file is not left])[0] for left in files]
    spread: dict[Tier, float] = {}
    for index, tier in enumerate(TIERS):
        models = float(np.std([a for (_, t), a in zip(members, ability, strict=True) if t == index]))
        moved = float(np.std([other[3] - 0.6 * other[index] for other in without]))
        spread[tier] = round(float(np.hypot(models, moved)), 2)
    return Curves(
        intercept=round(float(theta[3]), 2),
        slope={tier: round(float(theta[i]), 2) for i, tier in enumerate(TIERS)},
        spread=spread,
    )
