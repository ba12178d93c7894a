"""Upstream errors of every shape that is met, read into one Fault.

Shapes: OpenAI's `{"error": {...}}`, also with an integer code (vLLM); a string beside `error_type` (TGI);
FastAPI's `{"detail": ...}`; a bare `{"message": ...}`; Anthropic's `{"type": "error", "error": {...}}`;
plain text and HTML. What a client or a record may see holds no URL, no address, no key and no stack trace.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from msgspec import Struct

from llm_inference_router.backends import limits
from llm_inference_router.dialects.fault import CONTEXT_CODE
from llm_inference_router.types import Fault

POLICY_CODE: Final = "content_policy_violation"
MESSAGE_LIMIT: Final = 1000
RETRY_AFTER_LIMIT_S: Final = 86_400.0
_SCAN_LIMIT: Final = 8000

_FINAL: Final = frozenset({400, 413, 422})
_POLICY_CODES: Final = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "moderation_blocked",
        "responsibleaipolicyviolation",
        "content_policy",
        "safety",
    }
)
_CONTEXT: Final = re.compile(
    r"context length|context window|context size|context limit|max_model_len|prompt is too long"
    r"|too many tokens|input is too long|input tokens exceed|reduce the length"
    r"|`inputs` tokens \+ `max_new_tokens`|`inputs` must have less than",
    re.IGNORECASE,
)
_POLICY: Final = re.compile(r"content (management )?policy|content filter|safety system|usage policies", re.IGNORECASE)
# One server's limits: another one may take the field, or know the model.
_UNKNOWN_FIELD: Final = re.compile(
    r"^unexpected fields in the request|^unrecognized request argument|^unknown parameter"
    r"|extra inputs are not permitted",
    re.IGNORECASE,
)
_UNKNOWN_MODEL: Final = re.compile(
    r"^server is pinned to |^the model [`'\"][^`'\"]*[`'\"] does not exist", re.IGNORECASE
)
# llama-cpp-python answers 500 to requests that its schema refuses.
_VALIDATION: Final = re.compile(r"^\d+ validation errors?\b")
_TRACE: Final = re.compile(r"\n[ \t]*File \"|Traceback \(most recent call last\)")
# What an error's type or code says where no status does.
_TYPES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "validation": 422,
    "generation": 424,
    "overloaded": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_SECRETS: Final = (
    (re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s'\"<>)\]}]+"), "[address]"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "[address]"),
    (re.compile(r"(?i)\b(?:localhost|[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}):\d{2,5}\b"), "[address]"),
    (re.compile(r"\bBearer\s+[^\s'\",;]+", re.IGNORECASE), "[key]"),
    (re.compile(r"\b(?:sk|pk|rk|hf|gsk|xai|key|api)[-_][A-Za-z0-9_*.-]{6,}"), "[key]"),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{10,}"), "[key]"),
    (re.compile(r"(?<![\w/])/(?:[\w.@-]+/)+[\w.@-]+"), "[path]"),
)  # fmt: skip

_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")  # as codes are: `api_connection_error` is no key


class Words(Struct, frozen=True):
    """What an error answer says of itself; `message` is scrubbed."""

    message: str = ""
    type: str = ""
    code: str | None = None
    param: str | None = None


def scrub(text: str) -> str:
    """An upstream's words without addresses, keys and stack traces, at most MESSAGE_LIMIT characters, one
    line.
    """
    text = text[:_SCAN_LIMIT]
    trace = _TRACE.search(text)
    if trace is not None:
        text = text[: trace.start()]
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    text = " ".join(text.split())
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 3] + "..."


def words(body: bytes) -> Words:
    """The words of an error body. Empty for HTML and for what cannot be read."""
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:_SCAN_LIMIT].decode("utf-8", "replace").strip()
        return Words() if text.startswith("<") else Words(message=scrub(text))
    return from_object(doc)


def from_object(doc: Any) -> Words:
    """The words of an error object, parsed: the whole body, or the event of a stream."""
    if not isinstance(doc, dict):
        return Words(message=scrub(doc)) if isinstance(doc, str) else Words()
    error = doc.get("error")
    if isinstance(error, str):
        return Words(message=scrub(error), type=_text(doc.get("error_type")))
    if isinstance(error, dict):
        doc = error
    elif "detail" in doc:
        return _detail(doc["detail"])
    message = doc.get("message")
    kind = _text(doc.get("type"))
    return Words(
        message=scrub(message if isinstance(message, str) else ""),
        type=kind or _text(doc.get("error_type")),
        # An integer code repeats the status; clients expect a word or nothing.
        code=_text(doc.get("code")) or None,
        param=_text(doc.get("param")) or None,
    )


def is_error(doc: dict[str, Any]) -> bool:
    """Whether an answer, or an event of it, tells of an error and nothing else."""
    return doc.get("error") is not None or doc.get("type") == "error" or doc.get("object") == "error"


def inside(data: bytes) -> Fault:
    """The error inside an answer whose status said that all was well."""
    try:
        doc = orjson.loads(data)
    except orjson.JSONDecodeError:
        doc = None
    said = from_object(doc) if doc is not None else words(data)
    return fault_of(_status_inside(doc, said), said)


def _status_inside(doc: Any, said: Words) -> int:
    error = doc.get("error") if isinstance(doc, dict) else None
    for place in (error, doc):
        if isinstance(place, dict):
            for key in ("http_status_code", "status", "code", "status_code"):
                value = place.get(key)
                if type(value) is int and 400 <= value < 600:
                    return value
    return _TYPES.get(said.type) or _TYPES.get(said.code or "") or 500


def of_answer(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """An error answer."""
    return fault_of(status, words(body), retry_after(headers))


def fault_of(status: int, said: Words, retry_after_s: float | None = None) -> Fault:
    """Classifies an error: whose fault it is, and whether another model would fail in the same way."""
    message = said.message or f"the upstream answered with status {status}"
    code = (said.code or "").lower()
    if status in (401, 402, 403) and code not in _POLICY_CODES:
        return Fault("auth", message, status, said.type, said.code, None, retry_after_s)
    if code in _POLICY_CODES or (status in (400, 403, 422) and _POLICY.search(message)):
        return Fault("status", message, status, said.type, said.code or POLICY_CODE, said.param, final=True)
    if status == 429:
        return Fault("rate_limited", message, status, said.type, said.code, None, retry_after_s)
    if code == CONTEXT_CODE or (status in (400, 413, 422, 500) and _is_context(message, said)):
        status = status if status < 500 else 400
        kind = said.type if status < 500 and said.type else "invalid_request_error"
        return Fault("status", message, status, kind, CONTEXT_CODE, said.param)
    if status == 500 and _VALIDATION.match(message):
        # This server's mistake of status; another server may well accept the request.
        return Fault("status", message, 400, "invalid_request_error", said.code, said.param)
    if status == 400 and (code == "model_not_found" or _UNKNOWN_MODEL.search(message)):
        return Fault("status", message, 404, said.type, said.code, said.param)
    final = status in _FINAL and not _UNKNOWN_FIELD.search(message)
    return Fault("status", message, status, said.type, said.code, said.param, retry_after_s, final)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until another try makes sense: `retry-after-ms`, then `retry-after` in seconds or as a date, then the end
    of the rate limits that are used up.

    A date counts from the answer's own `date`, so that no clock is needed. None for garbage.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, RETRY_AFTER_LIMIT_S)
    value = headers.get("retry-after")
    seconds = _seconds(value)
    if seconds is None and value and "date" in headers:
        try:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds is None:
        seconds = limits.resets_in(headers)
    if seconds is None:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_S)


def _is_context(message: str, said: Words) -> bool:
    return said.param == "input_tokens" or said.type == "exceed_context_size_error" or bool(_CONTEXT.search(message))


def _detail(detail: Any) -> Words:
    if isinstance(detail, str):
        return Words(message=scrub(detail))
    if not isinstance(detail, list):
        return Words()
    texts = []
    place = None
    for item in detail[:5]:
        if isinstance(item, dict) and isinstance(item.get("msg"), str):
            where = item.get("loc")
            path = ".".join(str(part) for part in where if part != "body") if isinstance(where, list) else ""
            place = place or path
            texts.append(f"{path}: {item['msg']}" if path else item["msg"])
    return Words(message=scrub("; ".join(texts)), param=_text(place) or None)


def _text(value: Any) -> str:
    """A word such as a code, at most 100 characters. Nothing where it says what a client must not see: half a secret
    is one, so it is looked at before it is cut."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > MESSAGE_LIMIT:
        return ""
    if _WORD.fullmatch(value):
        return value[:100]
    return value[:100] if scrub(value) == " ".join(value.split()) else ""


def _seconds(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
