"""One pass over a bounded window of text: its words, what they hint at, and the marks that carry
structure."""

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet

from msgspec import Struct

from llm_inference_router.signals.language import Script, language_of, script_of
from llm_inference_router.signals.lexicon import CATEGORIES, CJK_TERMS, EXACT, STEMS_BY_START

# A word or a number: anything but white space, ASCII other than letters, digits and hyphens, and
# punctuation and pictures elsewhere. A negated class, since \w lacks the vowel signs of Indic scripts.
_WORD = re.compile(
    r"[^\s\x00-,./:-@\[-`{-\x7f\u0080-\u00bf\u00d7\u00f7\u060c\u061b\u061f\u0964\u0965\u2000-\u2bff\u3000-\u303f\uff00-\uff20"
    r"\ud800-\uf8ff\ufe00-\ufe0f\ufff0-\uffff\U0001f000-\U0001ffff]+"
)
_COMMAND = re.compile(r"\\[a-zA-Z]{2,12}")
_CODE = (
    "()",
    "def ",
    "return ",
    "=>",
    "::",
    ";\n",
    "{\n",
    "</",
    "import ",
    "#include",
    "public ",
    "const ",
    "select ",
    "):\n",
)
_MATHS = ("=", "^", "+", "$", "<", "|")
_FOREIGN_MATHS = ("√", "∑", "∫", "≤", "≥", "∞", "π", "×", "∈", "⁄", "²")
_INLINE_OPTIONS = ("(a)", "(b)", "(c)", "(d)", "(1)", "(2)", "(3)", "(4)")
_SPACELESS: dict[Script, int] = {"han": 2, "kana": 2, "thai": 4}
_DENSE: frozenset[Script] = frozenset(("han", "kana", "hangul"))
_DENSE_WINDOW = 360  # these say in it what 900 characters say elsewhere
_BLANK = re.compile(r"__| _[ .,]")


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


class Reading(Struct, frozen=True):
    """`hits[i]`: distinct words of category i. `size`: words, or what a spaceless script says in as many
    English words."""

    low: str
    distinct: AbstractSet[str]
    script: Script
    language: str
    hits: tuple[int, ...]
    size: int
    letters: int
    spaces: int
    digits: int
    numbers: int
    symbols: int
    commands: int
    options: int
    bullets: int
    sentences: int
    questions: int
    clauses: int
    codelike: int
    blank: bool


def lookup(words: Collection[str], script: Script, into: list[int], *, stems: bool = True) -> None:
    """Adds the number of `words` in each category to `into`; `stems` False leaves out the languages that
    inflect."""
    exact, starts = EXACT.get, STEMS_BY_START.get
    if not stems:
        for word in words:
            index = exact(word)
            if index is not None:
                into[index] += 1
        return
    semitic = script in ("arabic", "hebrew")
    for word in words:
        index = exact(word)
        if index is None:
            for stem, category in starts(word[:3], ()):
                if word.startswith(stem):
                    index = category
                    break
            else:
                if semitic and len(word) > 3:  # the article and one-letter prefixes are written onto the word
                    index = exact(word[2:] if word.startswith("ال") else word[1:])
        if index is not None:
            into[index] += 1


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


def read(window: str) -> Reading:
    """Everything that is counted in a window; its cost is linear in the window's length."""
    low = window.lower()
    script = script_of(low)
    if script in _DENSE and len(low) > _DENSE_WINDOW:
        low = low[: _DENSE_WINDOW // 2] + "\n" + low[-_DENSE_WINDOW // 2 :]
    words = _WORD.findall(low)
    distinct = set(words)
    language = language_of(low, distinct, script)
    if "c++" in low or "c#" in low:
        distinct.add("c++")
    hits = [0] * len(CATEGORIES)
    lookup(distinct, script, hits, stems=language != "en")
    if script in ("han", "kana", "hangul"):
        for term in set(_CJK.findall(low)):
            hits[CJK_TERMS[term]] += 1
    count = low.count
    spaces = count(" ")
    letters = sum(map(len, words))
    per_word = _SPACELESS.get(script)
    size = len(words) if per_word is None else max(1, letters // per_word)
    symbols = sum(map(count, _MATHS))
    questions = count("?")
    sentences = count(". ") + count(".\n") + questions + 1
    clauses = count(",")
    if not low.isascii():
        symbols += sum(map(count, _FOREIGN_MATHS))
        questions += count("？") + count("؟")
        sentences += count("。") + count("？") + count("।") + count("؟")
        clauses += count("，") + count("、") + count("،")
    numbers = sum([1 for word in distinct if "0" <= word[0] <= "9"])
    options, bullets = _lines(low) if "\n" in low else (0, 0)
    if "(" in low:
        options = max(options, sum(map(count, _INLINE_OPTIONS)))
    return Reading(
        low=low,
        distinct=distinct,
        script=script,
        language=language,
        hits=tuple(hits),
        size=size,
        letters=letters,
        spaces=spaces,
        digits=sum([len(word) for word in words if "0" <= word[0] <= "9"]) if numbers else 0,
        numbers=numbers,
        symbols=symbols,
        commands=len(_COMMAND.findall(low)) if "\\" in low else 0,
        options=options,
        bullets=bullets,
        sentences=sentences,
        questions=questions,
        clauses=clauses,
        codelike=sum(map(count, _CODE)) if "(" in low or "{" in low or ";" in low or "=" in low else 0,
        blank="_" in low and _BLANK.search(low) is not None,
    )
