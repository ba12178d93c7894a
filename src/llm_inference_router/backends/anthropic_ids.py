"""Ids of tool calls as Anthropic takes them: of few characters, and each in a conversation once.

Several servers count the calls of every answer from 0, so a conversation with them holds the same id in many turns.
"""

import re
from hashlib import blake2b
from typing import Final

_NOT_ID: Final = re.compile(r"[^A-Za-z0-9_-]")


def call_id(name: str) -> str:
    """An id of a tool call as Anthropic takes it."""
    return _NOT_ID.sub("_", name) or "call"


class Ids:
    """Of one conversation, to be asked in its order."""

    __slots__ = ("_given", "_open", "_times")

    def __init__(self) -> None:
        self._given: dict[str, str] = {}  # by the client's id, that of its last call or result
        self._open: dict[str, list[str]] = {}  # of calls whose results are still to come, likewise
        self._times: dict[str, int] = {}  # how often an id as Anthropic takes it was asked for

    def turn(self) -> None:
        """The assistant begins to speak: a result that has not come yet would not be taken any more."""
        self._open.clear()

    def call(self, name: str) -> str:
        """The first keeps its id. Another has one that is the same in every later request: prompts stay cached."""
        made = call_id(name)
        times = self._times[made] = self._times.get(made, -1) + 1
        if times:
            made = "call_" + blake2b(f"{made}/{times}".encode(), digest_size=12).hexdigest()
        self._open.setdefault(name, []).append(made)
        self._given[name] = made
        return made

    def result(self, name: str) -> str:
        """The id of the call that it belongs to."""
        waiting = self._open.get(name)
        if waiting:
            self._given[name] = waiting.pop(0)
        return self._given.get(name) or call_id(name)
