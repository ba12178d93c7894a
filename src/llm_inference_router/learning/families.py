"""Which publicly measured model a name means, if any.

`find` answers with how sure it is, because a wrong match is worse than none: `gpt-4o-mini` is not `gpt-4o`, and
`llama-3-8b` is not `llama-3.1-8b`. The table is read at the first call, not at import.
"""

import math
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import combinations
from typing import Literal

from msgspec import Struct

from llm_inference_router.learning.leaderboard import Family as Family
from llm_inference_router.learning.leaderboard import table
from llm_inference_router.learning.spelling import Spelling, billions, same_date, spell, stem, words_of

Kind = Literal["exact", "variant", "family"]

# Words that change a model's size class: they may never be ignored.
TIERS = words_of("""
    nano micro mini tiny small medium large xl xxl huge haiku sonnet opus flash pro ultra max plus premier lite light
    air instant turbo next super express moe
""")
SOFT = frozenset({"chat", "preview", "beta", "alpha"})  # part of a few names, and said of many others
SPEED = frozenset({"turbo", "lite", "instant", "fast", "flash"})  # hosts add them to a model whose size is given
EFFORT = frozenset({"thinking", "high"})
# Words that make another model of the same family: what is known of the family still says something.
TRAITS = words_of("""
    coder code math maths vision vl multimodal audio omni search codex distill deep
    research realtime med medical sql prover
""")
# Words of models that do not answer requests at all.
OTHER_JOBS = words_of("""
    embed embedding embeddings embedder bge gte e5 rerank reranker reward rm prm guard safeguard shield shieldgemma
    moderation whisper tts asr transcribe stt speech dall dalle image images imagen video veo sora clip ocr diffusion
    minilm mpnet bert roberta colbert classifier draft speculator lora tokenizer
""")
BASES = frozenset({"llama", "mistral", "mixtral", "qwen", "yi", "gemma", "phi", "falcon", "internlm"})
FAR = math.log(4.0)  # sizes further apart say nothing about each other


class Match(Struct, frozen=True):
    """What a name means. `exact`: this very model. `variant`: the same model at another date, effort or fine-tuning
    (several when the name leaves it open). `family`: only relatives are known. `size` in billions, as the name says."""

    kind: Kind
    families: tuple[Family, ...]
    size: float | None


class Index(Struct, frozen=True):
    """A table made ready to be searched by the words, sizes and dates of names."""

    stems: frozenset[str]
    vocabulary: frozenset[str]
    cores: dict[tuple[frozenset[str], str], dict[str, Family]]  # words and size -> stamp -> model
    sized: dict[frozenset[str], list[tuple[str, Family]]]  # words -> size and model
    unversioned: dict[frozenset[str], list[tuple[Spelling, Family]]]


@lru_cache(maxsize=4096)
def find(name: str) -> Match | None:
    """The publicly measured model that this name means, or None when it is not known or not sure enough."""
    return find_in(_shipped(), name)


def find_in(index: Index, name: str) -> Match | None:
    """`find` in another table."""
    said = spell(name, index.stems)
    known = frozenset(word for word in said.words if stem(word) in index.vocabulary or word in TIERS)
    if said.words & OTHER_JOBS or not any(stem(word) in index.stems for word in known):
        return None
    rest = said.words - known
    ceiling: Kind = "family" if rest & TRAITS else "variant" if rest else "exact"
    return _of_words(index, known, said, ceiling) or _of_relatives(index, known, said)


@cache
def _shipped() -> Index:
    return index_of(table().families)


def index_of(families: Iterable[Family]) -> Index:
    """ValueError when two models claim one name."""
    families = tuple(families)
    names = (name for family in families for name in (family.name, *family.also))
    index = Index(frozenset(map(_first_word, names)), frozenset(), {}, {}, {})
    vocabulary: set[str] = set()
    for family in families:
        for name in (family.name, *family.also):
            said = spell(name, index.stems)
            taken = index.cores.setdefault((said.words, said.size), {}).setdefault(said.stamp, family)
            if taken is not family:
                raise ValueError(f"families.tsv: {name!r} of {family.name} already means {taken.name}")
            index.sized.setdefault(said.words, []).append((said.size, family))
            index.unversioned.setdefault(_unversioned(said.words), []).append((said, family))
            vocabulary.update(map(stem, said.words))
    return Index(index.stems, frozenset(vocabulary), index.cores, index.sized, index.unversioned)


