"""Reasoning at Anthropic: which blocks of it may go back there, in which words it is asked for, and when it is off.

Anthropic refuses reasoning that it did not sign, and a request in the middle of a tool loop whose last assistant turn
does not begin with reasoning while `thinking` is enabled. Both happen as soon as a conversation changes its model. Its
models differ in how they are told to think, and a client that asks for a route cannot know which one it will be.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from llm_inference_router.config.claude import Claude
from llm_inference_router.dialects.messages import effort_of
from llm_inference_router.dialects.signature import returned
from llm_inference_router.dialects.warning import Reason, warning

Block = dict[str, Any]

THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
LEAST_BUDGET: Final = 1024
"""Tokens: Anthropic takes no smaller budget."""
BUDGETS: Final = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
"""Tokens of thinking for an effort."""
_FORCED: Final = frozenset({"any", "tool"})


def own(block: Mapping[str, Any], provider: str) -> Block | None:
    """A block of reasoning as this provider gave it; None where it is not its own."""
    name = "signature" if block.get("type") == "thinking" else "data"
    opaque = block.get(name)
    original = returned(opaque, provider) if isinstance(opaque, str) else None
    return None if original is None else {**block, name: original}


def own_of(blocks: Iterable[Any], provider: str, warnings: list[str]) -> list[Block]:
    """The reasoning among a chat message's `thinking_blocks` that this provider takes back."""
    kept = []
    for block in blocks:
        found = own(block, provider) if isinstance(block, dict) and block.get("type") in THOUGHTS else None
        if found is None:
            warnings.append(warning("foreign", "thinking_blocks"))
        else:
            kept.append(found)
    return kept


def settle(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """Makes what a client of Anthropic's own words asked for, `thinking` and the effort in `output_config`, into what
    this model takes beside the rest of the request: no budget where it decides itself, none that reaches `max_tokens`,
    and no thinking where it is excluded.
    """
    if isinstance(body.get("thinking"), dict):
        said = _fit(body, model) if model.version is not None else None
        said = _switch_off(body, model) if excluded(body) else _leave_room(body, model) or said
        if said is not None:
            warnings.append(warning(said, "thinking"))
    if model.version is not None:
        _temper(body, model, warnings)


def excluded(body: Mapping[str, Any]) -> bool:
    """Whether Anthropic would refuse a request because it asks for thinking: beside a tool that has to be called, and,
    where that has a budget, within a turn of tools that began without any, or in an answer that has already begun.
    """
    if not thinks(body):
        return False
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in _FORCED:
        return True
    return body["thinking"]["type"] == "enabled" and (_is_begun(body["messages"]) or _loops_without(body["messages"]))


def thinks(body: Mapping[str, Any]) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def budget_of(effort: str, limit: int | None) -> int:
    """The tokens of thinking that stand for an effort; at most four fifths of `limit`, the tokens of output."""
    wanted = BUDGETS[effort]
    return wanted if limit is None else min(wanted, limit * 4 // 5)


def _fit(body: dict[str, Any], model: Claude) -> Reason | None:
    """Says the same in the words of this model."""
    thinking = body["thinking"]
    kind, way = thinking.get("type"), model.unthinking
    config = body.get("output_config")
    config = config if isinstance(config, dict) else {}
    if kind in ("disabled", "between_tools"):
        if way == "never":
            del body["thinking"]
            body["output_config"] = {**config, "effort": "low"}
            return "clamped"
        if kind != _off(model):
            body["thinking"] = {"type": _off(model)}
            return "rewritten"
        return None
    if not thinks(body):
        return None
    if model.thinking == "none":
        del body["thinking"]
        _without_effort(body)
        return "dropped"
    if kind == "enabled" and not model.budgets:
        budget = thinking.get("budget_tokens")
        effort = config.get("effort") or effort_of(budget if type(budget) is int else BUDGETS["high"])
        body["output_config"] = {**config, "effort": effort}
        shown = thinking.get("display") or ("summarized" if model.hides_thoughts else None)
        body["thinking"] = {"type": "adaptive"} | ({"display": shown} if shown else {})
        return "rewritten"
    if kind == "adaptive" and model.thinking == "budget":
        effort, limit = config.get("effort"), body.get("max_tokens")
        effort = effort if isinstance(effort, str) and effort in BUDGETS else "high"  # which is Anthropic's default
        budget = max(LEAST_BUDGET, budget_of(effort, limit if type(limit) is int else None))
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        return "rewritten"
    return None


def _leave_room(body: dict[str, Any], model: Claude) -> Reason | None:
    thinking, limit = body.get("thinking") or {}, body.get("max_tokens")
    budget = thinking.get("budget_tokens") if thinking.get("type") == "enabled" else None
    if type(budget) is not int or type(limit) is not int or budget < limit:
        return None
    if limit <= LEAST_BUDGET:
        return _switch_off(body, model)
    body["thinking"] = {**thinking, "budget_tokens": limit - 1}
    return "clamped"


def _temper(body: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """An effort beside thinking, or alone, as far as this model knows it."""
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is None or effort in model.efforts:
        return
    if "high" in model.efforts:
        body["output_config"] = {**body["output_config"], "effort": "high"}
        warnings.append(warning("clamped", "output_config.effort"))
        return
    _without_effort(body)
    if not isinstance(body.get("thinking"), dict):  # else that says the same
        warnings.append(warning("dropped", "output_config.effort"))


def _without_effort(body: dict[str, Any]) -> None:
    rest = {name: value for name, value in (body.pop("output_config", None) or {}).items() if name != "effort"}
    if rest:
        body["output_config"] = rest


def _off(model: Claude) -> str:
    return "between_tools" if model.unthinking == "between_tools" else "disabled"


def _switch_off(body: dict[str, Any], model: Claude) -> Reason:
    if model.unthinking == "never":
        del body["thinking"]
    else:
        body["thinking"] = {"type": _off(model)}
    _clear_nothing(body)
    return "dropped"


def _clear_nothing(body: dict[str, Any]) -> None:
    """Clearing old reasoning is refused where none is asked for."""
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    if not isinstance(edits, list):
        return
    kept = [one for one in edits if not (isinstance(one, dict) and str(one.get("type")).startswith("clear_thinking"))]
    if kept and isinstance(management, dict):
        body["context_management"] = {**management, "edits": kept}
    else:
        del body["context_management"]


def _is_begun(messages: list[Any]) -> bool:
    return bool(messages[-1].get("role") == "assistant")


def _loops_without(messages: list[Any]) -> bool:
    """Whether the last turn answers tool calls of a turn that does not begin with reasoning."""
    blocks = messages[-1].get("content")
    if messages[-1].get("role") != "user" or not isinstance(blocks, list):
        return False
    if not any(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks):
        return False
    for message in reversed(messages):
        if message.get("role") == "assistant":
            content = message.get("content")
            return not (isinstance(content, list) and content and content[0].get("type") in THOUGHTS)
    return False
