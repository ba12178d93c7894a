"""One pass over a bounded window of text: its words, what they hint at, and the marks that carry
structure."""

import re
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from itertools import compress

from msgspec import Struct

from llm_inference_router.signals.language import Script, language_of, script_of
from llm_inference_router.signals.lexicon import CATEGORIES, CJK_TERMS, EXACT, STEMS_BY_START
from llm_inference_router.signals.vocabulary import FIRST_VOTE, LAST_VOTE, tally

# A word or a number: anything but white space, ASCII other than letters, digits and hyphens, and
# punctuation and pictures elsewhere. Negated classes, since \w lacks the vowel signs of Indic scripts.
_NO_WORD = (
    r"\u0080-\u00bf\u00d7\u00f7\u060c\u061b\u061f\u0964\u0965\u2000-\u2bff\u3000-\u303f\uff00-\uff20"
    r"\ud800-\uf8ff\ufe00-\ufe0f\ufff0-\uffff\U0001f000-\U0001ffff"
)
_WORD = re.compile(r"[^\s\x00-,./:-@\[-`{-\x7f" + _NO_WORD + "]+")
_BEYOND_ASCII = re.compile(r"[^\s\x00-\x7f" + _NO_WORD + "]")  # in a word
_LETTERS, _DIGITS = b"abcdefghijklmnopqrstuvwxyz", b"0123456789"
_BETWEEN_WORDS = bytes(code for code in range(128) if code not in _LETTERS + _DIGITS + b"-")
_SPACED = bytes.maketrans(_BETWEEN_WORDS, b" " * len(_BETWEEN_WORDS))  # what `_WORD` finds in ASCII, parted by spaces
_PLAIN = _LETTERS + b"- "
_PROSE = b".,?!:'\"\n"  # the marks of texts without code, formulas and options
_COMMAND = re.compile(r"\\[a-zA-Z]{2,12}")
_CODE = (
    "()", "def ", "return ", "=>", "::", ";\n", "{\n", "</", "import ", "#include", "public ", "const ", "select ",
    "):\n",
)  # fmt: skip
_CODE_WITH_MARKS = tuple((code, code.encode().translate(None, _PLAIN)) for code in _CODE)
_MATHS = b"=^+$<|"
_FOREIGN_MATHS = "√∑∫≤≥∞π×∈⁄²"
_FOREIGN_QUESTIONS, _FOREIGN_STOPS = "？؟", "。？।؟"
_FOREIGN = re.compile(f"[{_FOREIGN_MATHS}{_FOREIGN_QUESTIONS}{_FOREIGN_STOPS}]")
_INLINE_OPTIONS = ("(a)", "(b)", "(c)", "(d)", "(1)", "(2)", "(3)", "(4)")
_SPACELESS: dict[Script, int] = {"han": 2, "kana": 2, "thai": 4}
_DENSE: frozenset[Script] = frozenset(("han", "kana", "hangul"))
_DENSE_WINDOW = 360  # these say in it what 900 characters say elsewhere
_BLANK = re.compile(r"__| _[ .,]")
_EVERY_CATEGORY = range(len(CATEGORIES))


def _trie(terms: AbstractSet[str]) -> re.Pattern[str]:
    """An alternation grouped by first character, so that a position costs one look for most characters."""
    groups: dict[str, list[str]] = {}
    for term in terms:
        groups.setdefault(term[0], []).append(term[1:])
    branches = []
    for first, rests in sorted(groups.items()):
        tails = "|".join(re.escape(rest) for rest in sorted(rests, key=len, reverse=True))
        branches.append(re.escape(first) + (f"(?:{tails})" if any(rests) else ""))
    return re.compile("|".join(branches))


_CJK = _trie(CJK_TERMS.keys())


class Reading(Struct, frozen=True, gc=False):
    """`counts`: what the distinct words add up to, by field of `vocabulary`; its first are the categories, and
    `said` are those that have a word. `signs`: the ASCII marks in their order. `size`: words, or what a spaceless
    script says in as many English words."""

    low: str
    words: Sequence[str]
    distinct: AbstractSet[str]
    signs: bytes
    script: Script
    language: str
    counts: Sequence[int]
    said: Sequence[int]
    size: int
    letters: int
    spaces: int
    digits: int
    numbers: int
    symbols: int
    options: int
    bullets: int
    sentences: int
    questions: int
    codelike: int
    blank: bool


