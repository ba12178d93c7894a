"""Judging: blind, in both orders, and nothing is a label that was not read."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.evaluation.judging import (
    SCHEMA,
    Seen,
    Winner,
    judged_body,
    read_verdict,
    score_of,
    settled,
    tally,
)

WINNERS: tuple[Winner, ...] = ("first_is_better", "second_is_better", "equally_good")
TURNED: dict[Winner, Winner] = {
    "first_is_better": "second_is_better",
    "second_is_better": "first_is_better",
    "equally_good": "equally_good",
}
ASK = [{"role": "user", "content": "What is two and two?"}]


def seen(first: Winner | None, second: Winner | None, prompt: str = "p") -> Seen:
    return Seen(prompt, "four", "five", first, second, (True, True))


@pytest.mark.parametrize("winner", WINNERS)
def test_a_verdict_of_the_schema_is_read(winner: Winner) -> None:
    text = json.dumps({"winner": winner})
    assert read_verdict(text) == winner
    assert read_verdict(f"\n {text} \n") == winner
    assert read_verdict(f"```json\n{text}\n```") == winner
    assert winner in SCHEMA["properties"]["winner"]["enum"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "first_is_better",
        '{"winner": "first"}',
        '{"winner": null}',
        '{"winner": "first_is_better", "why": "shorter"}',
        '{"winner": "first_is_better"} because it is shorter',
        '[{"winner": "first_is_better"}]',
        '{"winner": "first_is_better"',
        "\ud800",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert read_verdict(text) is None


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    assert read_verdict(text) in (None, *WINNERS)


def test_both_orders_agree_on_a_label() -> None:
    assert score_of("first_is_better", "second_is_better") == 1.0
    assert score_of("second_is_better", "first_is_better") == 0.0
    assert score_of("equally_good", "equally_good") == 0.5


@pytest.mark.parametrize("place", ["first_is_better", "second_is_better"])
def test_a_preference_that_turns_with_the_order_is_none(place: Winner) -> None:
    assert score_of(place, place) == 0.5
    assert tally([seen(place, place)]).turned == 1


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WINNERS, WINNERS)))
def test_the_label_of_one_is_what_the_other_lacks(first: Winner, second: Winner) -> None:
    """Exchanging the two answers exchanges places: what stood first in one order now stands there in the other."""
    assert score_of(first, second) + score_of(second, first) == 1.0
    assert score_of(first, second) + score_of(TURNED[first], TURNED[second]) == 1.0


def test_a_verdict_that_cannot_be_read_is_counted_and_is_no_label() -> None:
    found = tally([seen("first_is_better", "second_is_better", "a"), seen(None, "second_is_better", "b")])
    assert dict(found.scores) == {"a": 1.0}
    assert (found.unread, found.failed, found.turned) == (1, 0, 0)
    assert found.mean == 1.0


def test_what_did_not_come_is_counted_apart() -> None:
    missing = Seen("a", None, "five")
    reference = Seen("b", "four", None)
    verdict = Seen("c", "four", "five", None, "equally_good", (False, True))
    found = tally([missing, reference, verdict])
    assert (found.failed, found.unread, dict(found.scores), found.mean) == (3, 0, {}, None)


def test_the_same_words_are_equally_good_and_need_no_judge() -> None:
    same = Seen("a", "four", "four")
    assert settled(same)
    assert not settled(seen(None, None))
    assert settled(Seen("a", None, "five"))
    found = tally([same])
    assert (found.same, dict(found.scores)) == (1, {"a": 0.5})


def test_the_judge_is_told_no_names_and_both_answers_in_their_places() -> None:
    body = judged_body(ASK, "it is four", "it is five", schema=True)
    text = body["messages"][1]["content"]
    assert text.index("it is four") < text.index("it is five")
    assert "What is two and two?" in text
    assert "model" not in body
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "response_format" not in judged_body(ASK, "a", "b", schema=False)
    turned = judged_body(ASK, "it is five", "it is four", schema=True)["messages"][1]["content"]
    assert turned.index("it is five") < turned.index("it is four")
