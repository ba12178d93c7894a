"""The response object of OpenAI's Responses: what was asked, what came of it, and what that used."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from llm_inference_router.dialects.base import Head
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest

Status: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed"]

_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
# What the object says of a request that did not.
_ECHOED: Final[Mapping[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}

_FUNCTION: Final = ("parameters", "strict")


def status_of(finish: str | None) -> Status:
    """How an answer with this finish reason of chat ended."""
    return "incomplete" if finish in _INCOMPLETE else "completed"


def response(
    request: ChatRequest,
    head: Head,
    output: Sequence[Mapping[str, Any]],
    status: Status,
    *,
    finish: str | None = None,
    usage: Mapping[str, Any] | None = None,
    tier: Any = None,
) -> dict[str, Any]:
    source = request.source
    reasoning, text, wanted = source.get("reasoning") or {}, source.get("text") or {}, source.get("service_tier")
    echoed = {name: default if source.get(name) is None else source[name] for name, default in _ECHOED.items()}
    return {
        "id": head.id,
        "object": "response",
        "created_at": head.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": _INCOMPLETE[finish or ""]} if status == "incomplete" else None,
        "model": head.model,
        "output": output,
        **echoed,
        "tools": [_offered(tool) for tool in echoed["tools"]],
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "service_tier": next((one for one in (tier, wanted) if isinstance(one, str) and one in _TIERS), "default"),
        "usage": usage,
    }


def _offered(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool as the object repeats it: of a function, what was not asked is said to be none."""
    return {**tool, **{name: tool.get(name) for name in _FUNCTION}} if tool["type"] == "function" else tool


def failed(answer: Mapping[str, Any], error: RouterError) -> dict[str, Any]:
    """The object of an answer that broke. Its error has one of the API's own codes; the event `error` has ours."""
    code = "rate_limit_exceeded" if error.http_status == 429 else "server_error"
    return {**answer, "status": "failed", "error": {"code": code, "message": error.message}, "incomplete_details": None}
