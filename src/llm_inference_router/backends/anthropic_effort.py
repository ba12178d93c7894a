"""How hard a Claude thinks, and the sampling that goes with it.

Anthropic's own `thinking`, from a client of its dialect or a chat client that knows it, says it; without it OpenAI's
`reasoning_effort` does:

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

from llm_inference_router.backends import anthropic_thinking
from llm_inference_router.backends.anthropic_refused import LEAST_TOP_P
from llm_inference_router.config.claude import Claude
from llm_inference_router.dialects.warning import warning

_FIELD: Final = "reasoning_effort"
_USUAL: Final = "high"  # Anthropic's default, where nobody names an effort


def think(
    body: Mapping[str, Any], result: dict[str, Any], model: Claude, limit: int | None, warnings: list[str]
) -> None:
    """Sets the thinking that is asked for in `result`, a request that is complete apart from that: by Anthropic's own
    object, or else by the effort. `limit`: the tokens of output that the client, or else the model's configuration,
    allows; None: whatever the model can.
    """
    wanted, effort = body.get("thinking"), body.get(_FIELD)
    if isinstance(wanted, dict):
        result["thinking"] = wanted
        kind, budget = wanted.get("type"), wanted.get("budget_tokens")
        known = isinstance(effort, str) and effort in anthropic_thinking.BUDGETS
        if limit is None and kind == "adaptive":
            _widen(result, anthropic_thinking.BUDGETS[str(effort) if known else _USUAL], model)
        elif limit is None and kind == "enabled" and type(budget) is int:
            _widen(result, budget, model)
        if known and (kind == "adaptive" or (kind == "enabled" and model.thinking == "adaptive" and not model.budgets)):
            result.setdefault("output_config", {})["effort"] = "low" if effort == "minimal" else effort
        anthropic_thinking.settle(result, model, warnings)
    elif effort is None:
        return
    elif effort == "none":
        _rest(result, model, warnings)
    elif not isinstance(effort, str) or effort not in anthropic_thinking.BUDGETS or model.thinking == "none":
        warnings.append(warning("dropped", _FIELD))
    elif model.thinking == "adaptive":
        if limit is None:
            _widen(result, anthropic_thinking.BUDGETS[effort], model)
        _adapt(effort, result, model, warnings)
    else:
        _budget(effort, result, model.most_output if limit is None else limit, warnings)
        if limit is None and "thinking" in result:
            _widen(result, result["thinking"]["budget_tokens"], model)


def sample(body: Mapping[str, Any], result: dict[str, Any], model: Claude, warnings: list[str]) -> None:
    """Temperature, top_p and top_k, as far as the model takes them; after `think`."""
    temperature, top_p, top_k = body.get("temperature"), body.get("top_p"), body.get("top_k")
    thinks = anthropic_thinking.thinks(result)
    if temperature is not None and temperature != 1:
        if thinks or not model.samples:
            warnings.append(warning("dropped", "temperature"))
        else:
            result["temperature"] = min(max(temperature, 0), 1)
            if result["temperature"] != temperature:
                warnings.append(warning("clamped", "temperature"))
    if top_p is not None and top_p != 1:  # 1 is the default
        beside = model.one_sampler and "temperature" in result
        if not model.samples or beside or (thinks and top_p < LEAST_TOP_P):
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
    result["thinking"] = {"type": "adaptive"}
    if model.hides_thoughts:
        result["thinking"]["display"] = "summarized"
    if anthropic_thinking.excluded(result):
        # The tool that has to be called is what the client cannot do without.
        _forgo(result, warnings)


def _budget(effort: str, result: dict[str, Any], limit: int | None, warnings: list[str]) -> None:
    budget = anthropic_thinking.budget_of(effort, limit)
    result["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if budget < anthropic_thinking.LEAST_BUDGET or anthropic_thinking.excluded(result):
        _forgo(result, warnings)
        return
    if budget < anthropic_thinking.BUDGETS[effort]:
        warnings.append(warning("clamped", _FIELD))


def _widen(result: dict[str, Any], thinking: int, model: Claude) -> None:
    """Nobody named a limit, and thinking counts in it: what it may take comes on top of the answer's own."""
    wide = result["max_tokens"] + thinking
    result["max_tokens"] = wide if model.most_output is None else min(wide, model.most_output)


def _forgo(result: dict[str, Any], warnings: list[str]) -> None:
    del result["thinking"]
    warnings.append(warning("dropped", _FIELD))
