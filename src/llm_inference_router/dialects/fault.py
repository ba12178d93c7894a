"""Errors on the wire: what a client is told of each, and OpenAI's shape of it.

{"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
"""

import math
from typing import Any, Final

import orjson

from llm_inference_router.dialects.sse import frame
from llm_inference_router.errors import (
    RouterError,
    UpstreamBroken,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnavailable,
)
from llm_inference_router.types import Fault

Rendered = tuple[int, tuple[tuple[str, str], ...], bytes]

RETRY_AFTER_S: Final = 5.0  # advised when every upstream is ill and none said how long
CONTEXT_CODE: Final = "context_length_exceeded"

_WORDS: Final = {
    "connect": "no connection to the upstream",
    "dns": "the upstream's name does not resolve",
    "tls": "no trusted connection to the upstream",
    "reset": "the upstream closed the connection",
    "timeout.connect": "the upstream did not accept a connection in time",
    "timeout.first_token": "the upstream stayed silent too long",
    "timeout.idle": "the upstream fell silent",
    "timeout.total": "the answer took longer than allowed",
}


def render(error: RouterError, request_id: str) -> Rendered:
    """Status, headers and body of an error answer."""
    return error.http_status, headers_of(error, request_id), orjson.dumps(_object(error))


def headers_of(error: RouterError, request_id: str) -> tuple[tuple[str, str], ...]:
    """The headers of an error answer in any dialect. Without an id where there is none."""
    headers = [("content-type", "application/json")]
    if request_id:
        headers.append(("x-request-id", request_id))
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(0, math.ceil(error.retry_after_s)))))
    if error.should_retry is not None:
        headers.append(("x-should-retry", "true" if error.should_retry else "false"))
    return tuple(headers)


def frame_error(error: RouterError, request_id: str) -> bytes:
    """The frame that ends a stream whose answer broke. No end marker follows it."""
    body = _object(error)
    body["error"]["request_id"] = request_id
    return frame(orjson.dumps(body))


def to_error(fault: Fault) -> RouterError:
    """What the client is told when no other model could answer after this fault of the last one.

    The client's own mistakes come back with the upstream's status and words; everything else becomes one of
    ours.
    """
    kind = fault.kind
    if kind == "auth":
        # The credentials are the router's, not the client's, so the upstream's words would only mislead.
        return UpstreamError("The upstream refused the router's credentials.", code="upstream_auth", should_retry=False)
    if kind == "rate_limited":
        return UpstreamRejected(
            fault.message,
            status=429,
            type="rate_limit_error",
            code=fault.code or "rate_limit_exceeded",
            param=None,
            # Always said: a client that comes back before the endpoint has rested would only meet its rest.
            retry_after_s=RETRY_AFTER_S if fault.retry_after_s is None else fault.retry_after_s,
        )
    if kind == "malformed":
        message = f"The upstream's answer could not be read: {fault.message}."
        return UpstreamError(message, code="upstream_malformed", should_retry=False)
    if kind == "truncated":
        return UpstreamBroken("The upstream's answer broke off before its end.", should_retry=False)
    if kind == "status":
        return _status(fault)
    message = f"No model could answer: {_WORDS.get(kind, 'the upstream failed')}."
    if fault.retry_after_s is not None:  # nothing was asked, since every endpoint rests
        return UpstreamUnavailable(message, status=503, retry_after_s=fault.retry_after_s)
    return UpstreamUnavailable(message)


def _status(fault: Fault) -> RouterError:
    if fault.final or fault.code == CONTEXT_CODE or fault.status in (400, 413, 422):
        return UpstreamRejected(
            fault.message,
            status=fault.status if 400 <= fault.status < 500 else 400,
            type=fault.type,
            code=fault.code,
            param=fault.param,
        )
    if fault.status >= 500:
        retry = RETRY_AFTER_S if fault.retry_after_s is None else fault.retry_after_s
        message = f"No model could answer: the upstream failed with status {fault.status}."
        return UpstreamUnavailable(message, status=503, retry_after_s=retry)
    if fault.status == 404:
        message = "The upstream does not know the model or the path that it is configured for."
        return UpstreamError(message, code="upstream_not_found", should_retry=False)
    return UpstreamUnavailable(f"No model could answer: the upstream refused with status {fault.status}.")


def _object(error: RouterError) -> dict[str, dict[str, Any]]:
    return {
        "error": {
            "message": error.message,
            "type": error.error_type,
            "param": error.param,
            "code": error.code,
        }
    }
