"""What is judged, and laws that hold for every request."""

from typing import SupportsIndex, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.signals.base import HEAD, TAIL, extract, view
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import Band, Capability, Format, Modality, Role, TaskLabel
from tests.signals.requests import ask, chat, signals, value

PROOF = "Prove that every continuous function on a compact metric space is uniformly continuous."

texts = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["", " ", "\n", "\x00", "a", "?", "👍", "مرحبا", "\u202e", "```", "<", ">", "\\", "$", "0", "_", "、", "นี่"]
    ),
    st.tuples(st.text(min_size=1, max_size=6), st.integers(1, 3000)).map(lambda pair: pair[0] * pair[1]),
)
messages = st.builds(
    Message,
    role=st.sampled_from(get_args(Role)),
    text=texts,
    attachments=st.lists(st.sampled_from(get_args(Modality)), max_size=2).map(tuple),
    tool_calls=st.integers(0, 3),
)
requests = st.builds(
    ChatRequest,
    model=st.just("auto"),
    messages=st.lists(messages, max_size=6).map(tuple),
    body=st.dictionaries(
        st.just("tools"), st.recursive(st.none() | st.text(max_size=9), st.lists, max_leaves=9), max_size=1
    ),
    max_tokens=st.none() | st.integers(1, 10**6),
    choices=st.integers(1, 5),
    tools=st.integers(0, 200),
    needs=st.frozensets(st.sampled_from(get_args(Capability)), max_size=3),
    response_format=st.sampled_from(["text", "json_object", "json_schema"]),
)


@given(requests)
def test_any_request_gives_signals_within_their_ranges(request: ChatRequest) -> None:
    seen = view(request)
    found = extract(request, seen)
    complexity = found.complexity
    assert 0.0 <= complexity.value <= 1.0
    assert complexity.band in get_args(Band)
    for part in ("reasoning", "knowledge", "constraints", "context", "output"):
        assert 0.0 <= getattr(complexity.parts, part) <= 1.0
    assert found.prompt_tokens >= 1
    assert 1 <= found.output_tokens.p50 <= found.output_tokens.p90
    assert request.max_tokens is None or found.output_tokens.p90 <= request.max_tokens
    assert set(found.task.probabilities) == set(get_args(TaskLabel))
    assert sum(found.task.probabilities.values()) == pytest.approx(1.0, abs=5e-4)  # each is rounded
    assert found.task.probabilities[found.task.label] == max(found.task.probabilities.values())
    assert found.format in get_args(Format)
    assert found.language == "und" or len(found.language) == 2
    assert found.needs >= request.needs
    assert found.modalities[0] == "text"
    assert len(set(found.modalities)) == len(found.modalities)


@given(requests)
def test_the_same_request_gives_the_same_signals(request: ChatRequest) -> None:
    assert extract(request, view(request)) == extract(request, view(request))


class Counted(str):
    """A text that counts the characters that are taken out of it, and refuses to be walked through whole."""

    __slots__ = ("taken",)
    taken: int

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        part = super().__getitem__(key)
        self.taken = getattr(self, "taken", 0) + len(part)
        return part

    def _refuse(self, *_: object) -> "str":
        raise AssertionError("the whole text was read")

    __iter__ = lower = casefold = split = splitlines = strip = isspace = replace = isascii = encode = _refuse  # type: ignore[assignment]
    count = find = rfind = index = __contains__ = _refuse  # type: ignore[assignment]


@pytest.mark.parametrize("unit", ["a", " ", "word ", "数", "\n", "> ", "a.", "x<y "])
def test_of_a_huge_ask_only_head_and_tail_are_read(unit: str) -> None:
    text = Counted(unit * (20_000_000 // len(unit)))
    request = ask(text)
    seen = view(request)
    found = extract(request, seen)
    assert getattr(text, "taken", 0) < 40_000
    assert len(seen.window) <= HEAD + TAIL + 1
    assert seen.total_chars == len(text)
    assert found.prompt_tokens > 1_000_000


def test_what_stands_in_the_middle_of_a_long_ask_changes_nothing() -> None:
    head, tail = "Summarise this report. " * 200, "Keep it short. " * 200
    first, second = (head + filler * 4000 + tail for filler in ("prove it ", "order me "))
    assert signals(first) == signals(second)


def test_a_short_ask_is_judged_whole() -> None:
    seen = view(ask(PROOF))
    assert seen.ask == seen.window == PROOF


def test_a_system_message_is_not_the_ask() -> None:
    seen = view(chat(("system", "You prove theorems rigorously."), ("user", "Hello")))
    assert seen.ask == "Hello"
    assert seen.system == "You prove theorems rigorously."


def test_tool_results_and_reminders_are_not_asks() -> None:
    request = chat(
        ("user", PROOF),
        ("assistant", ""),
        ("tool", "42"),
        ("user", "<system-reminder>\nHello. The user opened a file.\n</system-reminder>"),
    )
    assert view(request).ask == PROOF


def test_a_reminder_beside_an_ask_is_cut_away() -> None:
    reminder = "<system-reminder>\nPrefer short answers.\n</system-reminder>"
    for text in (f"{reminder}\nWhat time is it?", f"What time is it?\n{reminder}"):
        assert view(ask(text)).ask == "What time is it?"


def test_a_long_reminder_before_an_ask_is_cut_away() -> None:
    reminder = "<system-reminder>\n" + "Read the rules. " * 3000 + "</system-reminder>"
    assert view(ask(f"{reminder}\n{PROOF}")).ask == PROOF


def test_a_tool_loop_is_an_agents_and_judged_by_the_humans_ask() -> None:
    request = chat(("user", "Book a table."), ("assistant", ""), ("tool", "ok"), tools=3)
    assert view(request).working
    assert signals(request).task.label == "agent"


@pytest.mark.parametrize("follow", ["why?", "continue", "now in French", "Und warum?", "继续"])
def test_a_follow_up_borrows_the_complexity_of_what_it_follows(follow: str) -> None:
    borrowed = value(chat(("user", PROOF), ("assistant", "Let f be ..."), ("user", follow)))
    assert borrowed > value(follow) + 0.3
    assert abs(borrowed - value(PROOF)) < 0.25


@pytest.mark.parametrize("new", ["Thanks!", "What is the capital of Norway?", "谢谢", "Danke, das hilft!"])
def test_a_short_ask_of_its_own_borrows_nothing(new: str) -> None:
    assert value(chat(("user", PROOF), ("assistant", "Let f be ..."), ("user", new))) < 0.35


def test_a_long_conversation_or_document_is_a_little_harder() -> None:
    alone = value("What does the contract say about notice?")
    with_document = value("What does the contract say about notice?\n<document>" + "Clause. " * 9000 + "</document>")
    assert alone < with_document < alone + 0.3


def test_attachments_are_modalities_and_needs() -> None:
    request = ChatRequest(
        model="auto", messages=(Message("user", "What is this?", ("image", "image", "audio")),), body={}
    )
    found = signals(request)
    assert found.modalities == ("text", "image", "audio")
    assert found.needs == {"vision", "audio"}


def test_a_request_without_human_text_is_judged_by_its_last_text() -> None:
    assert view(chat(("assistant", "Hello"), ("tool", "42"))).ask == "42"
    assert view(chat()).ask == ""
