"""The features of complexity: what each one is, which part it belongs to, and which way it may push."""

from math import log1p
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_inference_router.signals.lexicon import CATEGORIES
from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.shape import FIRST, SHAPES, shape
from llm_inference_router.signals.vocabulary import COMMONEST

Part: TypeAlias = Literal["reasoning", "knowledge", "constraints", "context", "output"]
PARTS: tuple[Part, ...] = ("reasoning", "knowledge", "constraints", "context", "output")


class Feature(Struct, frozen=True):
    """A number 0..1 (a few reach 1.4) and the part of complexity that it speaks for."""

    name: str
    part: Part


# What is known of a text's shape speaks for its context, but for these.
_SHAPE_PARTS: dict[str, Part] = {
    "digits": "reasoning", "dollars": "reasoning", "backslashes": "reasoning", "equals": "reasoning",
    "scripts": "reasoning", "percent": "reasoning", "says_function": "reasoning", "opens_find": "reasoning",
    "opens_given": "reasoning", "opens_how": "reasoning", "opens_why": "reasoning",
    "capitals": "knowledge", "titles": "knowledge", "opens_who": "knowledge", "opens_what": "knowledge",
    "opens_when": "knowledge", "opens_which": "knowledge", "opens_place": "knowledge",
    "asks_answer": "constraints", "offers_options": "constraints", "opens_exam": "constraints",
    "opens_make": "output", "opens_tell": "output", "says_sentence": "output",
}  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    # distinct words of a category, saturating
    Feature("prove", "reasoning"),
    Feature("compare", "reasoning"),
    Feature("explain", "reasoning"),
    Feature("logic", "reasoning"),
    Feature("story", "reasoning"),
    Feature("maths", "reasoning"),
    Feature("advmath", "reasoning"),
    Feature("code", "reasoning"),
    Feature("advcode", "reasoning"),
    Feature("design", "reasoning"),
    Feature("greet", "reasoning"),
    Feature("lookup", "reasoning"),
    Feature("service", "reasoning"),
    Feature("classify", "reasoning"),
    Feature("edit", "reasoning"),
    Feature("translate", "reasoning"),
    # structure of the reasoning
    Feature("brief", "reasoning"),
    Feature("numbers", "reasoning"),
    Feature("symbols", "reasoning"),
    Feature("sentence_length", "reasoning"),
    Feature("several_questions", "reasoning"),
    # specialist knowledge
    Feature("law", "knowledge"),
    Feature("medicine", "knowledge"),
    Feature("science", "knowledge"),
    Feature("advscience", "knowledge"),
    Feature("finance", "knowledge"),
    Feature("humanities", "knowledge"),
    Feature("long_words", "knowledge"),
    Feature("uncommon_words", "knowledge"),
    # constraints and format
    Feature("constraint", "constraints"),
    Feature("steps", "constraints"),
    Feature("bullets", "constraints"),
    Feature("schema", "constraints"),
    Feature("tools", "constraints"),
    # length and context
    Feature("ask_length", "context"),
    Feature("context_length", "context"),
    Feature("turns", "context"),
    Feature("quoted_code", "context"),
    Feature("attachments", "context"),
    Feature("gap_to_fill", "context"),
    # shape of the answer
    Feature("tiny", "reasoning"),
    Feature("codelike", "reasoning"),
    Feature("options", "constraints"),
    Feature("question", "context"),
    Feature("writes", "output"),
    Feature("summarises", "output"),
    *(Feature(name, _SHAPE_PARTS.get(name, "context")) for name in SHAPES),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

# What neither benchmarks nor short prompts hold: tools, schemas, pictures, long conversations. By judgement, in log
# odds of complexity for a whole unit of the feature; training keeps them.
JUDGED: dict[str, float] = {
    "tools": 0.9, "schema": 0.5, "turns": 0.5, "context_length": 0.8, "attachments": 0.4, "quoted_code": 0.4,
}  # fmt: skip

