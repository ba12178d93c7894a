"""Tools of a Messages request as chat has them."""

from typing import Any, Final

from llm_inference_router.dialects.messages_invalid import missing, text_of, unfit, unknown
from llm_inference_router.dialects.warning import unread, warning

_READ: Final = frozenset({"type", "name", "input_schema", "description", "strict", "cache_control"})
# When a tool is shown to the model, and how its input is cut into events: it can be called all the same.
_HINTS: Final = frozenset({"defer_loading", "eager_input_streaming"})
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


def tools(raw: Any, warnings: list[str]) -> list[dict[str, Any]]:
    """The client's own tools. Those that Anthropic runs or knows by their type have no counterpart."""
    if raw is None:
        return []
    if type(raw) is not list:
        raise unfit("tools", "a valid array", raw)
    found = []
    for index, tool in enumerate(raw):
        place = f"tools.{index}"
        if type(tool) is not dict:
            raise unfit(place, "a valid object", tool)
        kind = tool.get("type")
        if kind is not None and type(kind) is not str:
            raise unfit(f"{place}.type", "a valid string", kind)
        if kind in (None, "custom"):
            found.append(_tool(tool, place, warnings))
        else:
            warnings.append(warning("dropped", "tools"))
    return found


def _tool(tool: dict[str, Any], place: str, warnings: list[str]) -> dict[str, Any]:
    name = text_of(tool, "name", place)
    if not name:
        raise missing(f"{place}.name")
    schema = tool.get("input_schema")
    if type(schema) is not dict:
        raise unfit(f"{place}.input_schema", "a valid object", schema)
    function: dict[str, Any] = {"name": name, "parameters": schema}
    description = tool.get("description")
    if description is not None:
        if type(description) is not str:
            raise unfit(f"{place}.description", "a valid string", description)
        function["description"] = description
    if tool.get("strict") is True:
        # OpenAI's strict mode refuses schemas that Anthropic's takes.
        warnings.append(warning("dropped", "tools.strict"))
    warnings += unread(tool, _READ, "tools", _HINTS)
    made: dict[str, Any] = {"type": "function", "function": function}
    if type(tool.get("cache_control")) is dict:
        made["cache_control"] = tool["cache_control"]
    return made


def choose(raw: Any, body: dict[str, Any]) -> None:
    """Puts the choice among the tools into a chat body that has some."""
    if raw is None:
        return
    if type(raw) is not dict:
        raise unfit("tool_choice", "a valid object", raw)
    kind = text_of(raw, "type", "tool_choice")
    single = raw.get("disable_parallel_tool_use")
    if single is not None and type(single) is not bool:
        raise unfit("tool_choice.disable_parallel_tool_use", "a valid boolean", single)
    if kind == "tool":
        named = {"name": text_of(raw, "name", "tool_choice")}
        choice: Any = {"type": "function", "function": named}
    elif kind in _CHOICES:
        choice = _CHOICES[kind]
    else:
        raise unknown("tool_choice.type", kind, "'auto', 'any', 'tool' or 'none'")
    if not body.get("tools"):
        return
    body["tool_choice"] = choice
    if single:
        body["parallel_tool_calls"] = False
