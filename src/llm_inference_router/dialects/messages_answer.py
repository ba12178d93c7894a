"""A chat answer as Anthropic's message."""

from contextlib import suppress
from typing import Any, Final

import orjson

from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.usage import usage_as_messages, usage_of_chat
from llm_inference_router.types import Usage

UNSIGNED: Final = tag("", "")
"""What stands in the place of a signature where the model signs nothing: clients insist on one."""

_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_DEEPEST: Final = 200
_PLACEHOLDER: Final = 9  # characters: a shorter id of a call is no id, it comes again with the next answer


def stop_of(finish_reason: Any, hit: Any, called: bool) -> tuple[str, str | None]:
    """Stop reason and stop sequence. `hit`: the choice's own `stop_reason`, where it names the sequence."""
    stop = _STOPS.get(finish_reason, "end_turn") if isinstance(finish_reason, str) else "end_turn"
    if stop == "end_turn" and called:
        return "tool_use", None  # several servers say `stop` after a call that they were told to make
    if stop == "end_turn" and isinstance(hit, str) and hit:
        return "stop_sequence", hit
    return stop, None


def call_id(given: Any, number: int, head: Head) -> str:
    """The id of a tool call, which has to be the only one of its name in the whole conversation."""
    return given if isinstance(given, str) and len(given) >= _PLACEHOLDER else f"toolu_{head.id}{number:02d}"


def message(completion: dict[str, Any], head: Head) -> dict[str, Any]:
    """A chat.completion that has passed a backend, as a message."""
    choice = completion["choices"][0]
    said = choice["message"]
    blocks = _thoughts(said)
    text = (said.get("content") or "") + (said.get("refusal") or "")
    if text:
        block: dict[str, Any] = {"type": "text", "text": text}
        if isinstance(said.get("citations"), list) and said["citations"]:
            block["citations"] = said["citations"]
        blocks.append(block)
    calls = [call for call in said.get("tool_calls") or () if isinstance(call.get("function"), dict)]
    for number, call in enumerate(calls):
        function = call["function"]
        made = {"type": "tool_use", "id": call_id(call.get("id"), number, head), "name": function["name"]}
        blocks.append(made | {"input": _input(function["arguments"])})
    stop, sequence = stop_of(choice.get("finish_reason"), choice.get("stop_reason"), bool(calls))
    return {
        "id": "msg_" + head.id,
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": sequence,
        "usage": usage_as_messages(usage_of_chat(completion.get("usage")) or Usage(0, 0)),
    }


def _thoughts(said: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = said.get("thinking_blocks")
    if isinstance(blocks, list) and blocks:
        return [_signed(block) for block in blocks if isinstance(block, dict)]
    text = said.get("reasoning_content") or said.get("reasoning")
    return [{"type": "thinking", "thinking": text, "signature": UNSIGNED}] if text else []


def _signed(block: dict[str, Any]) -> dict[str, Any]:
    unsigned = block.get("type") == "thinking" and not block.get("signature")
    return {**block, "signature": UNSIGNED} if unsigned else block


def _input(arguments: str) -> Any:
    """Arguments as the object that a client insists on, in the model's own spelling: parsing rounds long numbers. What
    is no object is wrapped, so that nothing of it is lost.
    """
    if not arguments.strip():
        return {}
    if arguments.count("[") + arguments.count("{") <= _DEEPEST:  # clients read no deeper
        with suppress(orjson.JSONDecodeError):
            is_object = isinstance(orjson.loads(arguments), dict)
            spelt = orjson.Fragment(arguments)
            return spelt if is_object else {"arguments": spelt}
    return {"arguments": arguments}
