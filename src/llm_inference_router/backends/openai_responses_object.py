"""The response object as an upstream sends it: read for what the router must know, made valid for the official client.

A valid object keeps all its fields; only what is missing or of a wrong type is filled in, and what cannot be makes it
no answer. Objects are changed in place.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.backends import faults
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.openai_responses_shape import Items
from llm_inference_router.types import Fault

_STATUSES: Final = frozenset({"completed", "failed", "in_progress", "cancelled", "queued", "incomplete"})
_CHOICES: Final = frozenset({"auto", "none", "required"})
_INCOMPLETE: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}
# What may be left out of a response object.
_OPTIONAL: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("metadata", "text", "reasoning"), (dict,)),
    **dict.fromkeys(("instructions", "previous_response_id", "user", "prompt_cache_key", "safety_identifier"), (str,)),
    **dict.fromkeys(("temperature", "top_p"), (int, float)),
    **dict.fromkeys(("max_output_tokens", "max_tool_calls", "top_logprobs"), (int,)),
    **dict.fromkeys(("background", "store"), (bool,)),
}
# What OpenAI always says of one, if only that there is none.
_SAID: Final = ("error", "incomplete_details", "instructions", "metadata", "temperature", "top_p")
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})
# Codes of a failed response that are not the client's own mistake.
_PASSING: Final = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_POLICIES: Final = frozenset({"bio_policy", "misalignment_policy_violation", "image_content_policy_violation"})


def repair(doc: dict[str, Any], rendering: Rendering, items: Items) -> str:
    """A response object, whole or of an event, made valid. What of it cannot be: nothing where that is empty."""
    doc["model"] = rendering.model
    doc["object"] = "response"
    if not isinstance(doc.get("id"), str) or not doc["id"]:
        doc["id"] = rendering.id.replace("chatcmpl-", "resp_")
    if type(doc.get("created_at")) not in (int, float):
        doc["created_at"] = rendering.created
    if type(doc.get("parallel_tool_calls")) is not bool:
        doc["parallel_tool_calls"] = True
    choice = doc.get("tool_choice")
    if not _text(choice, "type") and not (isinstance(choice, str) and choice in _CHOICES):
        doc["tool_choice"] = "auto"
    doc["tools"] = [tool for tool in _list(doc, "tools") if _text(tool, "type")]
    if "status" in doc and not (isinstance(doc["status"], str) and doc["status"] in _STATUSES):
        doc["status"] = None
    for name, kinds in _OPTIONAL.items():
        if doc.get(name) is not None and type(doc[name]) not in kinds:
            doc[name] = None
    for name in _SAID:
        doc.setdefault(name, None)
    if doc.get("text") is None:  # never said to be none
        doc.pop("text", None)
    noted = doc["metadata"] or {}
    if not all(isinstance(value, str) for value in noted.values()):
        doc["metadata"] = {name: value for name, value in noted.items() if isinstance(value, str)}
    details = doc.get("incomplete_details")
    if details is not None and _text(details, "reason") not in _INCOMPLETE:
        doc["incomplete_details"] = None
    if doc.get("previous_response_id") is None and rendering.source.get("previous_response_id"):
        # The upstream does not know of it: it was put in by us.
        doc["previous_response_id"] = rendering.source["previous_response_id"]
    doc["usage"] = _usage(doc.get("usage"))
    doc["output"] = [item for item in _list(doc, "output") if isinstance(item, dict)]
    status = "completed" if doc.get("status", "completed") in ("completed", None) else "incomplete"
    return next((wrong for at, item in enumerate(doc["output"]) if (wrong := items.item(item, at, status))), "")


def finish_of(doc: dict[str, Any]) -> str | None:
    """Chat's finish reason for a response object that has ended; None for one that has not."""
    status = doc.get("status", "completed")
    if status == "incomplete":
        details = doc.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _INCOMPLETE.get(reason, "length") if isinstance(reason, str) else "length"
    if status not in ("completed", None):
        return None
    called = any(_text(item, "type") in _CALLS for item in _list(doc, "output"))
    return "tool_calls" if called else "stop"


def failure(doc: dict[str, Any]) -> Fault:
    """Of a response object that failed, or of an error event."""
    error = doc.get("error") if isinstance(doc.get("error"), dict) else doc
    said = faults.from_object({"error": error})
    code = said.code or ""
    if code in _POLICIES:
        return Fault("status", said.message or "refused by policy", 400, said.type, code, said.param, final=True)
    if code == "rate_limit_exceeded":
        return faults.fault_of(429, said)
    known = code in _PASSING or not code or said.type in ("server_error", "api_error")
    return faults.fault_of(500 if known else 400, said)


def generated(output: list[dict[str, Any]]) -> tuple[int, str]:
    """Characters generated in all items, and the visible text."""
    size, texts = 0, []
    for item in output:
        for name in ("content", "summary"):
            for part in _list(item, name):
                said = _text(part, "text") or _text(part, "refusal")
                size += len(said)
                if item.get("type") == "message":
                    texts.append(said)
        size += sum(len(_text(item, name)) for name in ("name", "arguments", "input", "code"))
    return size, "".join(texts)


def _usage(raw: Any) -> dict[str, Any] | None:
    if not isinstance(raw, dict) or not (_count(raw, "input_tokens") or _count(raw, "output_tokens")):
        return None
    raw["input_tokens"], raw["output_tokens"] = _count(raw, "input_tokens"), _count(raw, "output_tokens")
    raw["total_tokens"] = _count(raw, "total_tokens") or raw["input_tokens"] + raw["output_tokens"]
    for name, counts in (
        ("input_tokens_details", ("cached_tokens", "cache_write_tokens")),
        ("output_tokens_details", ("reasoning_tokens",)),
    ):
        given = raw.get(name)
        details = given if isinstance(given, dict) else {}
        raw[name] = {**details, **{count: _count(details, count) for count in counts}}
    return raw


def _list(raw: dict[str, Any], name: str) -> list[Any]:
    value = raw.get(name)
    return value if isinstance(value, list) else []


def _count(raw: Any, name: str) -> int:
    value = raw.get(name)
    return value if type(value) is int and value >= 0 else 0


def _text(raw: Any, name: str) -> str:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else ""
