"""Complexity against prompts labelled by hand, and the laws it obeys."""

import json
import math
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import pytest

from llm_inference_router.signals.base import around, view
from llm_inference_router.signals.complexity import band_of
from llm_inference_router.signals.features import FEATURES, features
from llm_inference_router.signals.lexicon import ENGLISH
from llm_inference_router.signals.reading import read
from llm_inference_router.signals.sense import shipped
from llm_inference_router.vocabulary import Band, TaskLabel
from tests.signals.requests import ask, chat, signals, spoken, value
from tests.signals.translations import QUESTIONS

ANCHORS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "anchors.jsonl").read_text("utf-8").split("\n") if line
]
BANDS = get_args(Band)


def agreement(rows: list[dict[str, Any]]) -> float:
    return fmean(signals(row["text"]).complexity.band == row["band"] for row in rows)


def test_prompts_that_were_never_fitted_to_are_in_their_bands() -> None:
    assert len(ANCHORS) >= 180
    assert agreement(ANCHORS) >= 0.75


def test_no_prompt_is_two_bands_away_from_its_own() -> None:
    for row in ANCHORS:
        band = signals(row["text"]).complexity.band
        assert abs(BANDS.index(band) - BANDS.index(row["band"])) <= 1, row["text"]


def test_kinds_of_requests_are_in_a_sensible_order() -> None:
    found: dict[str, list[float]] = defaultdict(list)
    for row in ANCHORS:
        found[row["group"]].append(value(row["text"]))
    level = {group: fmean(values) for group, values in found.items()}
    rising = (
        ("greeting",),
        ("fact", "service", "moderation", "rewrite"),
        ("summary", "translation", "writing", "word_problem", "code", "comparison"),
        ("maths", "proof", "law", "medicine", "physics", "design", "hard_code", "analysis"),
    )
    for lower, higher in pairwise(rising):
        assert max(level[group] for group in lower) < min(level[group] for group in higher)


@pytest.mark.parametrize(("kind", "band"), [("fact", "light"), ("code", "medium"), ("proof", "heavy")])
def test_a_question_is_as_hard_in_every_language(kind: str, band: Band) -> None:
    values = {language: value(text) for language, text in QUESTIONS[kind].items()}
    assert max(values.values()) - min(values.values()) <= 0.36, values
    inside = [language for language, v in values.items() if band_of(v) == band]
    assert len(inside) >= len(values) - 1 or fmean(values.values()) > 0.6, values


def test_no_single_word_decides() -> None:
    """One word of any category, added to or taken from any English prompt, moves the value by 0.15 at most in 98 of
    100 cases and never by more than 0.3."""
    moves: list[float] = []
    for row in ANCHORS:
        if row["language"] != "en":
            continue
        text = row["text"]
        before = value(text)
        moves.extend(abs(value(f"{text} {words.split()[0]}") - before) for words in ENGLISH.values())
        parts = text.split(" ")
        if len(parts) > 3:
            moves.extend(abs(value(" ".join(parts[:i] + parts[i + 1 :])) - before) for i in range(0, len(parts), 3))
    assert len(moves) > 2000
    assert max(moves) <= 0.3
    assert sum(move > 0.15 for move in moves) / len(moves) <= 0.02


def test_the_parts_of_a_request_explain_its_value() -> None:
    """A request whose parts are all at least those of another is at least as complex."""
    found = [signals(row["text"]).complexity for row in ANCHORS]
    for one in found:
        assert one.band == band_of(one.value)
        for other in found:
            if all(getattr(one.parts, part) > getattr(other.parts, part) for part in one.parts.__struct_fields__):
                assert one.value > other.value


def test_every_feature_is_a_small_number() -> None:
    for row in ANCHORS:
        request = ask(row["text"])
        seen = view(request)
        found = features(seen.window, read(seen.window), around(request, seen))
        assert all(0 <= index < len(FEATURES) and 0.0 <= share <= 1.4 for index, share in found.items())


def test_a_request_seen_through_no_lens_has_the_hardness_of_its_value() -> None:
    lens = shipped().lens
    values = [lens.plain(value)[0] for value in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values)
    assert all(math.isfinite(value) for value in values)


def test_what_is_kept_has_four_decimals() -> None:
    for row in ANCHORS:
        found = signals(row["text"])
        parts = found.complexity.parts
        kept = [
            found.complexity.value,
            *(getattr(parts, part) for part in parts.__struct_fields__),
            *found.task.probabilities.values(),
        ]
        assert kept == [round(share, 4) for share in kept]


@pytest.mark.parametrize(
    ("value", "band"), [(0.0, "light"), (0.349, "light"), (0.35, "medium"), (0.7, "heavy"), (1.0, "heavy")]
)
def test_bands_include_their_lower_edge(value: float, band: Band) -> None:
    assert band_of(value) == band


def test_tools_a_schema_and_many_turns_add() -> None:
    text = "Plan the deliveries for tomorrow."
    plain = value(text)
    assert value(ask(text, tools=12)) > plain
    assert value(ask(text, response_format="json_schema")) > plain
    assert value(chat(*spoken(("user", "Hi"), 6), ("user", text))) > plain


TASKS: dict[str, TaskLabel] = {
    "greeting": "chat",
    "fact": "question_answering",
    "service": "chat",
    "summary": "summarising",
    "writing": "writing",
    "word_problem": "mathematics",
    "code": "code",
    "maths": "mathematics",
    "proof": "mathematics",
    "hard_code": "code",
}


def test_tasks_of_prompts_that_were_held_out() -> None:
    held = [row for row in ANCHORS if row["group"] in TASKS]
    right = fmean(signals(row["text"]).task.label == TASKS[row["group"]] for row in held)
    assert right >= 0.8


def test_quoted_code_makes_it_code() -> None:
    assert signals("What is wrong here?\n```js\nlet x = ;\n```").task.label == "code"


def test_the_system_message_tells_the_task_too() -> None:
    text = "The room was clean but the breakfast was awful."
    system = "Classify the sentiment of each review as positive or negative. Reply with the label only."
    alone = signals(text).task.probabilities["extraction"]
    assert signals(chat(("system", system), ("user", text))).task.probabilities["extraction"] > alone + 0.2


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Tell me about Lisbon.", "free"),
        ("Give me a list of ten baby names.", "list"),
        ("Make a table of the planets and their moons.", "table"),
        ("Return the result as JSON with the keys name and age.", "json"),
        ("Write a Python function that adds two numbers.", "code"),
        ("Which is a fruit?\nA) apple\nB) iron\nC) brick", "choice"),
        ("How many legs does a spider have?", "number"),
        ("Is the sky blue? Answer yes or no.", "short"),
    ],
)
def test_formats(text: str, form: str) -> None:
    assert signals(text).format == form


def test_a_response_format_is_a_format() -> None:
    assert signals(ask("Hi", response_format="json_object")).format == "json"
