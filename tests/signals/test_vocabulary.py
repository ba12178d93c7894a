"""One sum over words against counting them one by one."""

from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.signals.language import VOTES
from llm_inference_router.signals.lexicon import CATEGORIES, COMMON, EXACT, SIGNS
from llm_inference_router.signals.vocabulary import COMMONEST, ENTRIES, FIELDS, FIRST_VOTE, LAST_VOTE, SIGN, tally


@given(st.frozensets(st.sampled_from([*sorted(ENTRIES), "xqzt", "", "🙂"])))
def test_a_tally_counts_each_field(distinct: frozenset[str]) -> None:
    counts = tally(distinct)
    assert len(counts) == FIELDS
    for category in range(len(CATEGORIES)):
        assert counts[category] == sum(EXACT.get(word) == category for word in distinct)
    for language in range(LAST_VOTE - FIRST_VOTE):
        assert counts[FIRST_VOTE + language] == sum(dict(VOTES.get(word, ())).get(language, 0) for word in distinct)
    assert counts[COMMONEST] == len(distinct & COMMON)
    for name, listed in SIGNS.items():
        assert counts[SIGN[name]] == len(distinct & listed)


def test_not_even_all_words_together_overflow_a_field() -> None:
    whole = tally(ENTRIES)
    assert whole[FIRST_VOTE:LAST_VOTE] == tuple(
        sum(dict(votes).get(language, 0) for votes in VOTES.values()) for language in range(LAST_VOTE - FIRST_VOTE)
    )
    assert whole[COMMONEST] == len(COMMON)
    assert sum(whole[: len(CATEGORIES)]) == len(EXACT)
