"""Recorded prompts come back as the conversations they were."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from llm_inference_router.backends.base import conversation
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.contents import prompts, turns_of
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Content, Message
from tests.store.build import record

PLAIN = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1)
TURNS = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), PLAIN), min_size=1, max_size=5)


@given(TURNS)
def test_a_conversation_is_read_as_it_was_written(turns: list[tuple[str, str]]) -> None:
    messages = tuple(Message(role, text) for role, text in turns)  # type: ignore[arg-type]
    assert turns_of(conversation(messages)) == [{"role": role, "content": text} for role, text in turns]


def test_what_does_not_begin_with_a_turn_is_none() -> None:
    assert turns_of("hello") == []
    assert turns_of("") == []


def filled(path: Path, texts: list[str | None]) -> Path:
    async def fill() -> None:
        store = SqliteStore.open(f"sqlite:///{path}")
        for number, text in enumerate(texts):
            said = None if text is None else Content(text, "so")
            await store.append(structs.replace(record(at=1_790_000_000_000 + number), content=said))
        await store.close()

    asyncio.run(fill())
    return path


def test_the_routes_prompts_newest_first(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.db", ["user: one", None, "system: brief\n\nuser: two"])
    assert [[turn["content"] for turn in turns] for turns in prompts(path, "auto")] == [["brief", "two"], ["one"]]
    assert list(prompts(path, "other")) == []


def test_what_cannot_be_asked_again_is_left_out(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.db", ["user: a\n\nassistant: b", "user: a\n\ntool: 7\n\nuser: c", "nothing"])
    assert list(prompts(path, "auto")) == []


def test_a_missing_database_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="no such database"):
        list(prompts(tmp_path / "none.db", "auto"))
