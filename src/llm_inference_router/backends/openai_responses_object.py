"""The response object as an upstream sends it: read for what the router must know, made valid for the official client.

A valid object keeps all its fields; only what is missing or of a wrong type is filled in. Objects are changed in place.
"""

from typing import Any, Final

from llm_inference_router.backends import faults
from llm_inference_router.backends.base import Rendering
from llm_inference_router.dialects.signature import tag
from llm_inference_router.types import Fault

_STATUSES: Final = frozenset({"completed", "failed", "in_progress", "cancelled", "queued", "incomplete"})
_INCOMPLETE: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})
# Codes of a failed response that are not the client's own mistake.
_PASSING: Final = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_POLICIES: Final = frozenset({"bio_policy", "misalignment_policy_violation", "image_content_policy_violation"})


def repair(doc: dict[str, Any], rendering: Rendering) -> None:
    """A response object, whole or of an event."""
    doc["model"] = rendering.model
    doc["object"] = "response"
    if not isinstance(doc.get("id"), str) or not doc["id"]:
        doc["id"] = rendering.id.replace("chatcmpl-", "resp_")
    if type(doc.get("created_at")) not in (int, float):
        doc["created_at"] = rendering.created
    if type(doc.get("parallel_tool_calls")) is not bool:
        doc["parallel_tool_calls"] = True
    if not isinstance(doc.get("tool_choice"), str | dict):
        doc["tool_choice"] = "auto"
    if not isinstance(doc.get("tools"), list):
        doc["tools"] = []
    if "status" in doc and doc["status"] not in _STATUSES:
        doc["status"] = None
    if doc.get("previous_response_id") is None and rendering.source.get("previous_response_id"):
        # The upstream does not know of it: it was put in by us.
        doc["previous_response_id"] = rendering.source["previous_response_id"]
    doc["usage"] = _usage(doc.get("usage"))
    output = doc.get("output")
    doc["output"] = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    for item in doc["output"]:
        seal(item, rendering.provider)
        mend(item)


def seal(item: dict[str, Any], provider: str) -> None:
    """What only its maker can read is tagged with who that is."""
    sealed = item.get("encrypted_content")
    if isinstance(sealed, str) and sealed:
        item["encrypted_content"] = tag(sealed, provider)


def mend(item: dict[str, Any]) -> None:
    """An item of the output, as the official client's types want it."""
    if item.get("type") == "message":
        item["role"] = "assistant"
        if not isinstance(item.get("content"), list):
            item["content"] = []
        for part in item["content"]:
            if isinstance(part, dict) and part.get("type") == "output_text":
                mend_part(part)
    elif item.get("type") == "reasoning" and not isinstance(item.get("summary"), list):
        item["summary"] = []


def mend_part(part: dict[str, Any]) -> None:
    if not isinstance(part.get("annotations"), list):
        part["annotations"] = []


def finish_of(doc: dict[str, Any]) -> str | None:
    """Chat's finish reason for a response object that has ended; None for one that has not."""
    status = doc.get("status", "completed")
    if status == "incomplete":
        details = doc.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _INCOMPLETE.get(reason or "", "length")
    if status not in ("completed", None):
        return None
    called = any(isinstance(item, dict) and item.get("type") in _CALLS for item in doc.get("output") or ())
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
