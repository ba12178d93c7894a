"""What a client of Messages wrote for one Claude and another would refuse, in words that this one takes.

A client that asks for a route cannot know which model it will be. Only what this model is known to refuse is changed;
what every Claude refuses is left to it to say. Thinking has a module of its own (`anthropic_thinking`).
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.backends import anthropic_thinking, instructions
from llm_inference_router.backends.anthropic_tools import demand
from llm_inference_router.config.claude import Claude
from llm_inference_router.dialects.warning import warning

GO_ON: Final = "(go on)"
"""Said for the user where a model takes no beginning of its answer, and the conversation ends with one."""
LEAST_TOP_P: Final = 0.95
"""Beside thinking no smaller one is taken."""
_SAMPLERS: Final = ("temperature", "top_p", "top_k")


def mend(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """Changes the body, and nothing in it that is the client's own; thinking included."""
    if model.version is not None:
        _instruct(body, model, warnings)
        _force(body, model, warnings)
        _begin(body, model, warnings)
    anthropic_thinking.settle(body, model, warnings)
    if model.version is not None:
        _sample(body, model, warnings)


def _instruct(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """What the operator says between the turns becomes part of the user's."""
    if model.instructed:
        return
    spoken = [number for number, turn in enumerate(body["messages"]) if turn["role"] == "system"]
    if spoken:
        body["messages"] = instructions.in_turns(body["messages"])
        warnings += [warning("rewritten", f"messages[{number}]") for number in spoken]


def _force(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """A tool that has to be called is asked for where the model cannot be made to call one."""
    choice = body.get("tool_choice")
    if model.forced or not isinstance(choice, dict) or choice.get("type") not in ("any", "tool"):
        return
    asked = {"type": "text", "text": demand(choice)}
    system = body.get("system")
    if isinstance(system, str):
        system = [{"type": "text", "text": system}] if system.strip() else []
    body["system"] = [*(system or ()), asked]
    body["tool_choice"] = {name: value for name, value in choice.items() if name != "name"} | {"type": "auto"}
    warnings.append(warning("weakened", "tool_choice"))


def _begin(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """The beginning of an answer becomes a turn of its own, which the user wants to be gone on with."""
    turns = body["messages"]
    if model.prefilled or len(turns) < 2 or not _is_begun(turns[-1]):
        return
    if not turns[-1]["content"]:
        body["messages"] = turns[:-1]
        warnings.append(warning("dropped", f"messages[{len(turns) - 1}]", harmless=True))
        return
    body["messages"] = [*turns, {"role": "user", "content": GO_ON}]
    warnings.append(warning("added", f"messages[{len(turns)}]"))


def _is_begun(turn: Mapping[str, Any]) -> bool:
    """Not a turn that paused while Anthropic's own tools ran: that one is sent back to be gone on with."""
    if turn["role"] != "assistant":
        return False
    content = turn["content"]
    if isinstance(content, str) or not content:
        return True
    return content[-1]["type"] == "text" and not any(block["type"] == "server_tool_use" for block in content)


def _sample(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    thinks = anthropic_thinking.thinks(body)
    for name in _SAMPLERS:
        value = body.get(name)
        if value is None or (value == 1 and name != "top_k"):  # 1 is the default
            continue
        narrow = thinks and not (name == "top_p" and value >= LEAST_TOP_P)
        if narrow or not model.samples:
            del body[name]
            warnings.append(warning("dropped", name))
    if model.one_sampler and body.get("temperature") is not None and body.get("top_p") is not None:
        less = "temperature" if body["temperature"] == 1 else "top_p"
        warnings.append(warning("dropped", less, harmless=body.pop(less) == 1))
