"""Languages by script and by words."""

import json
from pathlib import Path

import pytest

from llm_inference_router.signals.language import script_of
from tests.signals.requests import signals
from tests.signals.translations import QUESTIONS

ANCHORS = [
    json.loads(line) for line in (Path(__file__).parent / "anchors.jsonl").read_text("utf-8").split("\n") if line
]


@pytest.mark.parametrize(("language", "text"), [(k, t) for row in QUESTIONS.values() for k, t in row.items()])
def test_every_translation_is_told(language: str, text: str) -> None:
    assert signals(text).language == language


def test_prompts_are_told_apart() -> None:
    right = sum(signals(row["text"]).language == row["language"] for row in ANCHORS)
    assert right / len(ANCHORS) >= 0.95


@pytest.mark.parametrize("text", ["", "42", "👍", "...", "xqzt", "\x00"])
def test_what_cannot_be_told_is_und(text: str) -> None:
    assert signals(text).language == "und"


def test_terms_of_art_do_not_hide_the_language_around_them() -> None:
    assert signals("请用 Python pandas DataFrame 写一个 groupby 示例").language == "zh"
    assert signals("Объясни, что делает git rebase --interactive").language == "ru"


def test_a_quoted_foreign_word_does_not_change_the_language() -> None:
    assert signals("What does the Japanese word 木漏れ日 mean in the book I am reading?").language == "en"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("abc", "latin"),
        ("日本語です", "kana"),
        ("中文", "han"),
        ("한국어", "hangul"),
        ("ไทย", "thai"),
        ("αβγ", "greek"),
        ("१२ अ", "indic"),
    ],
)
def test_scripts(text: str, script: str) -> None:
    assert script_of(text) == script