def read(window: str) -> Reading:
    """Everything that is counted in a window; its cost is linear in the window's length."""
    low = window.lower()
    script = script_of(low)
    if script in _DENSE and len(low) > _DENSE_WINDOW:
        low = low[: _DENSE_WINDOW // 2] + "\n" + low[-_DENSE_WINDOW // 2 :]
    ascii_only = low.isascii()
    raw = low.encode("ascii", "ignore")
    if ascii_only:
        # One translation and one split give the words that the expression finds, four times as fast.
        words = raw.translate(_SPACED).decode("ascii").split()
    elif _BEYOND_ASCII.search(low) is None:  # English with a dash or a typographic quote
        words = low.encode("ascii", "replace").translate(_SPACED).decode("ascii").split()
    else:
        words = _WORD.findall(low)
    # A text has few marks: whatever is asked of them is asked of this short string.
    marks = raw.translate(None, _PLAIN)
    signs = marks.translate(None, _DIGITS)
    distinct = set(words)
    rare = signs.translate(None, _PROSE)
    if rare and ((b"+" in rare and "c++" in low) or (b"#" in rare and "c#" in low)):
        distinct.add("c++")
    counts: Sequence[int] = tally(distinct)
    language = language_of(low, counts[FIRST_VOTE:LAST_VOTE], script)
    if language != "en":
        counts = _inflected(counts, distinct, low, script)
    letters = len("".join(words))
    per_word = _SPACELESS.get(script)
    numbers = digits = 0
    if len(signs) < len(marks):
        figures = [word for word in words if "0" <= word < ":"]  # begin with a digit
        numbers, digits = len(set(figures)), len("".join(figures))
    questions = signs.count(b"?")
    sentences = questions + 1
    if b"." in signs:
        sentences += low.count(". ") + low.count(".\n")
    options, bullets = _lines(low) if b"\n" in signs else (0, 0)
    symbols = codelike = 0
    blank = False
    if rare:
        symbols = len(rare) - len(rare.translate(None, _MATHS))
        if b"\\" in rare:
            symbols += 2 * len(_COMMAND.findall(low))
        if b"()" in signs:
            options = max(options, sum(map(low.count, _INLINE_OPTIONS)))
        if b"(" in rare or b"{" in rare or b";" in rare or b"=" in rare:
            for code, its_marks in _CODE_WITH_MARKS:
                if its_marks in signs:
                    codelike += low.count(code)
        blank = b"_" in rare and _BLANK.search(low) is not None
    if not ascii_only:
        foreign = _FOREIGN.findall(low)
        if foreign:
            symbols += sum(map(foreign.count, _FOREIGN_MATHS))
            questions += sum(map(foreign.count, _FOREIGN_QUESTIONS))
            sentences += sum(map(foreign.count, _FOREIGN_STOPS))
    return Reading(
        low,
        words,
        distinct,
        signs,
        script,
        language,
        counts,
        tuple(compress(_EVERY_CATEGORY, counts)),
        len(words) if per_word is None else max(1, letters // per_word),
        letters,
        raw.count(b" "),
        digits,
        numbers,
        symbols,
        options,
        bullets,
        sentences,
        questions,
        codelike,
        blank,
    )


def _inflected(counts: Sequence[int], distinct: Collection[str], low: str, script: Script) -> list[int]:
    """`counts` with the words that the table only has the stem of, and the terms of texts without spaces."""
    counts = list(counts)
    for category in stemmed(distinct, script):
        counts[category] += 1
    if script in _DENSE:
        for term in set(_CJK.findall(low)):
            counts[CJK_TERMS[term]] += 1
    return counts


def stemmed(words: Collection[str], script: Script) -> list[int]:
    """The categories of those `words` that are known by their stem alone."""
    starts = STEMS_BY_START.get
    semitic = script in ("arabic", "hebrew")
    found: list[int] = []
    for word in words:
        if word in EXACT:
            continue
        for stem, category in starts(word[:3], ()):
            if word.startswith(stem):
                found.append(category)
                break
        else:
            if semitic and len(word) > 3:  # the article and one-letter prefixes are written onto the word
                index = EXACT.get(word[2:] if word.startswith("ال") else word[1:])
                if index is not None:
                    found.append(index)
    return found


def _lines(low: str) -> tuple[int, int]:
    """How many lines are lettered options, and how many are items of a list."""
    options = bullets = 0
    for line in low.split("\n", 60)[:60]:
        start = line.lstrip()[:3]
        if len(start) < 3:
            continue
        first, second = start[0], start[1]
        if second in ").:" and first in "abcdefghij":
            options += 1
        elif (first in "-*•" and second == " ") or (first in "0123456789" and (second in ".)" or start[2] in ".)")):
            bullets += 1
        elif start == "opt" and "option " in line:
            options += 1
    return options, bullets
