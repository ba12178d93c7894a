"""What kind of work a request is, and what shape of answer it wants."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import exp, log1p
from typing import TypeAlias

from msgspec import Struct

from llm_inference_router.signals.lexicon import CATEGORIES
from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.vocabulary import SIGN
from llm_inference_router.signals.weights import TASK
from llm_inference_router.types import ChatRequest, Format, TaskLabel

Row: TypeAlias = tuple[float, ...]
Table: TypeAlias = Sequence[Sequence[float]]

LABELS: tuple[TaskLabel, ...] = (
    "chat", "question_answering", "reasoning", "mathematics", "code", "writing", "extraction",
    "summarising", "agent",
)  # fmt: skip
_LEARNED = len(LABELS) - 1  # agent is told by the tools, not by words
_AGENT, _WORKING = 0.40, 0.85  # its share when tools are offered, and inside a tool loop
_SOFT = 0.6

# What a task is told by: the distinct words of each category, then marks of structure; in the order of the rows of
# `weights.TASK`. Each is counted in steps; its value at step n is the n-th, and the last for all steps beyond.
_VALUES: Mapping[str, Row] = {
    **{name: tuple(n / 2 for n in range(9)) for name in CATEGORIES},  # a word of the system message is half a word
    "always": (0.0, 1.0),
    "tiny": (0.0, 1.0),
    "numbers": tuple(n / 5 for n in range(6)),
    "symbols": tuple(n / 8 for n in range(9)),
    "codelike": tuple(n / 6 for n in range(7)),
    "quoted_code": (0.0, 3.0),
    "options": (0.0, 1.0),
    "blank": (0.0, 1.0),
    "question": (0.0, 1.0),
    "length": tuple(min(log1p(n) / 5, 1.0) for n in range(149)),
}
EVIDENCE: tuple[str, ...] = tuple(_VALUES)
_STEPS: tuple[Row, ...] = tuple(_VALUES.values())
_ALWAYS, _TINY, _NUMBERS, _SYMBOLS, _CODELIKE, _QUOTED_CODE, _OPTIONS, _BLANK, _QUESTION, _LENGTH = range(
    len(CATEGORIES), len(EVIDENCE)
)

# For each evidence and step, what the step adds to the scores of the tasks: products need not be formed again.
Ladders: TypeAlias = tuple[tuple[Row, ...], ...]


@lru_cache(maxsize=2)
def ladders(table: Table) -> Ladders:
    """The products of a hashable table of evidence and the values of its steps."""
    return tuple(
        tuple(tuple(weight * value for weight in row) for value in values)
        for row, values in zip(table, _STEPS, strict=True)
    )


SHIPPED = ladders(TASK)


class Guess(Struct, frozen=True, gc=False):
    """Shares of the nine labels, adding up to 1. `soft` is less sure of itself: near a border between two tasks one
    word decides the label, but it must not decide the complexity."""

    label: TaskLabel
    shares: Sequence[float]
    soft: Sequence[float]


def evidence(reading: Reading, system: Iterable[tuple[int, int]], code: bool) -> dict[int, int]:
    """Steps by index of `EVIDENCE`, without those at 0. `system`: categories of the system message's words, with
    their number."""
    counts, size = reading.counts, reading.size
    steps = {category: 2 * counts[category] for category in reading.said}
    for category, hits in system:
        steps[category] = steps.get(category, 0) + hits
    steps[_ALWAYS] = 1
    steps[_LENGTH] = size
    if reading.questions:
        steps[_QUESTION] = 1
    elif size <= 4:
        steps[_TINY] = 1
    if reading.numbers:
        steps[_NUMBERS] = reading.numbers
    if reading.symbols:
        steps[_SYMBOLS] = reading.symbols
    if reading.codelike:
        steps[_CODELIKE] = reading.codelike
    if code:
        steps[_QUOTED_CODE] = 1
    if reading.options >= 3:
        steps[_OPTIONS] = 1
    if reading.blank:
        steps[_BLANK] = 1
    return steps


def values_of(steps: Mapping[int, int]) -> list[float]:
    """The values of all `EVIDENCE`, in its order."""
    return [values[min(steps.get(i, 0), len(values) - 1)] for i, values in enumerate(_STEPS)]


def task_of(steps: Mapping[int, int], *, tools: int, working: bool, table: Ladders = SHIPPED) -> Guess:
    """The task from its `evidence`; `working` says that the conversation is inside a tool loop."""
    rows = []
    for i, step in steps.items():
        ladder = table[i]
        rows.append(ladder[step] if step < len(ladder) else ladder[-1])
    # The scores are the sums of columns. They stay within 120, so that their powers are finite as they are.
    scores = list(map(sum, zip(*rows, strict=True)))
    odds = list(map(exp, scores))
    roots = [exp(_SOFT * score) for score in scores]
    total = sum(odds)
    agent = root = 0.0
    if tools or working:
        agent = _WORKING if working else _AGENT
        root = (agent * total / (1.0 - agent)) ** _SOFT
        total /= 1.0 - agent
    shares = [odd / total for odd in odds]
    shares.append(agent)
    roots.append(root)
    total = sum(roots)
    return Guess(LABELS[shares.index(max(shares))], shares, [root / total for root in roots])


_TABLE, _LIST, _JSON, _WRITE = SIGN["table"], SIGN["list"], SIGN["json"], SIGN["write"]
_HOW_MANY = (
    "how many", "how much", "what is the sum", "what is the value", "calculate", "compute",
    "wie viele", "combien", "cuánt", "quant", "сколько", "скільки", "kaç", "多少", "いくつ", "몇",
)  # fmt: skip


def format_of(reading: Reading, request: ChatRequest, task: TaskLabel) -> Format:
    """The shape of the answer that is asked for; `free` when nothing says."""
    if request.response_format != "text":
        return "json"
    options, counts = reading.options, reading.counts
    if options >= 3 or (options == 2 and not reading.distinct.isdisjoint(("option", "choice", "answer"))):
        return "choice"
    if task == "code" and counts[_WRITE]:
        return "code"
    if counts[_JSON]:
        return "json"
    if counts[_TABLE] and task != "code":
        return "table"
    low = reading.low
    if "one word" in low or "yes or no" in low or "true or false" in low or "one sentence" in low:
        return "short"
    if reading.questions and reading.size < 150 and any(phrase in low for phrase in _HOW_MANY):
        return "number"
    if counts[_LIST] and task not in ("code", "mathematics"):
        return "list"
    return "code" if task == "code" and reading.codelike > 2 else "free"
