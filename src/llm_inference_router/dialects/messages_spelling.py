"""The inputs of tools as they were spelt. Parsing rounds numbers of more than 64 bits and forgets how the others were
written, so what has to be sent on is kept beside what was read.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import orjson


class Spelt(dict[str, Any]):
    """A parsed object that would be written in other bytes than it came in. `text`: its JSON as it came."""

    __slots__ = ("text",)

    def __init__(self, value: dict[str, Any], text: str) -> None:
        super().__init__(value)
        self.text = text


class _Block(msgspec.Struct):
    input: msgspec.Raw = msgspec.Raw(b"")


class _Turn(msgspec.Struct):
    content: str | list[_Block] = ""


class _Turns(msgspec.Struct):
    messages: list[_Turn]


_MARK = b'"tool_use"'
_read_turn = msgspec.json.Decoder(_Turn).decode
_read_turns = msgspec.json.Decoder(_Turns).decode


def spell_turns(doc: dict[str, Any], body: bytes) -> None:
    """Puts the spelling into the turns of a request that was read from this body. One with turns that are none is left
    as it is: whoever reads them says what is wrong.
    """
    if _MARK not in body:
        return
    with suppress(msgspec.ValidationError):
        raws = _read_turns(body).messages
        for turn, raw in zip(doc["messages"], raws, strict=True):
            _spell(turn.get("content"), raw.content)


def spell_message(doc: dict[str, Any], body: bytes) -> None:
    """The same for a whole answer."""
    if _MARK in body:
        with suppress(msgspec.ValidationError):
            _spell(doc["content"], _read_turn(body).content)


def written(value: Any) -> Any:
    """What stands for an input in JSON that is sent."""
    return orjson.Fragment(value.text) if isinstance(value, Spelt) else value


def _spell(blocks: Any, raws: str | Sequence[_Block]) -> None:
    if not isinstance(blocks, list) or isinstance(raws, str):
        return
    for block, raw in zip(blocks, raws, strict=True):
        if block.get("type") != "tool_use" or not isinstance(block.get("input"), dict):
            continue
        text = bytes(raw.input)
        if text != orjson.dumps(block["input"]):
            block["input"] = Spelt(block["input"], text.decode())
