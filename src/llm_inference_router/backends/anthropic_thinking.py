"""Reasoning on its way back to Anthropic: which blocks of it may go there, and when it has to be off.

Anthropic refuses reasoning that it did not sign, and a request in the middle of a tool loop whose last assistant turn
does not begin with reasoning while `thinking` is enabled. Both happen as soon as a conversation changes its model.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from llm_inference_router.dialects.signature import returned
from llm_inference_router.dialects.warning import warning

Block = dict[str, Any]

THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
LEAST_BUDGET: Final = 1024
"""Tokens: Anthropic takes no smaller budget."""
_OFF: Final = {"type": "disabled"}


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


def settle(body: dict[str, Any], warnings: list[str], *, prefilled: bool = False) -> None:
    """Switches `thinking` off in a request that Anthropic would refuse with it, and fits its budget into `max_tokens`.
    `prefilled`: the last message is the beginning of the answer, which cannot be thought over any more."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    budget, limit = thinking.get("budget_tokens"), body.get("max_tokens")
    if prefilled or _loops_without(body["messages"]):
        _switch_off(body, warnings)
    elif type(budget) is int and type(limit) is int and budget >= limit:
        if limit <= LEAST_BUDGET:
            _switch_off(body, warnings)
        else:
            body["thinking"] = {**thinking, "budget_tokens": limit - 1}
            warnings.append(warning("clamped", "thinking"))


def _switch_off(body: dict[str, Any], warnings: list[str]) -> None:
    body["thinking"] = _OFF
    warnings.append(warning("dropped", "thinking"))
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    if not isinstance(edits, list):
        return
    # Clearing old reasoning is refused where none is asked for.
    kept = [one for one in edits if not (isinstance(one, dict) and str(one.get("type")).startswith("clear_thinking"))]
    if kept and isinstance(management, dict):
        body["context_management"] = {**management, "edits": kept}
    else:
        del body["context_management"]


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