def _first_word(name: str) -> str:
    """The family word of a name in the table: the one that a version number belongs to."""
    return next(word for word in name.split("-") if word not in TIERS | SOFT | TRAITS)


def _unversioned(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(stem, words))


def _of_words(index: Index, known: frozenset[str], said: Spelling, ceiling: Kind) -> Match | None:
    for words, kept in _readings(known, sized=bool(said.size)):
        if group := index.cores.get((words, said.size)):
            kind, families = _dated(group, said.stamp)
            return Match(_least(kind, ceiling, kept), families, billions(said.size))
    return None


def _readings(known: frozenset[str], *, sized: bool) -> Iterator[tuple[frozenset[str], Kind]]:
    """The words as said, then without some of those that may be ignored, fewest ignored first."""
    loose = sorted(known & (SOFT | EFFORT | (SPEED if sized else frozenset())))[:4]
    for count in range(len(loose) + 1):
        for dropped in combinations(loose, count):
            yield known.difference(dropped), "variant" if EFFORT.intersection(dropped) else "exact"


def _least(*kinds: Kind) -> Kind:
    return "family" if "family" in kinds else "variant" if "variant" in kinds else "exact"


def _dated(group: dict[str, Family], stamp: str) -> tuple[Kind, tuple[Family, ...]]:
    for other, family in group.items():
        if same_date(other, stamp):
            return "exact", (family,)
    if stamp and set(group) == {""}:  # the table keeps one line for every date of this model
        return "exact", (group[""],)
    return "variant", _each(group.values())


def _each(families: Iterable[Family]) -> tuple[Family, ...]:
    return tuple({family.name: family for family in families}.values())


def _of_relatives(index: Index, known: frozenset[str], said: Spelling) -> Match | None:
    size = billions(said.size)
    for words in _looser(index, known, size):
        near = _of_other_size(index, words, size) or _of_other_version(index, words, size)
        if near:
            return Match("family", near, size)
    return None


def _looser(index: Index, known: frozenset[str], size: float | None) -> Iterator[frozenset[str]]:
    yield from (words for words, _ in _readings(known, sized=size is not None))
    plain = known - TRAITS - SOFT - EFFORT
    yield plain
    stems = [word for word in plain if stem(word) in index.stems]
    if size is not None and len(stems) > 1:  # a fine-tune named after its base: what is known of the base
        yield from (frozenset({word}) for word in sorted(stems) if stem(word) in BASES and "@" in word)


def _of_other_size(index: Index, words: frozenset[str], size: float | None) -> tuple[Family, ...]:
    rows = index.sized.get(words, [])
    if size is None:
        several = any(_version(said.words) for said, _ in index.unversioned.get(words, []))
        return () if several else _each(family for written, family in rows if written)  # `llama` alone says too little
    near = [(abs(math.log(have / size)), family) for written, family in rows if (have := billions(written))]
    return _nearest(near)


def _nearest(near: list[tuple[float, Family]]) -> tuple[Family, ...]:
    best = min((far for far, _ in near), default=math.inf)
    return _each(family for far, family in near if far == best) if best <= FAR else ()


def _of_other_version(index: Index, words: frozenset[str], size: float | None) -> tuple[Family, ...]:
    """The nearest version of the same words. Nothing older than the oldest known: it was another kind of model."""
    rows = index.unversioned.get(_unversioned(words), [])
    version = _version(words)
    if not version:  # `llama-8b`: any version of that size
        same = [family for said, family in rows if size is not None and billions(said.size) == size]
        return _each(same)
    near = [(apart, family) for said, family in rows if (apart := _apart(version, size, said)) is not None]
    known = [_version(said.words) for said, _ in rows]
    if not any(other and all(a <= b for a, b in zip(other, version, strict=False)) for other in known):
        return ()
    best = min((apart for apart, _ in near), default=None)
    return _each(family for apart, family in near if apart == best)


def _apart(version: tuple[float, ...], size: float | None, said: Spelling) -> float | None:
    other, have = _version(said.words), billions(said.size)
    if len(other) != len(version) or (have is None) != (size is None):
        return None
    grown = abs(math.log(have / size)) if have is not None and size is not None else 0.0
    if grown > FAR:
        return None
    return grown + sum(abs(a - b) for a, b in zip(version, other, strict=True))


def _version(words: frozenset[str]) -> tuple[float, ...]:
    """Version numbers in the order of their words; empty when there are none or one is no number (`4o`)."""
    written = [word.partition("@")[2] for word in sorted(words) if "@" in word]
    try:
        return tuple(map(float, written))
    except ValueError:
        return ()
