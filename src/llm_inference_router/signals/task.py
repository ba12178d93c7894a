"""What kind of work a request is, and what shape of answer it wants."""

import math
from collections.abc import Mapping, Sequence

from llm_inference_router.signals.lexicon import INDEX
from llm_inference_router.signals.reading import Reading
from llm_inference_router.types import ChatRequest, Format, Task, TaskLabel

LABELS: tuple[TaskLabel, ...] = (
    "chat", "question_answering", "reasoning", "mathematics", "code", "writing", "extraction", "summarising", "agent",
)  # fmt: skip

# label -> evidence of one distinct word of each category, on the log scale. Set by hand and checked on labelled prompts.
_EVIDENCE: Mapping[str, Mapping[TaskLabel, float]] = {
    "greet": {"chat": 1.1},
    "lookup": {"question_answering": 0.6},
    "service": {"chat": 0.8},
    "classify": {"extraction": 0.9},
    "summarise": {"summarising": 1.6},
    "translate": {"writing": 0.8},
    "edit": {"writing": 0.8},
    "write": {"writing": 0.9},
    "explain": {"question_answering": 0.5, "reasoning": 0.2},
    "compare": {"reasoning": 0.5},
    "prove": {"mathematics": 0.7, "reasoning": 0.3},
    "story": {"mathematics": 0.35},
    "maths": {"mathematics": 0.55},
    "advmath": {"mathematics": 0.7},
    "code": {"code": 0.8},
    "advcode": {"code": 0.5},
    "design": {"reasoning": 0.25, "code": 0.15},
    "law": {"question_answering": 0.25, "reasoning": 0.15},
    "medicine": {"question_answering": 0.3, "reasoning": 0.1},
    "science": {"question_answering": 0.3},
    "advscience": {"question_answering": 0.3, "reasoning": 0.15},
    "finance": {"question_answering": 0.2, "reasoning": 0.1},
    "humanities": {"question_answering": 0.25, "reasoning": 0.15},
    "logic": {"reasoning": 0.35},
    "constraint": {},
    "steps": {},
}
_ROWS: tuple[tuple[int, tuple[tuple[int, float], ...]], ...] = tuple(
    (INDEX[name], tuple((LABELS.index(label), weight) for label, weight in row.items()))
    for name, row in _EVIDENCE.items()
    if row
)
_PRIOR = (0.3, 1.3, 0.4, 0.0, 0.0, 0.2, -0.2, -0.2, -1.5)
_CHAT, _QA, _REASONING, _MATHS, _CODE, _WRITING, _EXTRACTION, _SUMMARY, _AGENT = range(9)
_STORY = INDEX["story"]
_CAP = 4


def task_of(reading: Reading, system: Sequence[int], *, code: bool, tools: int, working: bool) -> Task:
    """Probabilities of the nine labels.

    `system` holds the category counts of the system message (at half weight), `code` says that code was quoted, and
    `working` that the conversation is inside a tool loop.
    """
    score = list(_PRIOR)
    hits = reading.hits
    for index, row in _ROWS:
        if amount := hits[index]:
            amount = min(amount, _CAP)
        if system:
            amount += 0.5 * min(system[index], 2)
        if amount:
            for label, weight in row:
                score[label] += weight * amount
    size = reading.size
    if size <= 4 and not reading.questions:
        score[_CHAT] += 1.2
    if reading.numbers >= 2:
        score[_MATHS] += 0.3 * min(reading.numbers, 5) * (0.4 if reading.codelike > 3 else 1.0)
        if hits[_STORY] >= 2 and reading.questions:
            score[_MATHS] += 0.8
    if reading.symbols + reading.commands >= 2:
        score[_MATHS] += 0.25 * min(reading.symbols + 2 * reading.commands, 6) * (0.3 if reading.codelike > 2 else 1.0)
    if reading.codelike:
        score[_CODE] += 0.5 * min(reading.codelike, 5)
    if code:
        score[_CODE] += 1.6
    if reading.options >= 3 or reading.blank:
        score[_QA] += 0.8
    if tools:
        score[_AGENT] += 2.3 if not working else 4.0
    top = max(score)
    odds = [math.exp(value - top) for value in score]
    total = sum(odds)
    shares = {label: value / total for label, value in zip(LABELS, odds, strict=True)}
    return Task(label=LABELS[score.index(top)], probabilities=shares)


_TABLE = frozenset("table tabelle tableau tabla tabella tabela tabel таблицу таблица таблицю tablo 表格 表 표".split())
_LIST = frozenset("list lists bullet bullets liste lista lijst список списком ideas examples tips".split())
_JSON = frozenset("json yaml xml csv".split())
_WRITE = frozenset(
    "write implement code function script program class fix refactor schreibe écris escribe scrivi escreva schrijf napisz "
    "напиши yaz create build debug query".split()
)
_HOW_MANY = ("how many", "how much", "what is the sum", "what is the value", "calculate", "compute", "wie viele", "combien", "cuánt",
             "quant", "сколько", "скільки", "kaç", "多少", "いくつ", "몇")  # fmt: skip


def format_of(reading: Reading, request: ChatRequest, task: TaskLabel) -> Format:
    """The shape of the answer that is asked for; `free` when nothing says."""
    if request.response_format != "text":
        return "json"
    words = reading.distinct
    if reading.options >= 3 or (reading.options == 2 and ("option" in words or "choice" in words or "answer" in words)):
        return "choice"
    if words & _JSON and task != "code":
        return "json"
    if words & _TABLE and task != "code":
        return "table"
    if task == "code" and words & _WRITE:
        return "code"
    low = reading.low
    if "one word" in low or "yes or no" in low or "true or false" in low or "one sentence" in low:
        return "short"
    if reading.questions and reading.size < 150 and any(phrase in low for phrase in _HOW_MANY):
        return "number"
    if words & _LIST and task not in ("code", "mathematics"):
        return "list"
    return "code" if task == "code" and reading.codelike > 2 else "free"
