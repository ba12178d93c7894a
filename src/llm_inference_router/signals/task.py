"""What kind of work a request is, and what shape of answer it wants."""

import math
from collections.abc import Sequence
from typing import TypeAlias

from llm_inference_router.signals.lexicon import CATEGORIES
from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.weights import TASK
from llm_inference_router.signals.words import words
from llm_inference_router.types import ChatRequest, Format, Task, TaskLabel

Table: TypeAlias = Sequence[Sequence[float]]

LABELS: tuple[TaskLabel, ...] = (
    "chat", "question_answering", "reasoning", "mathematics", "code", "writing", "extraction",
    "summarising", "agent",
)  # fmt: skip
# What a task is told by: the categories of words, then marks of structure; the order of the rows of
# `weights.TASK`.
EVIDENCE: tuple[str, ...] = (
    *CATEGORIES,
    "always", "tiny", "numbers", "symbols", "codelike", "quoted_code", "options", "blank", "question",
    "length",
)  # fmt: skip
_LEARNED = len(LABELS) - 1  # agent is told by the tools, not by words
_CAP = 4.0
_AGENT, _WORKING = 0.40, 0.85  # its share when tools are offered, and inside a tool loop


def evidence(reading: Reading, system: Sequence[int], code: bool) -> list[float]:
    """The values of `EVIDENCE`: distinct words by category (those of the system message count half), and
    marks."""
    values: list[float] = [float(hit) if hit < _CAP else _CAP for hit in reading.hits]
    if system:
        values = [min(_CAP, value + 0.5 * hit) for value, hit in zip(values, system, strict=True)]
    values += (
        1.0,
        1.0 if reading.size <= 4 and not reading.questions else 0.0,
        min(reading.numbers, 5) / 5.0,
        min(reading.symbols + 2 * reading.commands, 8) / 8.0,
        min(reading.codelike, 6) / 6.0,
        3.0 if code else 0.0,
        1.0 if reading.options >= 3 else 0.0,
        1.0 if reading.blank else 0.0,
        1.0 if reading.questions else 0.0,
        min(math.log1p(reading.size) / 5.0, 1.0),
    )
    return values


def task_of(values: Sequence[float], *, tools: int, working: bool, table: Table = TASK) -> Task:
    """Probabilities of the nine labels from `evidence`; `working` says that the conversation is inside a
    tool loop.

    Raises nothing; the probabilities add up to 1.
    """
    score = [0.0] * _LEARNED
    for value, row in zip(values, table, strict=True):
        if value:
            for i, weight in enumerate(row):
                score[i] += weight * value
    top = max(score)
    odds = [math.exp(value - top) for value in score]
    agent = 0.0 if not tools and not working else _WORKING if working else _AGENT
    total = sum(odds) / (1.0 - agent)
    shares = [value / total for value in odds]
    shares.append(agent)
    best = shares.index(max(shares))
    return Task(label=LABELS[best], probabilities=dict(zip(LABELS, shares, strict=True)))


def softened(task: Task) -> tuple[float, ...]:
    """The probabilities less sure of themselves, in the order of `LABELS`: near a border between two tasks
    one word decides the label, but it must not decide the complexity."""
    roots = [share**_SOFT for share in task.probabilities.values()]
    total = sum(roots)
    return tuple([root / total for root in roots])


_SOFT = 0.6
_TABLE = words("table tabelle tableau tabla tabella tabela tabel таблицу таблица таблицю tablo 表格 表 표")
_LIST = words("list lists bullet bullets liste lista lijst список списком ideas examples tips")
_JSON = words("json yaml xml csv")
_WRITE = words(
    "write implement code function script program class fix refactor schreibe écris escribe scrivi "
    "escreva schrijf napisz напиши yaz create build debug query"
)
_HOW_MANY = (
    "how many", "how much", "what is the sum", "what is the value", "calculate", "compute",
    "wie viele", "combien", "cuánt", "quant", "сколько", "скільки", "kaç", "多少", "いくつ", "몇",
)  # fmt: skip


def format_of(reading: Reading, request: ChatRequest, task: TaskLabel) -> Format:
    """The shape of the answer that is asked for; `free` when nothing says."""
    if request.response_format != "text":
        return "json"
    words = reading.distinct
    if reading.options >= 3 or (reading.options == 2 and ("option" in words or "choice" in words or "answer" in words)):
        return "choice"
    if task == "code" and words & _WRITE:
        return "code"
    if words & _JSON:
        return "json"
    if words & _TABLE and task != "code":
        return "table"
    low = reading.low
    if "one word" in low or "yes or no" in low or "true or false" in low or "one sentence" in low:
        return "short"
    if reading.questions and reading.size < 150 and any(phrase in low for phrase in _HOW_MANY):
        return "number"
    if words & _LIST and task not in ("code", "mathematics"):
        return "list"
    return "code" if task == "code" and reading.codelike > 2 else "free"
