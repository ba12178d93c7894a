"""The turns of a Messages request as messages of OpenAI's chat.

A user turn that answers tool calls becomes one tool message for each result, and then what else it says. Reasoning
stays with its turn as `thinking_blocks`, for the provider that signed it.
"""

from typing import Any, Final

import orjson

from llm_inference_router.dialects.messages_content import Content, checked
from llm_inference_router.dialects.messages_invalid import misplaced, missing, text_of, unfit, unknown
from llm_inference_router.dialects.messages_spelling import Spelt
from llm_inference_router.dialects.warning import unread
from llm_inference_router.types import Message
from llm_inference_router.vocabulary import Modality

_PLAIN: Final = frozenset({"role", "content"})
_ONLY: Final = {
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_result": "user",
}


class Turns:
    """`chat` and `messages` grow by what is added; `warnings` names what has no counterpart."""

    def __init__(self) -> None:
        self.chat: list[dict[str, Any]] = []
        self.messages: list[Message] = []
        self.warnings: list[str] = []

    def system(self, system: Any) -> None:
        if system is None:
            return
        content = Content(self.warnings)
        content.read(system, "system")
        for number, part in enumerate(content.parts):
            if part["type"] != "text":
                raise unknown(f"system.{number}.type", part["type"], "'text'")
        if content.text.strip():
            self._add({"role": "system", "content": content.value()}, "system", content)

    def add(self, raw: Any, index: int) -> None:
        place = f"messages.{index}"
        if type(raw) is not dict:
            raise unfit(place, "a valid object", raw)
        role = text_of(raw, "role", place)
        self.warnings += unread(raw, _PLAIN, "messages")
        if role == "system":
            self._instruct(raw, place)
            return
        if role not in ("user", "assistant"):
            raise unknown(f"{place}.role", role, "'user', 'assistant' or 'system'")
        content = raw.get("content")
        place += ".content"
        if type(content) is str:
            self.chat.append({"role": role, "content": content})
            self.messages.append(Message("user" if role == "user" else "assistant", content))
            return
        if type(content) is not list:
            raise unfit(place, "a valid string or a valid array", content)
        blocks = [(checked(block, f"{place}.{number}"), f"{place}.{number}") for number, block in enumerate(content)]
        for block, where in blocks:
            only = _ONLY.get(block["type"], role)
            if only != role:
                raise misplaced(where, f"`{block['type']}` blocks are only allowed in {only} messages")
        if role == "user":
            self._user(blocks)
        else:
            self._assistant(blocks)

    def _instruct(self, raw: dict[str, Any], place: str) -> None:
        """What the operator says in the middle of the conversation, or how hard to think from there on."""
        content = raw.get("content")
        if not content and raw.get("output_config") is not None:
            return
        if not self.begun:
            raise misplaced(f"{place}.role", "use the top-level `system` for the initial system prompt")
        said = Content(self.warnings)
        said.read(content, f"{place}.content")
        for number, part in enumerate(said.parts):
            if part["type"] != "text":
                raise unknown(f"{place}.content.{number}.type", part["type"], "'text'")
        if said.text.strip():
            self._add({"role": "system", "content": said.value()}, "system", said)

    @property
    def begun(self) -> bool:
        """Whether anybody but the system has spoken."""
        return any(message.role != "system" for message in self.messages)

    def _user(self, blocks: list[tuple[dict[str, Any], str]]) -> None:
        said = Content(self.warnings)
        answered = False
        for block, place in blocks:
            if block["type"] == "tool_result":
                said.unread(block)
                self._result(block, place)
                answered = True
            else:
                said.add(block, place)
        if said.parts or not answered:
            self._add({"role": "user", "content": said.value()}, "user", said)

    def _result(self, block: dict[str, Any], place: str) -> None:
        content = Content(self.warnings)
        if block.get("content") is not None:
            content.read(block["content"], f"{place}.content")
        call = text_of(block, "tool_use_id", place)
        message: dict[str, Any] = {"role": "tool", "tool_call_id": call, "content": content.value()}
        failed = block.get("is_error")
        if failed is not None and type(failed) is not bool:
            raise unfit(f"{place}.is_error", "a valid boolean", failed)
        if failed:
            message["is_error"] = True
        _cached(message, block)
        self._add(message, "tool", content)

    def _assistant(self, blocks: list[tuple[dict[str, Any], str]]) -> None:
        said = Content(self.warnings)
        calls: list[dict[str, Any]] = []
        thoughts: list[dict[str, Any]] = []
        message: dict[str, Any] = {"role": "assistant", "content": None}
        for block, place in blocks:
            kind = block["type"]
            if kind in _ONLY:
                said.unread(block)
            if kind == "tool_use":
                calls.append(_call(block, place))
                _cached(message, block)
            elif kind == "thinking":
                signature = block.get("signature")
                if type(signature) is not str and signature is not None:
                    raise unfit(f"{place}.signature", "a valid string", signature)
                thinking = text_of(block, "thinking", place)
                thoughts.append({"type": kind, "thinking": thinking, "signature": signature or ""})
            elif kind == "redacted_thinking":
                thoughts.append({"type": kind, "data": text_of(block, "data", place)})
            else:
                said.add(block, place)
        if said.parts or not calls:
            message["content"] = said.value()
        if thoughts:
            message["thinking_blocks"] = thoughts
        if calls:
            message["tool_calls"] = calls
        self._add(message, "assistant", said, len(calls))

    def _add(self, message: dict[str, Any], role: Any, content: Content, calls: int = 0) -> None:
        kinds: tuple[Modality, ...] = tuple(content.attachments)
        self.chat.append(message)
        self.messages.append(Message(role, content.text, kinds, calls))


def _call(block: dict[str, Any], place: str) -> dict[str, Any]:
    given = block.get("input")
    if not isinstance(given, dict):
        raise unfit(f"{place}.input", "a valid object", given)
    name = text_of(block, "name", place)
    if not name:
        raise missing(f"{place}.name")
    arguments = given.text if isinstance(given, Spelt) else orjson.dumps(given).decode()
    function = {"name": name, "arguments": arguments}
    return {"id": text_of(block, "id", place), "type": "function", "function": function}


def _cached(message: dict[str, Any], block: dict[str, Any]) -> None:
    """The last mark of a message that has no part to carry it."""
    control = block.get("cache_control")
    if type(control) is dict:
        message["cache_control"] = control
