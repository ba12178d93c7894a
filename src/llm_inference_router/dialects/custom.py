"""Custom tools, which are called with free text: as chat has them, and as functions of one text field for whoever knows
functions alone. `text_of` is the way back.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from llm_inference_router.dialects.warning import warning

FREE_TEXT: Final = "input"  # the one field of such a function
PARAMETERS: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {FREE_TEXT: {"type": "string"}},
    "required": [FREE_TEXT],
}


def custom_names(body: Mapping[str, Any]) -> frozenset[str]:
    """The custom tools of a chat request."""
    tools = body.get("tools") or ()
    return frozenset(name for tool in tools if tool.get("type") == "custom" and (name := custom_of(tool).get("name")))


def custom_of(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a tool, a call or a choice of the type `custom` holds."""
    inner = tool.get("custom")
    return inner if isinstance(inner, dict) else {}


def described(custom: Mapping[str, Any], warnings: list[str]) -> str:
    """What a function in its place is said to be. A grammar is told, since nothing else holds the model to it."""
    said = [custom["description"]] if isinstance(custom.get("description"), str) else []
    form = custom.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        said.append(f"The input must follow this grammar: {orjson.dumps(form.get('grammar')).decode()}")
        warnings.append(warning("weakened", "tools.custom.format"))
    warnings.append(warning("rewritten", "tools"))
    return "\n\n".join(said)


def as_functions(body: dict[str, Any], warnings: list[str]) -> None:
    """Changes a chat body, and nothing within it: no custom tool, call or choice is left."""
    tools = body.get("tools")
    if tools and any(tool.get("type") == "custom" for tool in tools):
        body["tools"] = [_as_tool(tool, warnings) if tool.get("type") == "custom" else tool for tool in tools]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "custom":
        body["tool_choice"] = {"type": "function", "function": {"name": custom_of(choice).get("name")}}
    body["messages"] = called_as_functions(body["messages"])


def called_as_functions(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages whose calls of custom tools are calls of functions with their text."""
    return [
        {**message, "tool_calls": [_as_call(call) for call in calls]}
        if message["role"] == "assistant"
        and (calls := message.get("tool_calls"))
        and any(call.get("type") == "custom" for call in calls)
        else message
        for message in messages
    ]


def text_of(arguments: str) -> str:
    """The text that such a function was called with; what is no such call, as one that was cut, is given as it came."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = given.get(FREE_TEXT) if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments


def _as_tool(tool: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    custom = custom_of(tool)
    function = {"name": custom.get("name"), "parameters": PARAMETERS}
    description = described(custom, warnings)
    return {"type": "function", "function": {**function, **({"description": description} if description else {})}}


def _as_call(call: dict[str, Any]) -> dict[str, Any]:
    if call.get("type") != "custom":
        return call
    custom = custom_of(call)
    arguments = orjson.dumps({FREE_TEXT: str(custom.get("input") or "")}).decode()
    function = {"name": str(custom.get("name") or ""), "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": function}
