"""Tokens in and tokens out, estimated without a tokenizer.

Characters per token were measured with the o200k_base vocabulary on about 980 prompts (Arena-Hard, MT-Bench and
our own): the estimate is within 6 % in sum for Latin and Cyrillic, and for English 4.0 to 4.1 characters per token
are what the billed costs of RouterBench (cl100k_base) and ParetoBandit (Gemini) imply. A prompt is never read whole:
its length is known, its make-up is that of the window.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import islice
from operator import mul
from typing import Any

from llm_inference_router.learning.lens import TASKS
from llm_inference_router.signals.language import Script
from llm_inference_router.signals.lexicon import NUMBER_WORDS
from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.vocabulary import SIGN
from llm_inference_router.signals.words import words
from llm_inference_router.types import ChatRequest, Quantiles
from llm_inference_router.vocabulary import Format, Modality, TaskLabel

# Characters per token by what the text is made of.
CHARS_PER_TOKEN: Mapping[str, float] = {
    "latin": 4.6,
    "accented": 4.15,
    "cyrillic": 3.45,
    "greek": 2.4,
    "hebrew": 2.6,
    "arabic": 2.9,
    "indic": 3.3,
    "thai": 2.2,
    "han": 1.35,
    "kana": 1.35,
    "hangul": 1.7,
    "none": 2.0,
}
_MIXED: frozenset[Script] = frozenset(("han", "kana", "thai", "none"))
_PLAIN = 2.8
_DENSE = 1.7  # digits, operators and punctuation
_MESSAGE = 4  # role and separators of one message
_REQUEST = 3
# Attachments at a flat rate; what they are at each model is worked out in `routing.attached`.
FLAT: Mapping[Modality, int] = {
    "text": 0,
    "image": 800,  # a middle-sized picture; providers charge 85 to 1,600
    "audio": 500,
    "file": 1500,  # one page: Anthropic counts 1,500 to 3,000 for each (build-with-claude/pdf-support)
}
_TOOL = 12  # a tool's frame, beside its schema
_TOOL_CHARS = 3.6
_TOOL_UNREAD = 120  # tokens of a tool beyond those whose size is measured
_TOOLS_MEASURED = 8
_DEPTH = 4


_DIGIT = re.compile("[0-9]")


def chars_per_token(reading: Reading) -> float:
    """Characters per token of text like the window that was read."""
    script = reading.script
    low = reading.low
    if not low:
        return CHARS_PER_TOKEN["latin"]
    letters = CHARS_PER_TOKEN["accented" if script == "latin" and not low.isascii() else script]
    if script in _MIXED:  # code and terms of art stay Latin inside these
        plain = len(low.encode("ascii", "ignore")) / len(low)
        return 1.0 / ((1.0 - plain) / letters + plain / _PLAIN)
    # Words keep their ratio, while digits and symbols are cut almost one by one.
    dense = 0.96 - (reading.letters - reading.digits + reading.spaces) / len(low)
    if dense < 0.0:
        dense = 0.0
    return 1.0 / ((1.0 - dense) / letters + dense / _DENSE)


def prompt_tokens(request: ChatRequest, chars: int, per_token: float) -> int:
    """Tokens of all messages (`chars` characters of text in all), their frames, attachments and tool
    schemas."""
    tokens = chars / per_token + _MESSAGE * len(request.messages) + _REQUEST + request.tokens
    for message in request.messages:
        if message.attachments:
            tokens += sum(FLAT[kind] for kind in message.attachments)
        tokens += 30 * message.tool_calls
    if request.tools:
        tokens += tool_tokens(request.body, request.tools)
    return int(tokens + 0.5) or 1


def tool_tokens(body: Mapping[str, Any], count: int) -> float:
    """Tokens of the tools' schemas: the first few are measured to a bounded depth, the others count as
    these do."""
    tools = body.get("tools") or body.get("functions")
    if not isinstance(tools, list) or not tools:
        return float(count * _TOOL_UNREAD)
    measured = tools[:_TOOLS_MEASURED]
    chars = sum(_size(tool, _DEPTH) for tool in measured)
    return len(tools) * (chars / _TOOL_CHARS / len(measured) + _TOOL)


def _size(value: Any, depth: int) -> int:
    if isinstance(value, str):
        return min(len(value), 2000) + 2
    if depth == 0:
        return 8
    if isinstance(value, dict):
        return sum(min(len(key), 80) + 4 + _size(item, depth - 1) for key, item in islice(value.items(), 24))
    if isinstance(value, list):
        return sum(_size(item, depth - 1) + 1 for item in value[:24])
    return 4


# --- the answer -------------------------------------------------------------------------------------------

# Median tokens of an answer by task. Where the data has them (mathematics, code, choice) they are medians
# of many models; the others are what current chat models write when nothing limits them.
_MEDIANS: Mapping[TaskLabel, int] = {
    "chat": 60,
    "question_answering": 180,
    "reasoning": 320,
    "mathematics": 300,
    "code": 420,
    "writing": 480,
    "extraction": 90,
    "summarising": 180,
    "agent": 140,
}
_MEDIAN = tuple(_MEDIANS[label] for label in TASKS)
_BY_FORMAT: Mapping[Format, int] = {
    "choice": 150,
    "number": 60,
    "short": 24,
    "json": 110,
    "table": 300,
    "list": 280,
}
_TERSE, _NUMBER, _UNIT = SIGN["terse"], SIGN["number"], SIGN["unit"]
_TERSE_TOKENS = 20
_SPREAD = 2.4  # p90 over p50 when nothing is asked for in figures

_UNIT_TOKENS = {
    "word": 1.35, "wort": 1.6, "wört": 1.6, "mot": 1.5, "pala": 1.5, "paro": 1.5, "слов": 2.0,
    "sent": 26, "satz": 28, "sätz": 28,
    "phra": 28, "oraci": 28, "fras": 28, "para": 110, "absa": 120, "page": 600, "seit": 600, "item": 22,
    "bull": 28, "poin": 28,
    "line": 14, "idea": 30, "exam": 60, "step": 40, "ques": 24, "reas": 40, "char": 0.3, "tip": 30,
    "vers": 60, "stan": 60,
    "字": 0.8, "词": 1.2, "句": 30,
}  # fmt: skip
_PHRASE = (
    r"\b(\d{1,5}|" + "|".join(NUMBER_WORDS) + r")(?:\s|-)(?:[a-z]{2,12}\s)?"
    r"(words?|wort|wörter\w*|mots|palabras|parole|palavras|слов\w*|sentences?|satz|sätzen?|phrases?|oraci\w+|"
    r"frases?|paragraphs?|absätz\w*|pages?|seiten|items?|bullets?|bullet points?|points?|lines?|ideas?|"
    r"examples?|steps?|questions?|reasons?|characters?|tips?|verses?|stanzas?)\b"
)
_ASCII_AMOUNT = re.compile(_PHRASE)
_AMOUNT = re.compile(_PHRASE + r"|(\d{1,5})\s?(字|词|句)")
# Every form of a unit in ASCII that `_AMOUNT` knows, how far before it its number can begin ("hundred", a word of
# twelve letters, and what parts them), and how far behind it what ends it ("s" and one more character).
_FORMS = words(
    "word words wort mots palabras parole palavras sentence sentences satz phrase phrases oracion oraciones frase "
    "frases paragraph paragraphs page pages seiten item items bullet bullets point points line lines idea ideas "
    "example examples step steps question questions reason reasons character characters tip tips verse verses "
    "stanza stanzas"
)
_BEFORE, _BEHIND = 21, 2


@lru_cache(maxsize=256)
def _tokens_of(unit: str) -> float | None:
    return next((tokens for start, tokens in _UNIT_TOKENS.items() if unit.startswith(start)), None)


def asked_amount(low: str) -> float | None:
    """Tokens that a lower-cased ask names in words, sentences, pages or items; None when it names none."""
    best: float | None = None
    for number, unit, cjk_number, cjk_unit in _AMOUNT.findall(low):
        tokens = int(cjk_number) * _UNIT_TOKENS[cjk_unit] if cjk_number else _tokens(number, unit)
        if tokens is not None:
            best = max(best or 0.0, tokens)
    return best


def asked_amount_near_units(low: str, distinct: AbstractSet[str]) -> float | None:
    """As `asked_amount`, for an ask with its distinct words: only the text around its units is searched, since an
    expression walks through a text forty times as slowly as a search for a fixed word."""
    units = _FORMS & distinct
    if "-" in low or not low.isascii():
        joined = "-".join(distinct)  # "500-word" is one word elsewhere
        if not joined.isascii():
            return asked_amount(low)
        units = _FORMS.intersection(joined.split("-"))
    stretches: list[tuple[int, int]] = []
    for unit in units:
        at = low.find(unit)
        while at >= 0:
            stretches.append((at - _BEFORE, at + len(unit) + _BEHIND))
            at = low.find(unit, at + 1)
    stretches.sort()
    best: float | None = None
    while stretches:
        start, end = stretches.pop()
        while stretches and stretches[-1][1] >= start:  # overlapping ones are searched as one
            start, end = stretches[-1][0], max(stretches.pop()[1], end)
        for match in _ASCII_AMOUNT.finditer(low, start, end):
            tokens = _tokens(match[1], match[2])
            if tokens is not None and (best is None or tokens > best):
                best = tokens
    return best


def _tokens(number: str, unit: str) -> float | None:
    each = _tokens_of(unit)
    return None if each is None else (NUMBER_WORDS.get(number) or int(number)) * each


def output_tokens(
    shares: Sequence[float],
    form: Format,
    reading: Reading,
    depth: float,
    request: ChatRequest,
) -> Quantiles:
    """Expected tokens of one answer (of each, where several are asked for); neither exceeds `max_tokens`.

    `shares` are the task's in the order of `learning.lens.TASKS`.
    `depth` (0..1) is how demanding the reasoning is: long chains of it write long answers.
    """
    counts = reading.counts
    amount = None
    if counts[_UNIT]:
        if counts[_NUMBER] or reading.numbers or "-" in reading.low:  # "two-word" is neither a number nor a unit
            amount = asked_amount_near_units(reading.low, reading.distinct)
    elif reading.script in ("han", "kana") and _DIGIT.search(reading.low):  # a number stands within its word there
        amount = asked_amount(reading.low)
    if amount is not None:
        middle, spread = max(8.0, amount * 1.05), 1.5
    else:
        middle = sum(map(mul, _MEDIAN, shares))
        if form == "choice" and counts[_TERSE]:
            middle = _TERSE_TOKENS
        elif form in _BY_FORMAT:
            middle = 0.35 * middle + 0.65 * _BY_FORMAT[form]
        middle *= 0.6 + 0.9 * depth
        spread = _SPREAD
    p50, p90 = int(middle) or 1, int(middle * spread) or 1
    limit = request.max_tokens
    if limit is not None and p90 > limit:
        p50, p90 = min(p50, max(1, limit)), max(1, limit)
    return Quantiles(p50, p90)
