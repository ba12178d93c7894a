"""The prompts that a database has kept of one route, as the conversations they were."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.schema import open_reader

_TURN = re.compile(r"(?:\A|\n\n)(system|user|assistant|tool): ")


def prompts(path: Path, route: str) -> Iterator[list[dict[str, str]]]:
    """The messages of each record with content, newest first. Conversations that do not end with a person's turn, that
    hold a tool's, or that go on from a stored answer, are left out: they cannot be asked again as they were. Raises
    StoreFault.

    Records keep a conversation as one text. A turn that itself holds an empty line followed by a role and a colon is
    read as two.
    """
    with closing(open_reader(path)) as connection:
        try:
            rows = connection.execute(
                "SELECT prompt FROM records WHERE route = ? AND prompt IS NOT NULL AND coalesce(previous, '') = '' "
                "ORDER BY id DESC",
                (route,),
            )
            for (text,) in rows:
                turns = turns_of(text)
                if turns and turns[-1]["role"] == "user" and not any(turn["role"] == "tool" for turn in turns):
                    yield turns
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: {error}") from error


def turns_of(text: str) -> list[dict[str, str]]:
    """The turns of a conversation's text; empty where it does not begin with one."""
    first, *rest = _TURN.split(text)
    if first:
        return []
    return [{"role": role, "content": said} for role, said in zip(rest[::2], rest[1::2], strict=True)]
