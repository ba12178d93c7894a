"""Fits the weights of complexity and the evidence for tasks to evaluation data and hand-labelled prompts.

Two steps, both convex and deterministic. Tasks: multinomial logistic regression with a ridge. Complexity:
least squares with a ridge towards the weights set by hand and with each feature's sign, of three targets
together: within each source the Rasch difficulty and the difference of the source's strong and weak model,
and for the hand-labelled prompts the middle of their kind on the scale. Sources count alike whatever their
size, and only differences within a source count, since every benchmark scores in its own way.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize

from llm_inference_router.evaluation.data import Row
from llm_inference_router.evaluation.rasch import rasch
from llm_inference_router.signals.base import measure, view
from llm_inference_router.signals.features import FEATURES, PARTS, Part
from llm_inference_router.signals.task import EVIDENCE, LABELS, Table
from llm_inference_router.types import ChatRequest, Message, TaskLabel

Floats: TypeAlias = NDArray[np.float64]

# Chosen on leave-source-out alone; the figures hardly move within a factor of two of any of them.
TASK_RIDGE = 2e-3
RIDGE = 0.5
DIFFICULTY = 0.5  # weight of the Rasch target
GAP = 1.0  # weight of strong - weak
ANCHOR = 2.0  # weight of one hand-labelled prompt
SOURCE = 10.0  # weight of one whole source
SPREAD = 1.2  # logits that one standard deviation of a source's target stands for
BOUND = 1.6  # no feature may move the logit further
TASK_BOUND = 1.0  # nor may one word move a task's log odds further

# What the hand-labelled kinds are worth on the scale of complexity.
LEVELS: Mapping[str, float] = {
    "greeting": 0.07, "fact": 0.16, "service": 0.22, "moderation": 0.25, "rewrite": 0.28,
    "summary": 0.42, "translation": 0.42,
    "writing": 0.42, "explain": 0.42, "word_problem": 0.48, "code": 0.55, "comparison": 0.58,
    "maths": 0.85, "proof": 0.85,
    "law": 0.85, "medicine": 0.85, "physics": 0.85, "design": 0.85, "hard_code": 0.85, "analysis": 0.85,
}  # fmt: skip
TASKS_OF_KIND: Mapping[str, TaskLabel] = {
    "greeting": "chat", "fact": "question_answering", "service": "chat", "moderation": "extraction",
    "rewrite": "writing",
    "summary": "summarising", "translation": "writing", "writing": "writing", "explain": "question_answering",
    "word_problem": "mathematics", "code": "code", "comparison": "reasoning", "maths": "mathematics",
    "proof": "mathematics",
    "hard_code": "code", "analysis": "reasoning",
}  # fmt: skip


class Anchor(Struct, frozen=True):
    """A prompt written and labelled by hand. `fit` False: held out of the fit."""

    text: str
    group: str
    band: str
    language: str
    fit: bool = True


class Source(Struct, frozen=True):
    """One file: its requests, its targets (both centred, of unit variance) and what its tasks are worth as
    labels."""

    name: str
    requests: Sequence[ChatRequest]
    weak: Floats
    strong: Floats
    difficulty: Floats


class Labelled(Struct, frozen=True):
    """A prompt with its task. Groups weigh alike, whatever their size."""

    text: str
    task: TaskLabel
    group: str
    weight: float = 1.0
    source: str = ""


class Fitted(Struct, frozen=True):
    """The content of `signals.weights`."""

    base: float
    weights: Mapping[str, float]
    low: Mapping[Part, float]
    span: Mapping[Part, float]
    task: tuple[tuple[float, ...], ...]

    def values(self, features: Floats) -> Floats:
        """Complexity of rows of features, as `signals.complexity` computes it."""
        logit = np.full(features.shape[0], self.base)
        for part in PARTS:
            columns = [i for i, feature in enumerate(FEATURES) if feature.part == part]
            total = features[:, columns] @ np.array([self.weights[FEATURES[i].name] for i in columns])
            logit += self.span[part] * np.clip((total - self.low[part]) / self.span[part], 0.0, 1.0)
        value: Floats = 1.0 / (1.0 + np.exp(-logit))
        return value


def ask(text: str) -> ChatRequest:
    return ChatRequest(model="auto", messages=(Message("user", text),), body={})


def source_of(name: str, rows: Sequence[Row], weak: str, strong: str) -> Source:
    """A source from its rows; the difficulty is Rasch's over all models of the file."""
    models = sorted({model for row in rows for model in row.scores})
    table = np.array([[row.scores.get(model, np.nan) for model in models] for row in rows])
    return Source(
        name=name,
        requests=[row.request for row in rows],
        weak=np.array([row.scores[weak] for row in rows]),
        strong=np.array([row.scores[strong] for row in rows]),
        difficulty=rasch(table).difficulty,
    )


