import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.config import scalars
from llm_inference_router.config.schema import Duration, Secret, Size
from llm_inference_router.config.yaml import Scalar


def _plain(text: str) -> Scalar:
    return Scalar(text, True, 1)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("10m", 600),
        ("1h", 3600),
        ("90d", 7776000),
        ("2w", 1209600),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("0s", 0),
    ],
)
def test_durations(written: str, seconds: float) -> None:
    assert scalars.custom(Duration, _plain(written)) == seconds


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("60", "write the unit, 60s"),
        ("1.5", "write the unit, 1.5s"),
        ("-2s", "needs a duration"),
        ("soon", "needs a duration"),
        ("", "needs a duration"),
        ("99999d", "longer than ten years"),
        ("999999999999w", "longer than ten years"),
    ],
)
def test_bad_durations_say_what_to_write(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scalars.custom(Duration, _plain(written))


@pytest.mark.parametrize(
    ("written", "size"),
    [("20MiB", 20971520), ("64KiB", 65536), ("1GiB", 2**30), ("1000", 1000), ("2 MiB", 2**21)],
)
def test_sizes(written: str, size: int) -> None:
    assert scalars.custom(Size, _plain(written)) == size


@pytest.mark.parametrize("written", ["20MB", "1.5MiB", "-1", "big", "", "9" * 20])
def test_bad_sizes_say_what_to_write(written: str) -> None:
    with pytest.raises(ValueError, match="64KiB, 20MiB, 1GiB"):
        scalars.custom(Size, _plain(written))


@pytest.mark.parametrize(
    "trap",
    [
        "no",
        "on",
        "Yes",
        "true",
        "~",
        "null",
        "7",
        "017",
        "0x1f",
        "1_000",
        "1.5",
        "1e3",
        "0o17",
        "22:00",
        "2024-01-01",
        ".nan",
    ],
)
def test_a_text_that_other_yaml_readers_take_for_something_else_must_be_quoted(trap: str) -> None:
    with pytest.raises(ValueError, match=f'quote it: "{trap}"'):
        scalars.text(_plain(trap))
    assert scalars.text(Scalar(trap, False, 1)) == trap


@pytest.mark.parametrize(
    ("written", "value"), [("0", 0), ("4100", 4100), ("-3", -3), ("+3", 3), ("1_000_000", 1000000)]
)
def test_whole_numbers(written: str, value: int) -> None:
    assert scalars.integer(_plain(written)) == value


@pytest.mark.parametrize("written", ["22:00", "8k", "1.0", "1e3", "017", "0x1f", "0b1", "", "yes", "9" * 5000])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="needs a whole number"):
        scalars.integer(_plain(written))


def test_a_quoted_number_is_told_to_lose_its_quotes() -> None:
    with pytest.raises(ValueError, match='remove the quotes around "4100"'):
        scalars.integer(Scalar("4100", False, 1))


def test_a_number_from_the_environment_needs_no_yaml() -> None:
    assert scalars.integer(Scalar("4100", False, 1, source="${PORT}")) == 4100
    assert scalars.number(Scalar("0.5", False, 1, source="${BAR}")) == 0.5
    assert scalars.boolean(Scalar("true", False, 1, source="${KEEP}")) is True


def test_a_wrong_value_from_outside_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"not \$\{PORT\}") as caught:
        scalars.integer(Scalar("sk-secret", True, 1, source="${PORT}"))
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [("0.9", 0.9), ("1", 1.0), (".5", 0.5), ("5.", 5.0), ("1e-3", 0.001), ("-2.5", -2.5)],
)
def test_numbers(written: str, value: float) -> None:
    assert scalars.number(_plain(written)) == value


@pytest.mark.parametrize("written", [".nan", ".inf", "nan", "inf", "1e999", "1:30", "x", ""])
def test_numbers_that_are_none_or_not_finite_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="needs a number"):
        scalars.number(_plain(written))


def test_a_percentage_is_told_its_share() -> None:
    with pytest.raises(ValueError, match=r"write 0\.9 for 90%"):
        scalars.number(_plain("90%"))


@pytest.mark.parametrize("written", ["yes", "on", "1", "y", "tRuE", ""])
def test_only_true_and_false_are_truth_values(written: str) -> None:
    with pytest.raises(ValueError, match="needs true or false"):
        scalars.boolean(_plain(written))


@pytest.mark.parametrize("written", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_truth_values(written: str) -> None:
    assert scalars.boolean(_plain(written)) is (written.lower() == "true")


@pytest.mark.parametrize("written", ["sk key", "sk\r\nx: y", "schlüssel", "sk\x00", "sk\n"])
def test_a_key_that_no_header_can_carry_is_refused_and_never_repeated(written: str) -> None:
    with pytest.raises(ValueError, match="no header can carry it") as caught:
        scalars.custom(Secret, _plain(written))
    assert written.strip() not in str(caught.value)


def test_a_secret_never_prints() -> None:
    secret = scalars.custom(Secret, _plain("sk-1"))
    assert secret == "sk-1"
    assert "sk-1" not in repr(secret)


@given(st.text(max_size=40), st.booleans())
def test_every_reader_returns_its_type_or_raises_value_error(text: str, plain: bool) -> None:
    scalar = Scalar(text, plain, 1)
    for read, kind in (
        (scalars.text, str),
        (scalars.integer, int),
        (scalars.number, float),
        (scalars.boolean, bool),
        (lambda value: scalars.custom(Duration, value), Duration),
        (lambda value: scalars.custom(Size, value), Size),
        (lambda value: scalars.custom(Secret, value), Secret),
    ):
        try:
            value = read(scalar)
        except ValueError:
            continue
        assert isinstance(value, kind)
        assert not isinstance(value, float) or math.isfinite(value)
