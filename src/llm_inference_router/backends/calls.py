"""The tool calls of one stream of chunks: which delta belongs to which call, and under which number clients know it.

Clients join what they receive by its index. Some servers number every call 0, or none at all, and some repeat the id
and the name with every delta; so the id says which call is meant, and the name, where one begins: a new id without a
name goes on with the newest call of its index, since there are servers that make a new id for every delta.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from llm_inference_router.backends import normalise
from llm_inference_router.backends.base import Rendering


class Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class CallDelta(msgspec.Struct, gc=False):
    """Of a function's call, valid for the official client as it is."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: Function | None = None


class _Call:
    __slots__ = ("custom", "identified", "name", "number", "texts")

    def __init__(self, number: int) -> None:
        self.number = number
        self.identified = False  # an id has been passed on
        self.custom = False
        self.name = ""
        self.texts: list[str] = []  # its arguments so far

    @property
    def whole(self) -> bool:
        return not self.custom and normalise.is_object("".join(self.texts))


class Calls:
    """Of all choices."""

    __slots__ = ("_begun", "_by_id", "_ended", "_newest", "_rendering")

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._begun: dict[int, dict[int, _Call]] = {}  # choice -> number of the call
        self._newest: dict[tuple[int, int], _Call] = {}  # choice and the upstream's index
        self._by_id: dict[tuple[int, int, str], _Call] = {}  # and the upstream's id
        self._ended: set[int] = set()

    def __contains__(self, choice: int) -> bool:
        return choice in self._begun

    def passes(self, choice: int, deltas: Sequence[CallDelta]) -> bool:
        """Whether deltas say for themselves, to a client that goes by the index, which calls they belong to."""
        if len(deltas) > 1 and len({one.index for one in deltas}) < len(deltas):
            return False
        for one in deltas:
            call = self._newest.get((choice, one.index))
            name = one.function.name if one.function is not None else None
            if call is None:
                if not one.id or not name or one.index in self._begun.get(choice, ()):
                    return False
            elif one.id is not None or name is not None or call.number != one.index:
                return False
        return True

    def take(self, choice: int, deltas: Sequence[CallDelta]) -> int:
        """Notes deltas that pass as they are. Characters of names and arguments."""
        size = 0
        for one in deltas:
            function = one.function
            call = self._newest.get((choice, one.index))
            if call is None:
                call = self._begin(choice, one.index)
            if one.id:
                call.identified = True
                self._by_id[choice, one.index, one.id] = call
            if function is not None:
                if function.name:
                    call.name = function.name
                if function.arguments is not None:
                    call.texts.append(function.arguments)
                size += len(function.arguments or "") + len(function.name or "")
        return size

    def settle(self, choice: int, place: int, delta: dict[str, Any]) -> None:
        """Gives a delta, changed in place, the number of its call, and takes out what the client has been told.
        `place`: where it stands among the deltas of its chunk.
        """
        spelt = delta.get("custom") if delta.get("type") == "custom" else delta.get("function")
        said: dict[str, Any] = spelt if isinstance(spelt, dict) else {}
        name = said.get("name") or ""
        text = said.get("arguments")
        raw = delta.get("index")
        index = raw if type(raw) is int else None
        given = delta.get("id") or ""
        slot = place if index is None else index
        call = self._of(choice, index, slot, given, name, text or "")
        if given:
            self._by_id[choice, slot, given] = call
        call.custom = call.custom or delta.get("type") == "custom"
        if text is not None:
            call.texts.append(text)
        delta["index"] = call.number
        if call.name and "name" in said and (delta.get("id") is not None or name in ("", call.name)):
            del said["name"]
            name = ""
        call.name += name
        self._identify(choice, call, delta)

    def ended(self, choice: int, finish: str) -> list[int] | None:
        """The choice has finished: the numbers of its calls without arguments, which no client could read as JSON; None
        where there are arguments that none could.
        """
        empty: list[int] = []
        if choice in self._ended:
            return empty
        self._ended.add(choice)
        for number, call in self._begun.get(choice, {}).items():
            if call.custom or not (call.name or call.texts):
                continue
            if not "".join(call.texts).strip():
                empty.append(number)
            elif finish != "length" and not call.whole:
                return None
        return empty

    def _of(self, choice: int, index: int | None, slot: int, given: str, name: str, text: str) -> _Call:
        if given:
            known = self._by_id.get((choice, slot, given))
            if known is None and index is None:
                known = next((c for key, c in self._by_id.items() if (key[0], key[2]) == (choice, given)), None)
            if known is not None:
                return known
        newest = self._newest.get((choice, slot))
        if newest is None or (name and newest.name and (given or _parted(newest, name, text))):
            return self._begin(choice, slot)
        return newest

    def _begin(self, choice: int, slot: int) -> _Call:
        begun = self._begun.setdefault(choice, {})
        number = slot if slot not in begun else max(begun) + 1
        call = begun[number] = self._newest[choice, slot] = _Call(number)
        return call

    def _identify(self, choice: int, call: _Call, delta: dict[str, Any]) -> None:
        if call.identified:
            if delta.get("id") is not None:
                delta.pop("type", None)
            delta.pop("id", None)
        elif delta.get("id"):
            call.identified = True
        elif call.name:
            call.identified = True
            delta["id"] = self._rendering.call_id(choice, call.number)
        else:
            delta.pop("id", None)


def _parted(call: _Call, name: str, text: str) -> bool:
    """Whether what follows without an id is another call: after whole arguments nothing of the same can come."""
    return bool(name != call.name or text.strip()) and call.whole
