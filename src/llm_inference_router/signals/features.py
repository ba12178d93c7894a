"""The features of complexity: what each one is, which part it belongs to, and which way it may push."""

from collections.abc import Iterable, Sequence
from math import log, log1p
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_inference_router.signals.lexicon import CATEGORIES
from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.vocabulary import COMMONEST
from llm_inference_router.types import Format

Part: TypeAlias = Literal["reasoning", "knowledge", "constraints", "context", "output"]
PARTS: tuple[Part, ...] = ("reasoning", "knowledge", "constraints", "context", "output")


class Feature(Struct, frozen=True):
    """`sign` is what the fit must respect: +1 only harder, -1 only easier, 0 either.

    `prior` is the weight, in logits, that was set by hand. The fit moves it as far as the data has
    something to say: there are no tools, schemas, pictures or long conversations in public benchmarks.
    """

    name: str
    part: Part
    sign: Literal[-1, 0, 1]
    prior: float


FEATURES: tuple[Feature, ...] = (
    # distinct words of a category, saturating
    Feature("prove", "reasoning", 1, 1.5),
    Feature("compare", "reasoning", 1, 0.8),
    Feature("explain", "reasoning", 1, 0.3),
    Feature("logic", "reasoning", 1, 0.5),
    Feature("story", "reasoning", 1, 0.3),
    Feature("maths", "reasoning", 1, 0.5),
    Feature("advmath", "reasoning", 1, 0.9),
    Feature("code", "reasoning", 1, 0.4),
    Feature("advcode", "reasoning", 1, 1.0),
    Feature("design", "reasoning", 1, 0.8),
    Feature("greet", "reasoning", -1, -1.5),
    Feature("lookup", "reasoning", -1, -1.2),
    Feature("service", "reasoning", -1, -0.6),
    Feature("classify", "reasoning", -1, -0.6),
    Feature("edit", "reasoning", -1, -0.5),
    Feature("translate", "reasoning", -1, -0.2),
    # structure of the reasoning
    Feature("brief", "reasoning", -1, -0.8),
    Feature("numbers", "reasoning", 1, 0.3),
    Feature("symbols", "reasoning", 1, 0.4),
    Feature("sentence_length", "reasoning", 1, 0.8),
    Feature("several_questions", "reasoning", 1, 0.3),
    Feature("task_reasoning", "reasoning", 1, 0.5),
    Feature("task_mathematics", "reasoning", 1, 0.5),
    Feature("task_code", "reasoning", 1, 0.5),
    Feature("task_chat", "reasoning", -1, -0.8),
    # specialist knowledge
    Feature("law", "knowledge", 1, 1.0),
    Feature("medicine", "knowledge", 1, 1.0),
    Feature("science", "knowledge", 1, 0.1),
    Feature("advscience", "knowledge", 1, 1.0),
    Feature("finance", "knowledge", 1, 0.6),
    Feature("humanities", "knowledge", 1, 0.5),
    Feature("long_words", "knowledge", 1, 0.6),
    Feature("uncommon_words", "knowledge", 1, 0.6),
    Feature("task_summarising", "knowledge", -1, -0.2),
    Feature("task_extraction", "knowledge", -1, -0.5),
    # constraints and format
    Feature("constraint", "constraints", 1, 0.8),
    Feature("steps", "constraints", 1, 0.5),
    Feature("bullets", "constraints", 1, 0.3),
    Feature("schema", "constraints", 1, 0.4),
    Feature("tools", "constraints", 1, 0.5),
    # length and context
    Feature("ask_length", "context", 1, 0.6),
    Feature("context_length", "context", 1, 0.8),
    Feature("turns", "context", 1, 0.4),
    Feature("quoted_code", "context", 1, 0.3),
    Feature("attachments", "context", 1, 0.3),
    Feature("gap_to_fill", "context", 1, 0.2),
    # expected output
    Feature("answer_length", "output", 1, 0.6),
    Feature("task_writing", "output", 0, 0.0),
    Feature("structured", "output", 1, 0.4),
    Feature("choice", "output", 0, 0.1),
    Feature("short", "output", -1, -0.4),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

# How many distinct words of a category bring its feature half way to 1.
_HALF = {
    "prove": 2.5, "compare": 3.0, "explain": 2.0, "logic": 5.0, "story": 3.0, "maths": 3.0, "advmath": 2.0,
    "code": 3.0, "advcode": 2.0, "design": 3.0,
    "greet": 1.0, "lookup": 3.0,
    "service": 2.0, "classify": 3.0, "edit": 3.0, "translate": 2.0,
    "law": 3.0, "medicine": 3.0, "science": 3.0, "advscience": 3.0, "finance": 3.0, "humanities": 3.0,
    "constraint": 4.0, "steps": 4.0,
}  # fmt: skip
# A greeting or a question word colours a short ask and is lost in a long one, and the subject of a text that is only
# to be shortened or sorted matters less than that of a question.
_PLAIN, _IF_BRIEF, _AS_SUBJECT = range(3)
_SCALES = {"greet": _IF_BRIEF, "lookup": _IF_BRIEF} | dict.fromkeys(
    ("law", "medicine", "science", "advscience", "finance", "humanities"), _AS_SUBJECT
)
# category -> its feature, words half way to 1, and scale; None for the categories that only tell the task
_SATURATING = tuple(
    (NAMES.index(name), _HALF[name], _SCALES.get(name, _PLAIN)) if name in _HALF else None for name in CATEGORIES
)
_STRUCTURED: dict[Format, float] = {"json": 0.7, "table": 1.0, "code": 0.5, "list": 0.3}

(
    _BRIEF, _NUMBERS, _SYMBOLS, _SENTENCE_LENGTH, _SEVERAL_QUESTIONS,
    _REASONING, _MATHEMATICS, _CODE, _CHAT, _SUMMARISING, _EXTRACTION, _WRITING,
    _LONG_WORDS, _UNCOMMON_WORDS, _BULLETS, _SCHEMA, _TOOLS,
    _ASK_LENGTH, _CONTEXT_LENGTH, _TURNS, _QUOTED_CODE, _ATTACHMENTS, _GAP_TO_FILL,
    _ANSWER_LENGTH, _STRUCTURE, _CHOICE, _SHORT,
) = map(NAMES.index, (
    "brief", "numbers", "symbols", "sentence_length", "several_questions",
    "task_reasoning", "task_mathematics", "task_code", "task_chat", "task_summarising", "task_extraction",
    "task_writing",
    "long_words", "uncommon_words", "bullets", "schema", "tools",
    "ask_length", "context_length", "turns", "quoted_code", "attachments", "gap_to_fill",
    "answer_length", "structured", "choice", "short",
))  # fmt: skip


class Surroundings(Struct, frozen=True):
    """What is known of a request beside the words of its ask."""

    context_chars: int = 0
    turns: int = 0
    attachments: int = 0
    tools: int = 0
    quoted_code: bool = False
    schema: bool = False


NOTHING_AROUND = Surroundings()


def features(
    reading: Reading,
    shares: Sequence[float],
    form: Format,
    tokens_out: int,
    around: Surroundings,
) -> list[tuple[int, float]]:
    """The features of a request as pairs of an index of `FEATURES` and a value above 0 and up to 1; most features
    of most requests are 0 and are left out.

    `shares` are the task's in the order of `task.LABELS`, `tokens_out` the expected length of the answer.
    """
    counts, size = reading.counts, reading.size
    enough = size / (size + 8.0)  # of words, for their mean to mean something
    mean_letters, uncommon = _words(reading)
    found = [
        (_BRIEF, 1.0 / (1.0 + size * size / 16.0)),
        (_SENTENCE_LENGTH, _clip(size / reading.sentences / 40.0)),
        (_CHAT, shares[0]),
        (_REASONING, shares[2]),
        (_MATHEMATICS, shares[3]),
        (_CODE, shares[4]),
        (_WRITING, shares[5]),
        (_EXTRACTION, shares[6]),
        (_SUMMARISING, shares[7]),
        (_LONG_WORDS, _clip((mean_letters - 3.5) / 4.0) * enough),
        (_UNCOMMON_WORDS, uncommon * enough),
        (_ASK_LENGTH, _clip(log1p(size) / 5.5)),
        (_ANSWER_LENGTH, _clip((log(tokens_out) - 2.5) / 5.0)),
    ]
    scales = (1.0, 1.0 / (1.0 + size * size / 64.0), 1.0 - 0.6 * (shares[6] + shares[7]))
    for category in reading.said:
        known = _SATURATING[category]
        if known is not None:
            index, half, scale = known
            found.append((index, counts[category] / (counts[category] + half) * scales[scale]))
    if reading.numbers:
        found.append((_NUMBERS, reading.numbers / (reading.numbers + 4.0)))
    if reading.symbols:
        found.append((_SYMBOLS, reading.symbols / (reading.symbols + 6.0)))
    if reading.questions > 1:
        found.append((_SEVERAL_QUESTIONS, _clip((reading.questions - 1) / 3.0)))
    if reading.bullets:
        found.append((_BULLETS, reading.bullets / (reading.bullets + 4.0)))
    if reading.blank:
        found.append((_GAP_TO_FILL, 1.0))
    if form != "free":
        found.append((_STRUCTURE, _STRUCTURED.get(form, 0.0)))
        if form == "choice":
            found.append((_CHOICE, 1.0))
        elif form == "short":
            found.append((_SHORT, 1.0))
    if around is not NOTHING_AROUND:
        found += (
            (_CONTEXT_LENGTH, _clip(log1p(around.context_chars / 400.0) / 6.0)),
            (_TURNS, around.turns / (around.turns + 8.0)),
            (_TOOLS, around.tools / (around.tools + 6.0)),
            (_SCHEMA, 1.0 if around.schema else 0.0),
            (_ATTACHMENTS, around.attachments / (around.attachments + 1.0)),
            (_QUOTED_CODE, 1.0 if around.quoted_code else 0.0),
        )
    return found


def vector(found: Iterable[tuple[int, float]]) -> list[float]:
    """All `FEATURES` in their order, from those that are not 0."""
    values = [0.0] * len(FEATURES)
    for index, value in found:
        values[index] = value
    return values


def _words(reading: Reading) -> tuple[float, float]:
    """Mean letters of a word, and the share of words outside the commonest; middling but in English."""
    distinct = len(reading.distinct)
    if not distinct or not reading.size or reading.language not in ("en", "und") or reading.script != "latin":
        return 4.9, 0.5
    return reading.letters / reading.size, 1.0 - reading.counts[COMMONEST] / distinct


def _clip(value: float) -> float:
    return value if 0.0 <= value <= 1.0 else 0.0 if value < 0.0 else 1.0
