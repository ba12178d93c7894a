import orjson
import pytest

from llm_inference_router import errors
from llm_inference_router.dialects.messages_error import render

EACH = [
    (errors.InvalidRequest("x"), 400, "invalid_request_error"),
    (errors.Unauthorized("x"), 401, "authentication_error"),
    (errors.UpstreamRejected("x", status=402, type="", code=None, param=None), 402, "billing_error"),
    (errors.Forbidden("x"), 403, "permission_error"),
    (errors.NotFound("x"), 404, "not_found_error"),
    (errors.MethodNotAllowed("x"), 405, "invalid_request_error"),
    (errors.RequestTimeout("x"), 408, "timeout_error"),
    (errors.IdempotencyConflict("x", code="idempotency_in_progress"), 409, "invalid_request_error"),
    (errors.TooLarge("x"), 413, "request_too_large"),
    (errors.Unservable("x"), 422, "invalid_request_error"),
    (errors.Busy("x", retry_after_s=1.2), 429, "rate_limit_error"),
    (errors.Internal("x"), 500, "api_error"),
    (errors.UpstreamUnavailable("x"), 502, "api_error"),
    (errors.Draining("x"), 503, "overloaded_error"),
]


@pytest.mark.parametrize(("error", "status", "kind"), EACH, ids=[type(error).__name__ for error, _, _ in EACH])
def test_the_type_follows_the_status(error: errors.RouterError, status: int, kind: str) -> None:
    got, headers, body = render(error, "req_1")
    assert got == status
    assert orjson.loads(body) == {
        "type": "error",
        "error": {"type": kind, "message": "x"},
        "request_id": "req_1",
    }
    assert ("request-id", "req_1") in headers


def test_a_client_is_told_when_to_come_back_and_whether() -> None:
    _, headers, _ = render(errors.Busy("x", retry_after_s=1.2), "req_1")
    assert {("retry-after", "2"), ("x-should-retry", "true")} <= set(headers)
    _, headers, _ = render(errors.UpstreamUnavailable("x"), "")
    assert dict(headers) == {"content-type": "application/json", "x-should-retry": "false"}


def test_a_prompt_that_is_too_long_is_told_in_anthropics_words_once() -> None:
    for said in ("maximum context length is 10", "prompt is too long: 20 tokens > 10 maximum"):
        error = errors.UpstreamRejected(said, status=400, type="", code="context_length_exceeded", param=None)
        message = orjson.loads(render(error, "")[2])["error"]["message"]
        assert message.lower().count("prompt is too long") == 1
        assert message.endswith(said)