def features_of(requests: Sequence[ChatRequest], table: Table) -> Floats:
    """Feature vectors, one row for each request."""
    return np.array([measure(request, view(request), table).features for request in requests])


def fit_tasks(items: Sequence[Labelled]) -> tuple[tuple[float, ...], ...]:
    """Evidence for the eight tasks that words tell, rounded to hundredths; rows are `task.EVIDENCE`."""
    size, labels = len(EVIDENCE), len(LABELS) - 1
    empty = ((0.0,) * labels,) * size
    x = np.array([measure(request, view(request), empty).evidence for request in (ask(item.text) for item in items)])
    y = np.array([LABELS.index(item.task) for item in items])
    counts: dict[str, int] = {}
    for item in items:
        counts[item.group] = counts.get(item.group, 0) + 1
    share = np.array([item.weight * min(1.0, counts[item.group] / 6) / counts[item.group] for item in items])
    share /= share.sum()
    index = np.arange(len(items))

    # Hardly a labelled prompt quotes code: that it speaks for code is set by hand.
    prior = np.zeros((size, labels))
    prior[EVIDENCE.index("quoted_code"), LABELS.index("code")] = TASK_BOUND

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(size, labels)
        away = weights - prior
        z = x @ weights
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        value = -float((share * np.log(p[index, y] + 1e-12)).sum()) + TASK_RIDGE * float((away**2).sum())
        p[index, y] -= 1.0
        return value, (x.T @ (p * share[:, None]) + 2 * TASK_RIDGE * away).ravel()

    best = minimize(
        loss,
        np.zeros(size * labels),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-TASK_BOUND, TASK_BOUND)] * (size * labels),
        options={"maxiter": 800},
    )
    return tuple(tuple(round(float(v), 2) + 0.0 for v in row) for row in best.x.reshape(size, labels))


def fit_complexity(sources: Sequence[Source], anchors: Sequence[Anchor], task: tuple[tuple[float, ...], ...]) -> Fitted:
    """Weights of complexity from the sources and the anchors that are marked for the fit."""
    count = len(FEATURES)
    blocks: list[Floats] = []
    targets: list[Floats] = []
    reached: list[Floats] = []
    for source in sources:
        x = features_of(source.requests, task)
        reached.append(x)
        x = np.hstack([x - x.mean(axis=0), np.zeros((len(x), 1))])
        for target, weight in ((source.difficulty, DIFFICULTY), (source.strong - source.weak, GAP)):
            scale = np.sqrt(weight * SOURCE / len(x))
            blocks.append(x * scale)
            targets.append((target - target.mean()) / target.std() * SPREAD * scale)
    chosen = [anchor for anchor in anchors if anchor.fit]
    x = features_of([ask(anchor.text) for anchor in chosen], task)
    reached.append(x)
    level = np.array([LEVELS[anchor.group] for anchor in chosen])
    blocks.append(np.hstack([x, np.ones((len(x), 1))]) * np.sqrt(ANCHOR))
    targets.append(np.log(level / (1 - level)) * np.sqrt(ANCHOR))
    blocks.append(np.hstack([np.eye(count), np.zeros((count, 1))]) * np.sqrt(RIDGE))
    targets.append(np.array([feature.prior for feature in FEATURES]) * np.sqrt(RIDGE))
    lower = np.array([0.0 if feature.sign > 0 else -BOUND for feature in FEATURES] + [-20.0])
    upper = np.array([0.0 if feature.sign < 0 else BOUND for feature in FEATURES] + [20.0])
    found = lsq_linear(np.vstack(blocks), np.concatenate(targets), bounds=(lower - 1e-9, upper + 1e-9), tol=1e-12)
    return _fitted(found.x[:-1], float(found.x[-1]), reached, task)


def _fitted(weights: Floats, offset: float, reached: Sequence[Floats], task: tuple[tuple[float, ...], ...]) -> Fitted:
    """Splits the linear predictor into parts; a part's 0 and 1 are the ends of what the data and the
    anchors reach."""
    rounded = {feature.name: round(float(w), 3) + 0.0 for feature, w in zip(FEATURES, weights, strict=True)}
    low: dict[Part, float] = {}
    span: dict[Part, float] = {}
    everything = np.vstack(reached)
    for part in PARTS:
        columns = [i for i, feature in enumerate(FEATURES) if feature.part == part]
        total = everything[:, columns] @ np.array([rounded[FEATURES[i].name] for i in columns])
        positive = sum(max(0.0, rounded[FEATURES[i].name]) for i in columns)
        low[part] = round(float(total.min()), 3)
        # What lies beyond the data (many tools, a very long context) has room above it.
        high = max(float(total.max()), 0.45 * positive)
        span[part] = round(max(high - low[part], 0.05), 3)
    base = round(offset + sum(low.values()), 3)
    return Fitted(base=base, weights=rounded, low=low, span=span, task=task)
