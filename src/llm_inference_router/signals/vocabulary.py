"""What is known of every word, in one table, so that one sum over the words of a text counts everything at once.

An entry packs a number for each field, 16 bits wide, into one integer. No field overflows into the next, since the
words of a text are distinct and all entries together stay below 2**16 in each field.
"""

from collections.abc import Collection, Mapping
from itertools import repeat
from struct import Struct

from llm_inference_router.signals.language import VOTES
from llm_inference_router.signals.lexicon import CATEGORIES, COMMON, EXACT, SIGNS

# The fields: categories of words, votes for languages, common words, and signs of the answer that is asked for.
FIRST_VOTE = len(CATEGORIES)
LAST_VOTE = FIRST_VOTE + 1 + max(i for votes in VOTES.values() for i, _ in votes)
COMMONEST = LAST_VOTE
SIGN: Mapping[str, int] = {name: COMMONEST + 1 + i for i, name in enumerate(SIGNS)}
FIELDS = COMMONEST + 1 + len(SIGNS)

_UNPACK = Struct(f"<{FIELDS}H").unpack
_BYTES = 2 * FIELDS


def _entries() -> dict[str, int]:
    entries: dict[str, int] = {}

    def add(word: str, field: int, number: int = 1) -> None:
        entries[word] = entries.get(word, 0) + (number << 16 * field)

    for word, category in EXACT.items():
        add(word, category)
    for word, votes in VOTES.items():
        for language, vote in votes:
            add(word, FIRST_VOTE + language, vote)
    for word in COMMON:
        add(word, COMMONEST)
    for name, listed in SIGNS.items():
        for word in listed:
            add(word, SIGN[name])
    # Words with equal entries share one object: a smaller table stays in the processor's cache.
    same: dict[int, int] = {}
    return {word: same.setdefault(entry, entry) for word, entry in entries.items()}


ENTRIES = _entries()
_ENTRY = ENTRIES.get
_NOTHING = repeat(0)


def tally(distinct: Collection[str]) -> tuple[int, ...]:
    """What distinct lower-case words add up to, field by field."""
    # A loop without bytecode: three calls, whatever the number of words.
    packed: int = sum(map(_ENTRY, distinct, _NOTHING))
    return _UNPACK(packed.to_bytes(_BYTES, "little"))
