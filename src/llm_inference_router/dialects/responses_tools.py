"""The tools of a Responses request, and which of them must be called, as chat has them.

Functions and custom tools are translated. Tools that OpenAI runs itself (web_search, file_search, code_interpreter, mcp
and others) only a relay can pass on: elsewhere they are left out, and a request that must call one needs a relay.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from llm_inference_router.dialects.invalid import empty, invalid_type, invalid_value, quoted, unfit
from llm_inference_router.dialects.responses_content import optional_text, text_at
from llm_inference_router.dialects.warning import unread, warning
from llm_inference_router.errors import InvalidRequest

OWN: Final = "tool_choice"
"""The word for a choice that no chat API can be given."""

_READ: Final = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM: Final = frozenset({"type", "name", "description", "format"})
_GRAMMAR: Final = ("syntax", "definition")
_OURS: Final = frozenset({"function", "custom"})  # kinds that the client runs itself
_HINTS: Final = frozenset({"defer_loading"})  # when a tool is shown to the model: it can be called all the same
_WORDS: Final = frozenset({"auto", "none", "required"})


class Tools:
    """What `doc` offers. `chat` are the tools that the client runs; `own`: one that is none of them must be called."""

    def __init__(self, doc: Mapping[str, Any], warnings: list[str]) -> None:
        self.chat: list[dict[str, Any]] = []
        self.choice: str | dict[str, Any] | None = None
        self.own = False
        self._hosted: list[str] = []
        self._unread: list[str] = []
        self._read(doc.get("tools"))
        self._choose(doc.get("tool_choice"), warnings)
        warnings += [warning("dropped", kind) for kind in self._hosted]
        warnings += self._unread
        if not self.chat:
            self.choice = None  # chat refuses a choice among nothing

    def _read(self, raw: Any) -> None:
        if raw is None:
            return
        if type(raw) is not list:
            raise invalid_type("tools", "an array of objects", raw)
        for number, tool in enumerate(raw):
            place = f"tools[{number}]"
            if type(tool) is not dict:
                raise invalid_type(place, "an object", tool)
            kind = text_at(tool, "type", place)
            if kind == "function":
                self.chat.append({"type": "function", "function": _function(tool, place)})
                self._unread += unread(tool, _READ, "tools", _HINTS)
            elif kind == "custom":
                self.chat.append({"type": "custom", "custom": _custom(tool, place)})
                self._unread += unread(tool, _CUSTOM, "tools", _HINTS)
            else:
                self._hosted.append(kind)

    def _choose(self, raw: Any, warnings: list[str]) -> None:
        if raw is None:
            return
        if type(raw) is str:
            if raw not in _WORDS:
                raise invalid_value("tool_choice", raw, "'none', 'auto' and 'required'")
            self._any(raw)
            return
        if type(raw) is not dict:
            raise invalid_type("tool_choice", "one of a string or an object", raw)
        kind = text_at(raw, "type", "tool_choice")
        if kind in _OURS:
            named = kind, text_at(raw, "name", "tool_choice")
            if all(_named(tool) != named for tool in self.chat):
                _unknown("tool_choice", *named)
            self.choice = {"type": kind, kind: {"name": named[1]}}
        elif kind == "allowed_tools":
            self._allowed(raw, warnings)
        else:
            self.own = True

    def _any(self, mode: str) -> None:
        if mode == "required" and not self.chat:
            if not self._hosted:
                raise InvalidRequest(
                    "Invalid 'tool_choice': 'required' needs at least one tool in 'tools'.",
                    param="tool_choice",
                    code="invalid_value",
                )
            self.own = True
        self.choice = mode

    def _allowed(self, raw: Mapping[str, Any], warnings: list[str]) -> None:
        """Only some of the tools: chat is offered no others, which comes to the same."""
        mode = text_at(raw, "mode", "tool_choice")
        if mode not in ("auto", "required"):
            raise invalid_value("tool_choice.mode", mode, "'auto' and 'required'")
        listed = raw.get("tools")
        if type(listed) is not list:
            raise unfit("tool_choice.tools", "an array of objects", listed)
        names, hosted = set(), []
        for number, tool in enumerate(listed):
            place = f"tool_choice.tools[{number}]"
            if type(tool) is not dict:
                raise invalid_type(place, "an object", tool)
            kind = text_at(tool, "type", place)
            if kind not in _OURS:
                hosted.append(kind)
                continue
            named = kind, text_at(tool, "name", place)
            if all(_named(one) != named for one in self.chat):
                _unknown(f"{place}.name", *named)
            names.add(named)
        self.chat = [tool for tool in self.chat if _named(tool) in names]
        self._hosted = [kind for kind in self._hosted if kind in hosted]
        self._any(mode)
        warnings.append(warning("rewritten", "tool_choice"))


def _function(tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    function = _described(tool, place)
    parameters = tool.get("parameters")
    if parameters is not None:
        if type(parameters) is not dict:
            raise invalid_type(f"{place}.parameters", "an object", parameters)
        function["parameters"] = parameters
    strict = tool.get("strict")
    if strict is not None:
        if type(strict) is not bool:
            raise invalid_type(f"{place}.strict", "a boolean", strict)
        function["strict"] = strict
    return function


def _custom(tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    made = _described(tool, place)
    form = tool.get("format")
    if form is None:
        return made
    place += ".format"
    if type(form) is not dict:
        raise invalid_type(place, "an object", form)
    kind = text_at(form, "type", place)
    if kind == "grammar":
        form = {"type": kind, kind: {name: text_at(form, name, place) for name in _GRAMMAR}}
    elif kind != "text":
        raise invalid_value(f"{place}.type", kind, "'text' and 'grammar'")
    return {**made, "format": form}


def _described(tool: Mapping[str, Any], place: str) -> dict[str, Any]:
    name = text_at(tool, "name", place)
    if not name:
        raise empty(f"{place}.name", "string", "a tool's name")
    description = optional_text(tool, "description", place)
    return {"name": name} if description is None else {"name": name, "description": description}


def _named(tool: Mapping[str, Any]) -> tuple[str, str]:
    """The kind and the name of a tool of chat."""
    kind = tool["type"]
    return kind, tool[kind]["name"]


def _unknown(place: str, kind: str, name: str) -> NoReturn:
    what = "function" if kind == "function" else "custom tool"
    message = f"Invalid '{place}': there is no {what} {quoted(name)} in 'tools'."
    raise InvalidRequest(message, param=place, code="invalid_value")
