"""WordPiece as uncased BERT does it: a word's pieces, longest match first.

After Devlin et al., "BERT" (2019), section 3, and the `BertNormalizer`, `BertPreTokenizer` and `WordPiece` of
Hugging Face's tokenizers library, with which tests/learning/test_wordpiece.py compares it.
"""

import unicodedata
from collections.abc import Mapping

LONGEST_WORD = 100  # characters; BERT calls anything longer unknown
# The blocks that BERT's own code parts character by character, with its gap at 2B820.
_CJK = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
_ASCII_SYMBOLS = frozenset("$+<=>^`|~")  # not of Unicode's category P, but punctuation to BERT


class WordPiece:
    """`heads` begin a word, `tails` go on with it (written without BERT's `##`); both map text to an id."""

    __slots__ = ("_heads", "_longest", "_tails")

    def __init__(self, heads: Mapping[str, int], tails: Mapping[str, int]) -> None:
        self._heads = heads
        self._tails = tails
        self._longest = max(map(len, (*heads, *tails)), default=0)

    def pieces(self, word: str) -> tuple[int, ...]:
        """The ids of the pieces of `word`, which may also hold several words. What the vocabulary cannot spell
        has none: BERT's [UNK] is left out. Nothing is remembered here; `Embedding` remembers what comes of it."""
        if word.isascii() and word.isalnum():
            return self._match(word.lower())
        return tuple(piece for part in parts(word) for piece in self._match(part))

    def _match(self, part: str) -> tuple[int, ...]:
        whole = self._heads.get(part)
        if whole is not None:
            return (whole,)
        size = len(part)
        if size > LONGEST_WORD:
            return ()
        found: list[int] = []
        known = self._heads
        start = 0
        while start < size:
            for end in range(min(size, start + self._longest), start, -1):
                piece = known.get(part[start:end])
                if piece is not None:
                    break
            else:
                return ()
            found.append(piece)
            known = self._tails
            start = end
        return tuple(found)


def parts(text: str) -> list[str]:
    """`text` in lower case, without accents and control characters, parted at white space, punctuation and
    CJK characters; each of the last two is a part of its own."""
    kept: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        category = unicodedata.category(character)
        if category == "Mn" or character == "\ufffd":
            continue
        if character.isspace() and (category[0] == "Z" or character in "\t\n\r"):
            kept.append(" ")
        elif category[0] == "P" or character in _ASCII_SYMBOLS or _is_cjk(ord(character)):
            kept.append(f" {character} ")
        elif category[0] != "C":
            # One by one, since a whole word's lower case ends in another sigma.
            kept.append(character.lower())
    return "".join(kept).split()


def _is_cjk(code: int) -> bool:
    return code >= 0x3400 and any(first <= code <= last for first, last in _CJK)
