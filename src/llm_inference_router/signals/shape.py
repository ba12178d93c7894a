"""What a text looks like before any of its words is understood: case, digits, marks, how it begins and ends.

The same question is asked in many wordings, but exams, chats, code and formulas each look like themselves.
"""

from collections.abc import Sequence
from math import log1p

from llm_inference_router.signals.reading import Reading
from llm_inference_router.signals.words import words

# Each opening is a feature of its own: what a text begins with tells a question from an order and from a story.
OPENINGS: dict[str, frozenset[str]] = {
    "opens_who": words("who whom whose"),
    "opens_what": words("what what's whats"),
    "opens_when": words("when where"),
    "opens_which": words("which"),
    "opens_how": words("how"),
    "opens_why": words("why"),
    "opens_make": words("write create implement make generate develop build design draft compose"),
    "opens_find": words("find compute calculate evaluate determine solve simplify prove show"),
    "opens_given": words("let suppose given consider assume if"),
    "opens_place": words("in on at for from during"),
    "opens_article": words("a an the there"),
    "opens_whether": words("is are was were does do did can could has should would will"),
    "opens_tell": words("explain describe discuss tell give list"),
    "opens_exam": words("question q context read complete passage statement answer"),
}
SHAPES: tuple[str, ...] = (
    "lines", "longest_line", "capitals", "titles", "digits", "dollars", "backslashes", "equals", "scripts",
    "quotes", "commas", "brackets", "variety", "fenced", "starts_small", "ends_asking", "ends_colon", "ends_stop",
    "asks_answer", "offers_options", "percent", "says_function", "says_sentence", *OPENINGS,
)  # fmt: skip
FIRST = 46  # the place of the first of them among the features of `signals.features`, which holds it against its own
(
    _LINES, _LONGEST_LINE, _CAPITALS, _TITLES, _DIGITS, _DOLLARS, _BACKSLASHES, _EQUALS, _SCRIPTS,
    _QUOTES, _COMMAS, _BRACKETS, _VARIETY, _FENCED, _STARTS_SMALL, _ENDS_ASKING, _ENDS_COLON, _ENDS_STOP,
    _ASKS_ANSWER, _OFFERS_OPTIONS, _PERCENT, _SAYS_FUNCTION, _SAYS_SENTENCE,
) = range(FIRST, FIRST + len(SHAPES) - len(OPENINGS))  # fmt: skip
_OPENING = {word: FIRST + SHAPES.index(name) for name, opening in OPENINGS.items() for word in opening}
_UPPER = bytes(range(65, 91))
_LOWER_THEN_UPPER = bytes.maketrans(_UPPER, b"A" * 26)
_ENDS = {"?": _ENDS_ASKING, "？": _ENDS_ASKING, ":": _ENDS_COLON, ".": _ENDS_STOP, "。": _ENDS_STOP}
_STRIP = " \t\n\r\"'([{*#>-"
_ANSWER_CHARS = 60  # an exam's last line
_FEW = [log1p(n) / 3.0 for n in range(64)]  # of a mark: few matter, many hardly more
_DOLLAR, _BACKSLASH, _EQUAL, _QUOTE, _COMMA, _BRACKET, _PERCENT_SIGN, _CARET, _LINE_END = b'$\\=",(%^\n'
_COUNTED = {
    _LINE_END: _LINES,
    _DOLLAR: _DOLLARS,
    _BACKSLASH: _BACKSLASHES,
    _EQUAL: _EQUALS,
    _QUOTE: _QUOTES,
    _COMMA: _COMMAS,
    _BRACKET: _BRACKETS,
}


def shape(window: str, reading: Reading) -> dict[int, float]:
    """By `FIRST` and an index of `SHAPES` a value above 0 and up to about 1; those at 0 are left out."""
    low = reading.low
    found: dict[int, float] = {}
    text = window.strip()
    if not text:
        return found
    raw = text.encode("ascii", "replace")
    size = len(raw)
    marks = reading.signs
    for mark in set(marks):
        index = _COUNTED.get(mark)
        if index is not None:
            number = marks.count(mark)
            found[index] = _FEW[number] if number < 64 else 1.4
    capitals = size - len(raw.translate(None, _UPPER))
    if capitals:
        found[_CAPITALS] = 5.0 * capitals / size if 5 * capitals < size else 1.0
        if reading.size:
            titles = raw.translate(_LOWER_THEN_UPPER).count(b" A")
            if titles:
                found[_TITLES] = titles / reading.size if titles < reading.size else 1.0
    if reading.digits:
        found[_DIGITS] = min(1.0, 8.0 * reading.digits / size)
    scripts = marks.count(_CARET) + marks.count(b"_")
    if scripts:
        found[_SCRIPTS] = _FEW[min(scripts, 63)]
    if _PERCENT_SIGN in marks:
        found[_PERCENT] = 1.0
    if _LINE_END in marks:
        found[_LONGEST_LINE] = log1p(max(map(len, text.split("\n")))) / 7.0
        if "```" in text:
            found[_FENCED] = 1.0
    else:
        found[_LONGEST_LINE] = log1p(len(text)) / 7.0
    if reading.words:
        found[_VARIETY] = len(reading.distinct) / len(reading.words)
    if text[0].islower():
        found[_STARTS_SMALL] = 1.0
    end = _ENDS.get(text[-1])
    if end is not None:
        found[end] = 1.0
    if "answer" in low[-_ANSWER_CHARS:]:
        found[_ASKS_ANSWER] = 1.0
    if "option" in low or "choice" in low:
        found[_OFFERS_OPTIONS] = 1.0
    if "function" in low:
        found[_SAYS_FUNCTION] = 1.0
    if "sentence" in low:
        found[_SAYS_SENTENCE] = 1.0
    opening = _OPENING.get(_first_word(low))
    if opening is not None:
        found[opening] = 1.0
    return found


def _first_word(low: str) -> str:
    start: Sequence[str] = low[:48].lstrip(_STRIP).split(None, 1)
    return start[0].rstrip(",:;.?!") if start else ""
