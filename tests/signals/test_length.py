"""Tokens in and out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.signals.length import asked_amount, asked_amount_near_units, tool_tokens
from llm_inference_router.signals.reading import read
from llm_inference_router.types import ChatRequest, Message
from tests.signals.requests import ask, chat, signals, spoken

# Text and its length in the o200k_base vocabulary, counted with that tokenizer.
COUNTED = [
    (
        "The committee agreed to postpone the vote until the auditors have finished their review of the accounts. ",
        18.125,
    ),
    (
        "Der Ausschuss hat beschlossen, die Abstimmung zu verschieben, bis die Prüfung der Bücher abgeschlossen ist. ",
        21.125,
    ),
    ("Комитет решил отложить голосование до тех пор, пока аудиторы не закончат проверку счетов. ", 23.125),
    ("委员会决定推迟投票，直到审计人员完成对去年账目的审查。", 19),
    ("委員会は、監査人が昨年の帳簿の確認を終えるまで投票を延期することを決めました。", 32),
    ("위원회는 감사인이 작년 장부 검토를 마칠 때까지 투표를 연기하기로 했습니다. ", 27),
    ("قررت اللجنة تأجيل التصويت حتى ينتهي المدققون من مراجعة حسابات العام الماضي. ", 21.125),
    ("समिति ने मतदान तब तक टालने का निर्णय लिया जब तक लेखा परीक्षक पिछले वर्ष के खातों की जाँच पूरी न कर लें। ", 30.25),
    ("def total(xs):\n    return sum(x * 2 for x in xs if x > 0)\n", 21),
    ("3.14159 + 2.71828 = 5.85987; 17 * 23 = 391\n", 26),
]


@pytest.mark.parametrize(("text", "tokens"), COUNTED)
def test_prompt_tokens_are_near_a_real_tokenizers(text: str, tokens: float) -> None:
    estimate = signals(text * 8).prompt_tokens
    assert 0.7 <= estimate / (tokens * 8 + 7) <= 1.4


@given(st.integers(1, 400), st.integers(1, 400))
def test_prompt_tokens_grow_with_the_prompt(short: int, more: int) -> None:
    assert signals("word " * (short + more)).prompt_tokens >= signals("word " * short).prompt_tokens


def test_all_messages_count() -> None:
    once = signals(ask("Hello there, friend.")).prompt_tokens
    many = signals(chat(*spoken(("user", "Hello there, friend."), 10))).prompt_tokens
    assert many >= 6 * once


def test_attachments_count() -> None:
    request = ChatRequest(model="auto", messages=(Message("user", "Look", ("image",)),), body={})
    assert signals(request).prompt_tokens > signals("Look").prompt_tokens + 100


def test_tools_count_by_their_schemas() -> None:
    def tool(text: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": "f", "description": text, "parameters": {"type": "object"}}}

    short = signals(ask("Hi", tools=2, body={"tools": [tool("x")] * 2})).prompt_tokens
    long = signals(ask("Hi", tools=2, body={"tools": [tool("x" * 400)] * 2})).prompt_tokens
    assert short + 150 < long < short + 350


def test_tools_are_measured_to_a_bound() -> None:
    nested: Any = "x" * 10**6
    for _ in range(50):
        nested = {"a": [nested] * 100}
    assert tool_tokens({"tools": [nested] * 1000}, 1000) < 10**8


def test_tools_that_cannot_be_read_count_by_number() -> None:
    assert tool_tokens({}, 3) == 360
    assert tool_tokens({"tools": "none"}, 3) == 360


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("Explain gravity in one sentence.", 15, 60),
        ("Write an essay about the sea in 500 words.", 500, 900),
        ("Give me ten ideas for a birthday party.", 150, 500),
        ("Nenne mir drei Sätze über Wien in 100 Wörtern.", 100, 250),
        ("用300字介绍一下长城。", 180, 450),
        ("hi", 5, 120),
    ],
)
def test_what_is_asked_for_sets_the_length_of_the_answer(text: str, low: int, high: int) -> None:
    assert low <= signals(text).output_tokens.p50 <= high


def test_a_single_letter_is_a_short_answer() -> None:
    text = "Which is a metal?\nA) iron\nB) wood\nC) glass\nPrint only a single letter.\nAnswer:"
    assert signals(text).format == "choice"
    assert signals(text).output_tokens.p50 < 60


def test_code_and_essays_are_longer_than_chat() -> None:
    assert signals("Write a program that plays chess.").output_tokens.p50 > signals("How are you?").output_tokens.p50


def test_max_tokens_bounds_each_answer() -> None:
    found = signals(ask("Write a long essay about the sea.", max_tokens=50, choices=3)).output_tokens
    assert (found.p50, found.p90) == (50, 50)


@given(st.text(max_size=200))
def test_an_amount_is_positive_or_absent(text: str) -> None:
    amount = asked_amount(text.lower())
    assert amount is None or amount >= 0


pieces = st.sampled_from(
    (
        *("two", "three", "a", "one", "hundred", "“five", "500", "1,500", "12345", "123456", "(9", "-", "\n", "of"),
        *("word", "words", "500-word", "sentence", "bullet", "points", "wordsmith", "page", "pages-long", "line."),
        *("verse", "tip,", "sätze", "слов", "300字"),
    )
)


@given(st.lists(pieces, max_size=12).map(" ".join))
def test_an_amount_near_a_unit_is_the_one_that_a_whole_search_finds(text: str) -> None:
    assert asked_amount_near_units(text, read(text).distinct) == asked_amount(text)
