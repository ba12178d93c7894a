"""Errors in Anthropic's shape: {"type": "error", "error": {"type", "message"}, "request_id"}.

An official client makes its exception from the status; the word in `type` is for people, and for clients that know the
words alone.
"""

from typing import Any, Final

import orjson

from llm_inference_router.dialects.fault import CONTEXT_CODE, Rendered, headers_of
from llm_inference_router.dialects.sse import named_frame
from llm_inference_router.errors import RouterError

_WORDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_TOO_LONG: Final = "prompt is too long"  # Anthropic's words; clients that shorten a conversation look for them


def error_object(error: RouterError, request_id: str) -> dict[str, Any]:
    status, message = error.http_status, error.message
    if error.code == CONTEXT_CODE and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    kind = _WORDS.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": message}}
    if request_id:
        body["request_id"] = request_id
    return body


def render(error: RouterError, request_id: str) -> Rendered:
    """Status, headers and body of an error answer."""
    headers = headers_of(error, request_id)
    if request_id:
        headers = (*headers, ("request-id", request_id))
    return error.http_status, headers, orjson.dumps(error_object(error, request_id))


def frame_error(error: RouterError, request_id: str) -> bytes:
    """The event that ends a stream whose answer broke. Nothing follows it."""
    return named_frame(b"error", orjson.dumps(error_object(error, request_id)))
