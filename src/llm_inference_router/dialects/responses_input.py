"""The items of a Responses request as chat's messages.

What a model gave out in one turn (reasoning, a message, calls of tools) is several items here and one assistant
message in chat, so neighbours are joined. Items of tools that OpenAI itself runs have no counterpart; a relay passes
them.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.dialects import signature
from llm_inference_router.dialects.invalid import invalid_type, invalid_value, unfit
from llm_inference_router.dialects.responses_content import content, optional_text, sees, text_at
from llm_inference_router.dialects.warning import unread, warning

REDACTED: Final = "redacted:"
"""What stands before the data of a redacted block in `encrypted_content`: two kinds of opaque text share that field."""

_ALWAYS: Final = frozenset({"type", "id", "status"})
_READ: Final = {
    "message": _ALWAYS | {"role", "content"},
    "function_call": _ALWAYS | {"call_id", "name", "arguments"},
    "function_call_output": _ALWAYS | {"call_id", "output"},
    "custom_tool_call": _ALWAYS | {"call_id", "name", "input"},
    "custom_tool_call_output": _ALWAYS | {"call_id", "output"},
    "reasoning": _ALWAYS | {"content", "summary", "encrypted_content"},
}
# Which part of its answer a message was, and who asked for a call, in an answer that is sent back.
_HINTS: Final = frozenset({"phase", "caller", "created_by"})
_ROLES: Final = ("user", "system", "developer", "assistant")
_SUPPORTED: Final = "'user', 'assistant', 'system' and 'developer'"


class Turns:
    """`messages` grows by what is added; `references` are items that are only named; `warnings` names what has no
    counterpart; `seen`: there are pictures among it.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.references: list[str] = []
        self.warnings: list[str] = []
        self.seen = False
        self._turn: dict[str, Any] | None = None  # the assistant message that still grows

    def add(self, raw: Any, place: str) -> None:
        if type(raw) is not dict:
            raise invalid_type(place, "an object", raw)
        kind = raw.get("type")
        if kind is None:
            kind = "message" if "role" in raw else "item_reference" if raw.keys() <= {"id", "type"} and raw else None
        if type(kind) is not str:
            raise unfit(f"{place}.type", "a string", kind)
        if kind in _READ:
            self.warnings += unread(raw, _READ[kind], kind, _HINTS)
        if kind == "message":
            self._message(raw, place)
        elif kind == "function_call":
            self._call(raw, place)
        elif kind == "custom_tool_call":
            self._custom(raw, place)
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._output(raw, place)
        elif kind == "reasoning":
            self._reasoning(raw, place)
        elif kind == "item_reference":
            self.references.append(text_at(raw, "id", place))
        else:
            self.warnings.append(warning("dropped", kind))

    def say(self, role: str, text: str) -> None:
        self._turn = None
        self.messages.append({"role": role, "content": text})

    def _message(self, raw: Mapping[str, Any], place: str) -> None:
        role = text_at(raw, "role", place)
        if role not in _ROLES:
            raise invalid_value(f"{place}.role", role, _SUPPORTED)
        said = content(raw.get("content"), f"{place}.content", self.warnings)
        self.seen = self.seen or sees(raw["content"])
        if role != "assistant":
            self._turn = None
            self.messages.append({"role": role, "content": said})
            return
        refusal = None
        if type(said) is list and all(part["type"] == "refusal" for part in said):
            refusal = "".join(part["refusal"] for part in said)
        turn = self._growing()
        if refusal is not None:
            turn["refusal"] = refusal
        elif turn["content"] is None:
            turn["content"] = said
        else:
            turn["content"] = [*_parts(turn["content"]), *_parts(said)]

    def _call(self, raw: Mapping[str, Any], place: str) -> None:
        call, name, arguments = (text_at(raw, field, place) for field in ("call_id", "name", "arguments"))
        function = {"name": name, "arguments": arguments}
        self._calls().append({"id": call, "type": "function", "function": function})

    def _custom(self, raw: Mapping[str, Any], place: str) -> None:
        call, name, given = (text_at(raw, field, place) for field in ("call_id", "name", "input"))
        self._calls().append({"id": call, "type": "custom", "custom": {"name": name, "input": given}})

    def _calls(self) -> list[dict[str, Any]]:
        turn = self._turn or self._begin()
        calls: list[dict[str, Any]] = turn.setdefault("tool_calls", [])
        return calls

    def _output(self, raw: Mapping[str, Any], place: str) -> None:
        call = text_at(raw, "call_id", place)
        said = content(raw.get("output"), f"{place}.output", self.warnings)
        self.seen = self.seen or sees(raw["output"])
        self._turn = None
        self.messages.append({"role": "tool", "tool_call_id": call, "content": said})

    def _reasoning(self, raw: Mapping[str, Any], place: str) -> None:
        text = _texts(raw, "content", place) or _texts(raw, "summary", place)
        sealed = optional_text(raw, "encrypted_content", place)
        block: dict[str, Any] | None = None
        if sealed is not None and sealed.startswith(REDACTED):
            block = {"type": "redacted_thinking", "data": sealed.removeprefix(REDACTED)}
        elif sealed is not None and signature.untag(sealed) is not None:
            block = {"type": "thinking", "thinking": text, "signature": sealed}
        elif sealed:
            self.warnings.append(warning("foreign", "encrypted_content"))
        if not text and block is None:
            return
        turn = self._growing()
        if text:
            turn["reasoning_content"] = turn.get("reasoning_content", "") + text
        if block is not None:
            turn.setdefault("thinking_blocks", []).append(block)

    def _growing(self) -> dict[str, Any]:
        """The message that what a model says next belongs to: between a call and its result no other may stand."""
        turn = self._turn
        if turn is None or (turn["content"] is not None and "tool_calls" not in turn):
            return self._begin()
        return turn

    def _begin(self) -> dict[str, Any]:
        turn: dict[str, Any] = {"role": "assistant", "content": None}
        self.messages.append(turn)
        self._turn = turn
        return turn

    def finish(self) -> list[dict[str, Any]]:
        """The messages. A turn of reasoning alone, whose answer is not among the items, is left out: chat has no such
        message."""
        return [
            message
            for message in self.messages
            if message["role"] != "assistant"
            or message["content"] is not None
            or "tool_calls" in message
            or "refusal" in message
        ]


def _parts(said: Any) -> list[Any]:
    return said if type(said) is list else [{"type": "text", "text": said}]


def _texts(raw: Mapping[str, Any], field: str, place: str) -> str:
    """The texts of a reasoning item's list, joined."""
    parts = raw.get(field)
    if parts is None:
        return ""
    if type(parts) is not list:
        raise invalid_type(f"{place}.{field}", "an array of objects", parts)
    texts = []
    for number, part in enumerate(parts):
        where = f"{place}.{field}[{number}]"
        if type(part) is not dict:
            raise invalid_type(where, "an object", part)
        texts.append(text_at(part, "text", where))
    return "".join(texts)
