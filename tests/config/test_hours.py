from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config import hours


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("written", "at", "holds"),
    [
        ("08:00-12:00", "2026-01-05T08:00", True),
        ("08:00-12:00", "2026-01-05T12:00", False),
        ("8:00-12:00", "2026-01-05T07:59", False),
        ("22:00-06:00", "2026-01-05T23:00", True),
        ("22:00-06:00", "2026-01-05T05:59", True),
        ("22:00-06:00", "2026-01-05T06:00", False),
        ("22:00-24:00", "2026-01-05T23:59", True),
        ("22:00-24:00", "2026-01-05T00:00", False),
        ("22:00-06:00 Europe/Berlin", "2026-01-05T21:00", True),  # winter: UTC+1
        ("22:00-06:00 Europe/Berlin", "2026-07-05T20:00", True),  # summer: UTC+2
        ("22:00-06:00 Europe/Berlin", "2026-07-05T19:59", False),
    ],
)
def test_hours_hold_from_the_first_minute_up_to_the_last(written: str, at: str, holds: bool) -> None:
    assert hours.parse(written).holds(_ms(at)) is holds


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("22:00", "is not hours of a day"),
        ("22-06", "is not hours of a day"),
        ("22:60-23:00", "is not hours of a day"),
        ("24:00-06:00", "hours begin from"),
        ("22:00-24:01", "hours begin from"),
        ("06:00-06:00", "same minute"),
        ("22:00-06:00 Europe", "not a time zone"),
        ("22:00-06:00 ../../etc/passwd", "not a time zone"),
        ("22:00-06:00 europe/berlin2", "not a time zone"),
    ],
)
def test_what_is_no_hours_is_refused_in_words(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hours.parse(written)


@given(st.text(max_size=40))
def test_any_text_is_hours_or_a_value_error(text: str) -> None:
    try:
        hours.parse(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - the law is that nothing else is raised
