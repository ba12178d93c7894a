"""Tools and the choice among them, from OpenAI's words to Anthropic's.

Custom tools, which take free text, become tools of one text field.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from llm_inference_router.backends.anthropic_schema import closed
from llm_inference_router.config.claude import Claude
from llm_inference_router.dialects.custom import PARAMETERS, custom_of, described
from llm_inference_router.dialects.warning import unread, warning

_TOOL: Final = frozenset({"type", "function", "custom", "cache_control"})
_FUNCTION: Final = frozenset({"name", "description", "parameters", "strict"})
_CUSTOM: Final = frozenset({"name", "description", "format"})
# When a tool is shown to the model, how its input is cut into events, and a mark in a place that nobody reads.
_HINTS: Final = frozenset({"defer_loading", "eager_input_streaming", "cache_control"})
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}


class Tools(Struct, frozen=True):
    """`demand`: what the prompt has to ask for, since the model cannot be forced."""

    tools: list[dict[str, Any]]
    choice: dict[str, Any] | None
    demand: str = ""


def translate(body: Mapping[str, Any], model: Claude, warnings: list[str]) -> Tools | None:
    """None where the request has no tools."""
    made = []
    for function in body.get("functions") or ():
        warnings += unread(function, _FUNCTION, "functions", _HINTS)
        made.append(_tool({"function": function}, model, warnings))
    for tool in body.get("tools") or ():
        kind = tool.get("type", "function")
        warnings += unread(tool, _TOOL, "tools", _HINTS)
        if kind == "function":
            warnings += unread(tool["function"], _FUNCTION, "tools.function", _HINTS)
            made.append(_tool(tool, model, warnings))
        elif kind == "custom" and isinstance(custom_of(tool).get("name"), str):
            warnings += unread(custom_of(tool), _CUSTOM, "tools.custom", _HINTS)
            made.append(_free(tool, warnings))
        else:
            warnings.append(warning("dropped", "tools"))
    if not made:
        return None
    wanted = body.get("tool_choice", body.get("function_call"))
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        made, wanted = _allowed(wanted, made, warnings)
    choice = _choice(wanted, warnings)
    asked = ""
    if choice is not None and choice["type"] in ("any", "tool") and not model.forced:
        asked = demand(choice)
        choice = {"type": "auto"}
        warnings.append(warning("weakened", "tool_choice"))
    if body.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return Tools(made, choice, asked)


def demand(choice: Mapping[str, Any]) -> str:
    """What asks for the call of a tool, in the prompt of a model that cannot be forced."""
    which = f"the tool {choice.get('name')}" if choice["type"] == "tool" else "at least one of the tools"
    return f"Call {which} in your answer, whatever else you say."


def _tool(tool: Mapping[str, Any], model: Claude, warnings: list[str]) -> dict[str, Any]:
    function = tool["function"]
    schema = function.get("parameters") or {}
    made: dict[str, Any] = {
        "name": function["name"],
        "input_schema": {"type": "object", "properties": {}, **schema},
    }
    if isinstance(function.get("description"), str) and function["description"]:
        made["description"] = function["description"]
    if function.get("strict"):
        strict = closed({"additionalProperties": False, **made["input_schema"]}) if model.schemas else None
        if strict is None:
            warnings.append(warning("dropped", "tools.strict"))
        else:
            made |= {"strict": True, "input_schema": strict.schema}
            if strict.weaker:
                warnings.append(warning("weakened", "tools.strict"))
    return _cached(made, tool)


def _free(tool: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    custom = custom_of(tool)
    made: dict[str, Any] = {"name": custom["name"], "input_schema": PARAMETERS}
    description = described(custom, warnings)
    if description:
        made["description"] = description
    return _cached(made, tool)


def _cached(made: dict[str, Any], tool: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(tool.get("cache_control"), dict):
        made["cache_control"] = tool["cache_control"]
    return made


def _allowed(
    wanted: Mapping[str, Any], tools: list[dict[str, Any]], warnings: list[str]
) -> tuple[list[dict[str, Any]], Any]:
    """Only the allowed tools are offered; Anthropic has no other word for it."""
    inner = wanted.get("allowed_tools")
    inner = inner if isinstance(inner, dict) else wanted
    names = {_named(one) for one in inner.get("tools") or () if isinstance(one, dict)}
    kept = [tool for tool in tools if tool["name"] in names]
    if not kept:
        warnings.append(warning("dropped", "tool_choice"))
        return tools, "none"
    return kept, "required" if inner.get("mode") == "required" else "auto"


def _choice(wanted: Any, warnings: list[str]) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if isinstance(wanted, str) and wanted in _CHOICES:
        return {"type": _CHOICES[wanted]}
    name = _named(wanted) if isinstance(wanted, dict) else None
    if name is not None:
        return {"type": "tool", "name": name}
    warnings.append(warning("dropped", "tool_choice"))
    return None


def _named(choice: Mapping[str, Any]) -> str | None:
    """The tool that a choice names, in any of OpenAI's forms."""
    inner = choice.get("function", choice.get("custom", choice))
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None
