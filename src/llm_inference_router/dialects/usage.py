"""Usage as each API counts it: as its answers tell it, and read from them.

OpenAI counts what came from or went to the cache into the input; Anthropic counts it beside.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.types import Usage

COUNTS: Final = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""The sums of Anthropic's usage."""
DETAILS: Final = "output_tokens_details"


def usage_as_chat(usage: Usage) -> dict[str, Any]:
    prompt = {"cached_tokens": usage.cached_tokens}
    if usage.cache_write_tokens:
        prompt["cache_write_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def usage_of_chat(raw: Any) -> Usage | None:
    """From an object that a backend has made valid; None where there is none."""
    if not isinstance(raw, dict):
        return None
    prompt = raw.get("prompt_tokens_details") or {}
    completion = raw.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=raw["prompt_tokens"],
        output_tokens=raw["completion_tokens"],
        cached_tokens=prompt.get("cached_tokens") or 0,
        cache_write_tokens=prompt.get("cache_write_tokens") or 0,
        reasoning_tokens=completion.get("reasoning_tokens") or 0,
    )


def usage_as_messages(usage: Usage) -> dict[str, Any]:
    body: dict[str, Any] = {
        "input_tokens": max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        body[DETAILS] = {"thinking_tokens": usage.reasoning_tokens}
    return body


def usage_of_messages(raw: Any) -> Usage | None:
    """From whatever an upstream sends; None where it counts nothing."""
    if not isinstance(raw, dict):
        return None
    fresh, output, written, cached = (_count(raw, name) for name in COUNTS)
    if not (fresh or output or written or cached):
        return None
    return Usage(
        input_tokens=fresh + written + cached,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=_count(raw.get(DETAILS), "thinking_tokens"),
    )


def usage_as_responses(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def usage_of_responses(raw: Mapping[str, Any] | None) -> Usage | None:
    """From an object that a backend has made valid; None where there is none."""
    if raw is None:
        return None
    return Usage(
        input_tokens=raw["input_tokens"],
        output_tokens=raw["output_tokens"],
        cached_tokens=raw["input_tokens_details"]["cached_tokens"],
        cache_write_tokens=raw["input_tokens_details"]["cache_write_tokens"],
        reasoning_tokens=raw["output_tokens_details"]["reasoning_tokens"],
    )


def _count(raw: Any, name: str) -> int:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if type(value) is int and value > 0 else 0
