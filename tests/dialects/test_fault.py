import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import get_args

import openai
import pytest

from llm_inference_router.dialects.fault import frame_error, render, to_error
from llm_inference_router.errors import Busy, InvalidRequest, NotFound, RouterError, UpstreamBroken
from llm_inference_router.types import Fault
from llm_inference_router.vocabulary import FaultKind


def test_the_shape_is_openai_s() -> None:
    status, headers, body = render(InvalidRequest("No.", param="messages[0]", code="invalid_type"), "req-1")
    assert status == 400
    assert dict(headers) == {"content-type": "application/json", "x-request-id": "req-1"}
    assert json.loads(body) == {
        "error": {
            "message": "No.",
            "type": "invalid_request_error",
            "param": "messages[0]",
            "code": "invalid_type",
        }
    }


def test_a_request_that_never_had_an_id_gets_no_header_for_it() -> None:
    assert dict(render(InvalidRequest("No."), "")[1]) == {"content-type": "application/json"}


def test_waiting_is_advised_in_whole_seconds() -> None:
    _, headers, _ = render(Busy("Full.", retry_after_s=0.2, should_retry=True), "r")
    assert dict(headers)["retry-after"] == "1"
    assert dict(headers)["x-should-retry"] == "true"


NO_RETRY = {"x-should-retry": "false"}
UNAVAILABLE = ("upstream_unavailable", "upstream_error")
CONTEXT = "context_length_exceeded"
INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("fault", "status", "code", "type_", "headers"),
    [
        (Fault("connect", "refused"), 502, *UNAVAILABLE, NO_RETRY),
        (Fault("connect", "all rest", retry_after_s=7), 503, *UNAVAILABLE, {"retry-after": "7"}),
        (Fault("timeout.first_token", "slow"), 502, *UNAVAILABLE, NO_RETRY),
        (Fault("status", "x", 500), 503, *UNAVAILABLE, {"retry-after": "5"}),
        (Fault("status", "x", 529, retry_after_s=9), 503, *UNAVAILABLE, {"retry-after": "9"}),
        (Fault("auth", "bad key", 401), 502, "upstream_auth", "upstream_error", NO_RETRY),
        (Fault("status", "gone", 404), 502, "upstream_not_found", "upstream_error", NO_RETRY),
        (Fault("status", "late", 408), 502, *UNAVAILABLE, NO_RETRY),
        (Fault("malformed", "not JSON"), 502, "upstream_malformed", "upstream_error", NO_RETRY),
        (Fault("truncated", "cut"), 502, "upstream_truncated", "upstream_error", NO_RETRY),
        (
            Fault("rate_limited", "slow", 429, retry_after_s=3),
            429,
            "rate_limit_exceeded",
            "rate_limit_error",
            {"retry-after": "3"},
        ),
        (
            Fault("status", "bad", 400, "BadRequestError", final=True),
            400,
            "upstream_rejected",
            "BadRequestError",
            {},
        ),
        (Fault("status", "big", 413, final=True), 413, "upstream_rejected", INVALID, {}),
        (Fault("status", "odd", 422, "Validation", "c", final=True), 422, "c", "Validation", {}),
        (Fault("status", "long", 400, code=CONTEXT), 400, CONTEXT, INVALID, {}),
        (Fault("status", "no", 403, code="moderation", final=True), 403, "moderation", INVALID, {}),
    ],
)
def test_what_a_client_is_told(fault: Fault, status: int, code: str, type_: str, headers: dict[str, str]) -> None:
    got, got_headers, body = render(to_error(fault), "r")
    error = json.loads(body)["error"]
    assert (got, error["code"], error["type"]) == (status, code, type_)
    assert headers.items() <= dict(got_headers).items()
    if fault.final or fault.code:
        assert error["message"] == fault.message


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_every_kind_of_fault_has_a_face(kind: FaultKind) -> None:
    error = to_error(Fault(kind, "words"))
    assert isinstance(error, RouterError)
    assert 400 <= error.http_status < 600


class Scripted(BaseHTTPRequestHandler):
    """Answers every POST with one scripted exchange."""

    answer: tuple[int, tuple[tuple[str, str], ...], bytes]

    def do_POST(self) -> None:
        status, headers, body = self.answer
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def client(answer: tuple[int, tuple[tuple[str, str], ...], bytes]) -> Iterator[openai.OpenAI]:
    server = HTTPServer(("127.0.0.1", 0), type("One", (Scripted,), {"answer": answer}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        with openai.OpenAI(api_key="k", base_url=url, max_retries=0) as one:
            yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_official_client_reads_status_and_words() -> None:
    with (
        client(render(NotFound("No such model.", param="model"), "req-9")) as one,
        pytest.raises(openai.NotFoundError) as raised,
    ):
        one.chat.completions.create(model="x", messages=[])
    assert raised.value.code == "model_not_found"
    assert raised.value.param == "model"
    assert raised.value.request_id == "req-9"


def test_the_official_client_raises_for_an_error_inside_a_stream() -> None:
    content = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    content += frame_error(UpstreamBroken("It broke off."), "req-1")
    with client((200, (("content-type", "text/event-stream"),), content)) as one:
        stream = one.chat.completions.create(model="x", messages=[], stream=True)
        next(stream)
        with pytest.raises(openai.APIError, match="It broke off") as raised:
            next(stream)
    assert raised.value.code == "upstream_truncated"
