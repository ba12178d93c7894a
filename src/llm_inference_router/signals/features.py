"""The features of complexity: what each one is, which part it belongs to, and which way it may push."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from llm_inference_router.signals.lexicon import COMMON, INDEX
from llm_inference_router.signals.reading import Reading
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


# The order is that of `vector`.
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
_SATURATING = tuple((INDEX[name], half) for name, half in _HALF.items())


class Surroundings(Struct, frozen=True):
    """What is known of a request beside the words of its ask."""

    context_chars: int = 0
    turns: int = 0
    attachments: int = 0
    tools: int = 0
    quoted_code: bool = False
    schema: bool = False


def vector(
    reading: Reading,
    probabilities: Sequence[float],
    form: Format,
    tokens_out: int,
    around: Surroundings,
) -> list[float]:
    """The features of a request, each within 0..1, in the order of `FEATURES`.

    `probabilities` are the task's in the order of `task.LABELS`, `tokens_out` the expected length of the
    answer.
    """
    hits = reading.hits
    size = reading.size
    said = [hits[index] / (hits[index] + half) for index, half in _SATURATING]
    # A greeting or a question word colours a short ask and is lost in a long one.
    brief = 1.0 / (1.0 + (size / 8.0) ** 2)
    # The subject of a text that is only to be shortened or sorted matters less than that of a question.
    subject = 1.0 - 0.6 * (probabilities[6] + probabilities[7])
    enough = size / (size + 8.0)  # of words, for their mean to mean something
    mean_letters, uncommon = _words(reading)
    symbols = reading.symbols + 2 * reading.commands
    return [
        *said[:10],
        said[10] * brief,
        said[11] * brief,
        *said[12:16],
        1.0 / (1.0 + (size / 4.0) ** 2),
        reading.numbers / (reading.numbers + 4.0),
        symbols / (symbols + 6.0),
        _clip(size / reading.sentences / 40.0),
        _clip((reading.questions - 1) / 3.0),
        probabilities[2],
        probabilities[3],
        probabilities[4],
        probabilities[0],
        *[share * subject for share in said[16:22]],
        _clip((mean_letters - 3.5) / 4.0) * enough,
        uncommon * enough,
        probabilities[7],
        probabilities[6],
        said[22],
        said[23],
        reading.bullets / (reading.bullets + 4.0),
        1.0 if around.schema else 0.0,
        around.tools / (around.tools + 6.0),
        _clip(math.log1p(size) / 5.5),
        _clip(math.log1p(around.context_chars / 400.0) / 6.0),
        around.turns / (around.turns + 8.0),
        1.0 if around.quoted_code else 0.0,
        around.attachments / (around.attachments + 1.0),
        1.0 if reading.blank else 0.0,
        _clip((math.log(tokens_out) - 2.5) / 5.0),
        probabilities[5],
        _STRUCTURED.get(form, 0.0),
        1.0 if form == "choice" else 0.0,
        1.0 if form == "short" else 0.0,
    ]


def _words(reading: Reading) -> tuple[float, float]:
    """Mean letters of a word, and the share of words outside the commonest; middling but in English."""
    words = reading.distinct
    if not words or not reading.size or reading.language not in ("en", "und") or reading.script != "latin":
        return 4.9, 0.5
    return reading.letters / reading.size, 1.0 - len(words & COMMON) / len(words)


_STRUCTURED: dict[Format, float] = {"json": 0.7, "table": 1.0, "code": 0.5, "list": 0.3}


def _clip(value: float) -> float:
    return max(0.0, min(value, 1.0))
