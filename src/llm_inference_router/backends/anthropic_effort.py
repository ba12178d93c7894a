"""How hard a Claude thinks, from OpenAI's `reasoning_effort`, and the sampling that goes with it.

| effort        | a model that decides itself (4.6 and later) | a model with a budget |
|---------------|---------------------------------------------|-----------------------|
| none          | thinking off, where it can be               | no thinking           |
| minimal, low  | low                                         | 1024, 2048 tokens     |
| medium        | medium                                      | 8192                  |
| high          | high                                        | 16384                 |
| xhigh, max    | xhigh (4.6: high), max                      | 32768                 |

A budget takes at most four fifths of the client's limit of tokens, which counts thinking, as OpenAI's does; Anthropic's
least is 1024.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.config.claude import Claude
from llm_inference_router.dialects.warning import warning

_BUDGETS: Final = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
_LEAST_BUDGET: Final = 1024
_ROOM: Final = 4096  # for the answer itself, where the client names no limit
_HELD: Final = ("any", "tool")
_FIELD: Final = "reasoning_effort"


def think(
    body: Mapping[str, Any], result: dict[str, Any], model: Claude, limit: int | None, warnings: list[str]
) -> None:
    """Sets what the effort asks for in `result`, a request that is complete apart from that. `limit`: the tokens of
    output that the client, or else the model's configuration, allows; None: whatever the model can.
    """
    effort = body.get(_FIELD)
    if effort is None:
        return
    if effort == "none":
        _rest(result, model, warnings)
    elif not isinstance(effort, str) or effort not in _BUDGETS or model.thinking == "none":
        warnings.append(warning("dropped", _FIELD))
    elif model.thinking == "adaptive":
        _adapt(effort, result, model, warnings)
    else:
        _budget(effort, result, limit, warnings)


def sample(body: Mapping[str, Any], result: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """Temperature, top_p and top_k, as far as the model takes them; after `think`."""
    temperature, top_p, top_k = body.get("temperature"), body.get("top_p"), body.get("top_k")
    thinks = result.get("thinking", {}).get("type") in ("enabled", "adaptive")
    if temperature is not None and temperature != 1:
        if thinks or not model.samples:
            warnings.append(warning("dropped", "temperature"))
        else:
            result["temperature"] = min(max(temperature, 0), 1)
            if result["temperature"] != temperature:
                warnings.append(warning("clamped", "temperature"))
    if top_p is not None and top_p != 1:  # 1 is the default
        beside = model.one_sampler and "temperature" in result
        if not model.samples or beside or (thinks and top_p < 0.95):
            warnings.append(warning("dropped", "top_p"))
        else:
            result["top_p"] = top_p
    if type(top_k) is int:
        if thinks or not model.samples:
            warnings.append(warning("dropped", "top_k"))
        else:
            result["top_k"] = top_k


def _rest(result: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    way = model.unthinking
    if way == "never":
        result.setdefault("output_config", {})["effort"] = "low"
        warnings.append(warning("clamped", _FIELD))
    elif way != "omitted":
        result["thinking"] = {"type": way}


def _adapt(effort: str, result: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    level = "low" if effort == "minimal" else effort
    if level not in model.efforts:
        level = "high"
        warnings.append(warning("clamped", _FIELD))
    result.setdefault("output_config", {})["effort"] = level
    if result.get("tool_choice", {}).get("type") in _HELD:
        # Thinking and a forced tool exclude each other, and the tool is what the client cannot do without.
        warnings.append(warning("dropped", _FIELD))
        return
    result["thinking"] = {"type": "adaptive"}
    if model.hides_thoughts:
        result["thinking"]["display"] = "summarized"


def _budget(effort: str, result: dict[str, Any], limit: int | None, warnings: list[str]) -> None:
    wanted = _BUDGETS[effort]
    budget = wanted if limit is None else min(wanted, limit * 4 // 5)
    if budget < _LEAST_BUDGET or result.get("tool_choice", {}).get("type") in _HELD or not _ready(result["messages"]):
        warnings.append(warning("dropped", _FIELD))
        return
    if budget < wanted:
        warnings.append(warning("clamped", _FIELD))
    if limit is None:
        result["max_tokens"] = max(result["max_tokens"], budget + _ROOM)
    result["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _ready(turns: list[dict[str, Any]]) -> bool:
    """Whether thinking may begin here: not within the model's own turn, which after calls of tools goes on with its
    results, unless the turn began with thinking.
    """
    if turns[-1]["role"] == "assistant":
        return False
    last = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), None)
    if not isinstance(last, list) or not any(block["type"] == "tool_use" for block in last):
        return True
    answered = turns[-1]["content"]
    if not isinstance(answered, list) or not any(block["type"] == "tool_result" for block in answered):
        return True
    return last[0]["type"] in ("thinking", "redacted_thinking")