# How many distinct words of a category bring its feature half way to 1.
_HALF = {
    "prove": 2.5, "compare": 3.0, "explain": 2.0, "logic": 5.0, "story": 3.0, "maths": 3.0, "advmath": 2.0,
    "code": 3.0, "advcode": 2.0, "design": 3.0,
    "greet": 1.0, "lookup": 3.0,
    "service": 2.0, "classify": 3.0, "edit": 3.0, "translate": 2.0,
    "law": 3.0, "medicine": 3.0, "science": 3.0, "advscience": 3.0, "finance": 3.0, "humanities": 3.0,
    "constraint": 4.0, "steps": 4.0,
}  # fmt: skip
# A greeting or a question word colours a short ask and is lost in a long one.
_IF_BRIEF = frozenset(("greet", "lookup"))
_RENAMED = {"write": "writes", "summarise": "summarises"}
# category -> its feature, words half way to 1, and whether it fades with the length
_SATURATING = tuple(
    (NAMES.index(_RENAMED.get(name, name)), _HALF.get(name, 2.0), name in _IF_BRIEF) for name in CATEGORIES
)

assert NAMES.index(SHAPES[0]) == FIRST, "signals.shape gives its features another place"

(
    _BRIEF, _NUMBERS, _SYMBOLS, _SENTENCE_LENGTH, _SEVERAL_QUESTIONS,
    _LONG_WORDS, _UNCOMMON_WORDS, _BULLETS, _SCHEMA, _TOOLS,
    _ASK_LENGTH, _CONTEXT_LENGTH, _TURNS, _QUOTED_CODE, _ATTACHMENTS, _GAP_TO_FILL,
    _TINY, _CODELIKE, _OPTIONS, _QUESTION,
) = map(NAMES.index, (
    "brief", "numbers", "symbols", "sentence_length", "several_questions",
    "long_words", "uncommon_words", "bullets", "schema", "tools",
    "ask_length", "context_length", "turns", "quoted_code", "attachments", "gap_to_fill",
    "tiny", "codelike", "options", "question",
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


def features(window: str, reading: Reading, around: Surroundings) -> dict[int, float]:
    """The features of a request, by their index in `FEATURES` a value above 0; most features of most requests are 0 and
    are left out."""
    counts, size = reading.counts, reading.size
    enough = size / (size + 8.0)  # of words, for their mean to mean something
    mean_letters, uncommon = _words(reading)
    found = shape(window, reading)
    found[_BRIEF] = 1.0 / (1.0 + size * size / 16.0)
    found[_SENTENCE_LENGTH] = _clip(size / reading.sentences / 40.0)
    found[_LONG_WORDS] = _clip((mean_letters - 3.5) / 4.0) * enough
    found[_UNCOMMON_WORDS] = uncommon * enough
    found[_ASK_LENGTH] = _clip(log1p(size) / 5.5)
    fading = 1.0 / (1.0 + size * size / 64.0)
    for category in reading.said:
        index, half, fades = _SATURATING[category]
        share = counts[category] / (counts[category] + half)
        found[index] = share * fading if fades else share
    if reading.numbers:
        found[_NUMBERS] = reading.numbers / (reading.numbers + 4.0)
    if reading.symbols:
        found[_SYMBOLS] = reading.symbols / (reading.symbols + 6.0)
    if reading.codelike:
        found[_CODELIKE] = reading.codelike / (reading.codelike + 3.0)
    if reading.options >= 3:
        found[_OPTIONS] = 1.0
    if reading.questions:
        found[_QUESTION] = 1.0
        if reading.questions > 1:
            found[_SEVERAL_QUESTIONS] = _clip((reading.questions - 1) / 3.0)
    elif size <= 4:
        found[_TINY] = 1.0
    if reading.bullets:
        found[_BULLETS] = reading.bullets / (reading.bullets + 4.0)
    if reading.blank:
        found[_GAP_TO_FILL] = 1.0
    if around is not NOTHING_AROUND:
        found[_CONTEXT_LENGTH] = _clip(log1p(around.context_chars / 400.0) / 6.0)
        found[_TURNS] = around.turns / (around.turns + 8.0)
        found[_TOOLS] = around.tools / (around.tools + 6.0)
        found[_SCHEMA] = 1.0 if around.schema else 0.0
        found[_ATTACHMENTS] = around.attachments / (around.attachments + 1.0)
        found[_QUOTED_CODE] = 1.0 if around.quoted_code else 0.0
    return found


def _words(reading: Reading) -> tuple[float, float]:
    """Mean letters of a word, and the share of words outside the commonest; middling but in English."""
    distinct = len(reading.distinct)
    if not distinct or not reading.size or reading.language not in ("en", "und") or reading.script != "latin":
        return 4.9, 0.5
    return reading.letters / reading.size, 1.0 - reading.counts[COMMONEST] / distinct


def _clip(value: float) -> float:
    return value if 0.0 <= value <= 1.0 else 0.0 if value < 0.0 else 1.0
