"""Keywords as whole words, in any case and any script.

Text and keywords are compared after compatibility normalisation and full case folding (NFKC, Unicode chapter
3.13 D144), so `STRASSE` finds `straße` and full-width letters find their plain twins. A word border stands
beside anything that is no letter, digit, mark or underscore. Scripts written without spaces have no borders
to look for, and Korean glues particles to its nouns: beside their characters every place counts as a border,
so keywords there match inside text. A space in a keyword is any run of white space. The search is one linear
pass (google-re2), whatever the text.
"""

from collections.abc import Callable, Sequence
from unicodedata import is_normalized, normalize

import re2

_WORD = r"\pL\pN\pM_"
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_BORDER = rf"[^{_WORD}]|[{_UNSPACED}]"
_STARTS_BORDERED = re2.compile(rf"^(?:{_BORDER})")
_ENDS_BORDERED = re2.compile(rf"(?:{_BORDER})$")


def fold(text: str) -> bytes:
    """A text as keywords are compared, in UTF-8. A lone surrogate, which UTF-8 cannot hold, becomes a
    question mark.
    """
    if text.isascii():
        return text.lower().encode()
    folded = text.casefold()
    if not is_normalized("NFKC", folded):
        folded = normalize("NFKC", folded).casefold()
    return folded.encode("utf-8", "replace")


def compile_keywords(keywords: Sequence[str]) -> Callable[[bytes], bool]:
    """A test of a folded text: does any of the keywords stand in it? No keywords are in no text."""
    words = [words for keyword in keywords if (words := fold(keyword).decode().split())]
    if not words:
        return lambda folded: False
    search = re2.compile("|".join(map(_expression, words))).search
    return lambda folded: search(folded) is not None


def _expression(words: list[str]) -> str:
    # Only whether there is a match is asked, never where, so a border may be consumed: RE2 has no
    # look-around.
    inner = r"[\s\pZ]+".join(map(re2.escape, words))
    before = "" if _STARTS_BORDERED.search(words[0]) else rf"(?:^|{_BORDER})"
    after = "" if _ENDS_BORDERED.search(words[-1]) else rf"(?:$|{_BORDER})"
    return f"{before}{inner}{after}"
