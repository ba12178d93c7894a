"""Cutting the question out of what stands around it."""

import pytest

from llm_inference_router.signals.ask import REACH, judged, without_machine_blocks


def test_a_plain_ask_is_left_alone() -> None:
    part = judged("What is 2 < 3 > 1?")
    assert part.text == "What is 2 < 3 > 1?"
    assert (part.context, part.code, part.quoted, part.shots) == (0, False, False, 0)


def test_a_code_block_is_context_and_marked_as_code() -> None:
    part = judged("Why is this slow?\n```python\nfor i in x:\n    pass\n```\nPlease explain.")
    assert "for i" not in part.text
    assert part.text.startswith("Why is this slow?")
    assert part.text.endswith("Please explain.")
    assert part.code
    assert part.context > 20


@pytest.mark.parametrize(
    "quoted",
    [
        "<document>\nLong text.\n</document>",
        '<article id="3">Long text.</article>',
        "> Long text.\n> More of it.",
        '"""\nLong text.\n"""',
    ],
)
def test_a_quoted_document_is_context(quoted: str) -> None:
    part = judged(f"Summarise what follows.\n{quoted}\n")
    assert part.text == "Summarise what follows."
    assert part.quoted


def test_a_message_that_is_all_quotation_is_the_question() -> None:
    assert judged("```\nprint(1)\n```").text == "```\nprint(1)\n```"


def test_python_prompts_are_not_quotations() -> None:
    text = "What does this print?\n>>> 1 + 1\n"
    assert judged(text).text == text.strip()


def test_the_query_of_a_few_shot_prompt_is_its_last_block() -> None:
    shots = "".join(f"Is {n} even?\nA) yes\nB) no\nAnswer:\nA\n\n" for n in (2, 4, 6))
    part = judged(shots + "Is 7 even?\nA) yes\nB) no\nAnswer:")
    assert part.text.startswith("Is 7 even?")
    assert "Is 6" not in part.text
    assert part.shots == 3


def test_worked_examples_before_an_unlabelled_query_are_cut_off() -> None:
    shots = "Question: 1 + 1? \nAnswer: 2\n\nQuestion: 2 + 2? \nAnswer: 4\n\n\n"
    assert judged(shots + "There are 3 boxes with 4 pens each. How many pens?").text.startswith("There are 3 boxes")


def test_one_labelled_question_is_no_few_shot_prompt() -> None:
    text = "Which is a fruit?\nA. apple\nB. iron\nAnswer:"
    assert judged(text).text == text


@pytest.mark.parametrize(
    "unit", ["```", "<document>", "> x\n", "Answer:\n\n", "<system-reminder>", '"""\n', "<doc", "a:\n\n"]
)
def test_repeated_openings_are_bounded(unit: str) -> None:
    text = unit * 50_000
    assert len(judged(text).text) <= 2 * REACH + 1
    assert isinstance(without_machine_blocks(text), str)


def test_blocks_of_tools_vanish_wherever_they_stand_in_a_short_message() -> None:
    text = "<command-name>/fix</command-name>Fix <system-reminder>be brief</system-reminder>this."
    assert without_machine_blocks(text) == "Fix this."


def test_an_unclosed_block_hides_nothing_of_a_long_ask() -> None:
    text = "<system-reminder>" + "x" * 500_000
    assert without_machine_blocks(text) == text


@pytest.mark.parametrize("tag", ["source", "file", "system-reminder"])
def test_a_tag_that_is_never_closed_is_part_of_the_ask(tag: str) -> None:
    text = f"What does <{tag}> mean in this old template?"
    assert without_machine_blocks(text) == text
    assert judged(text).text == text
