"""Errors as the official anthropic client raises them, and as they stand on the wire."""

from collections.abc import Iterator
from typing import Any

import anthropic
import orjson
import pytest
from anthropic import Anthropic
from anthropic.types import Message

from tests.clients.claude import CHAT, HELLO, MESSAGES, wanted
from tests.clients.test_anthropic_upstream import given
from tests.serving.router import Router, serving
from tests.serving.upstream import Upstream, sends, whole
from tests.traces.read import traces


@pytest.fixture
def client(router: Router) -> Iterator[Anthropic]:
    with Anthropic(base_url=router.url, api_key="unused", timeout=20, max_retries=0) as made:
        yield made


def error_of(error: anthropic.APIStatusError, kind: str) -> str:
    """The message, after a look at the shape."""
    assert isinstance(error.body, dict)
    assert set(error.body) == {"type", "error", "request_id"}
    assert error.body["type"] == "error"
    assert set(error.body["error"]) == {"type", "message"}
    assert error.body["error"]["type"] == kind
    assert error.request_id == error.body["request_id"]
    return str(error.body["error"]["message"])


def test_a_wrong_place_is_named(client: Anthropic) -> None:
    turns: Any = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text"}]}]
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**wanted(messages=turns))
    assert error_of(caught.value, "invalid_request_error") == "messages.0.content.1.text: Field required"


def test_an_unknown_model_is_not_found(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(**wanted(model="nobody"))
    assert "nobody" in error_of(caught.value, "not_found_error")


@pytest.mark.proves(
    "messages", "anthropic", "errors", stream=False, evidence="specification", client="anthropic (Python)"
)
def test_what_the_provider_refuses_is_passed_on(client: Anthropic, backend: Upstream) -> None:
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": "temperature: too hot"}}
    backend.behaviours["claude-upstream"] = sends(whole(refusal, 400))
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**wanted())
    assert error_of(caught.value, "invalid_request_error") == "temperature: too hot"


@pytest.mark.proves(
    "messages", "compatible", "context_overflow", stream=False, evidence="scripted", client="anthropic (Python)"
)
def test_a_prompt_that_is_too_long_is_told_in_anthropics_words(client: Anthropic, backend: Upstream) -> None:
    long = {"error": {"message": "maximum context length is 10 tokens", "type": "x", "code": "context_length_exceeded"}}
    backend.behaviours["plain"] = sends(whole(long, 400))
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**wanted(model="plain", tools=[]))
    message = error_of(caught.value, "invalid_request_error")
    assert message == "prompt is too long: maximum context length is 10 tokens"


def test_an_overloaded_upstream_is_not_asked_again_by_the_client(router: Router, backend: Upstream) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    backend.behaviours["claude-upstream"] = sends(whole(overloaded, 529))
    with (
        Anthropic(base_url=router.url, api_key="unused", timeout=20) as client,
        pytest.raises(anthropic.InternalServerError) as caught,
    ):
        client.messages.create(**wanted())
    assert caught.value.status_code == 503
    error_of(caught.value, "overloaded_error")
    assert len(backend.requests) == int(caught.value.response.headers["x-router-attempts"])


def test_an_error_within_a_stream_is_the_clients_error(client: Anthropic, backend: Upstream) -> None:
    exchange = next(one for one in traces(MESSAGES, stream=True, ok=True) if given(one)[0]["text"])
    cut = exchange.body[: exchange.body.index(b"event: content_block_stop")]
    head = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n"
    backend.behaviours["claude-upstream"] = sends(head + cut, then="close")
    with pytest.raises(anthropic.APIStatusError) as caught, client.messages.stream(**wanted()) as stream:
        stream.get_final_message()
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "api_error"
    assert caught.value.body["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", MESSAGES, None, 405, "invalid_request_error"),
        ("GET", MESSAGES + "/count_tokens", None, 405, "invalid_request_error"),
        ("POST", MESSAGES + "/batches", {}, 404, "not_found_error"),
        ("POST", MESSAGES, b"{", 400, "invalid_request_error"),
        ("POST", MESSAGES + "/count_tokens", b"{", 400, "invalid_request_error"),
        ("POST", MESSAGES, b" " * 1_100_000, 413, "request_too_large"),
        ("POST", MESSAGES + "?beta=true", {}, 400, "invalid_request_error"),
    ],
)
def test_errors_have_anthropics_shape_everywhere(
    router: Router, method: str, path: str, body: Any, status: int, kind: str
) -> None:
    answer = router.ask(path, body, method)
    assert answer.status == status
    got = answer.json()
    assert (got["type"], got["error"]["type"], set(got["error"])) == ("error", kind, {"type", "message"})
    assert answer.headers["request-id"] == got["request_id"]


def test_broken_http_is_told_in_the_dialect_of_its_path(router: Router) -> None:
    for path, anthropics in ((MESSAGES, True), (MESSAGES + "/count_tokens?x=1", True), (CHAT, False)):
        answer = router.raw(f"POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        body = orjson.loads(answer.partition(b"\r\n\r\n")[2])
        assert (body.get("type") == "error") is anthropics
        assert "Host" in body["error"]["message"]


def test_a_header_that_cannot_be_sent_on_is_refused(router: Router, backend: Upstream) -> None:
    answer = router.ask(MESSAGES, wanted(extra_headers=None), headers={"anthropic-beta": "x" * 3000})
    assert answer.status == 400
    assert backend.requests == []


def test_keys_are_asked_for(tmp_path: Any, backend: Upstream) -> None:
    text = (
        "server: {keys: [{name: a, key: sk-router-right-key-0123456789, scopes: [inference]}]}\n"
        "models:\n  - {name: toy, backend: simulated, tier: small, location: local, context: 8192}\n"
        "routes:\n  auto: {models: [toy]}\n"
    )
    asked: Any = {"model": "auto", "max_tokens": 5, "messages": HELLO}
    with serving(tmp_path, text) as router:
        with Anthropic(base_url=router.url, api_key="sk-router-wrong-key-0123456789", max_retries=0) as client:
            with pytest.raises(anthropic.AuthenticationError) as caught:
                client.messages.create(**asked)
            error_of(caught.value, "authentication_error")
            with pytest.raises(anthropic.AuthenticationError) as caught:
                client.messages.count_tokens(model="auto", messages=HELLO)
            error_of(caught.value, "authentication_error")
        right = "sk-router-right-key-0123456789"
        for client in (Anthropic(base_url=router.url, api_key=right), Anthropic(base_url=router.url, auth_token=right)):
            with client:
                assert isinstance(client.messages.create(**asked), Message)
                assert client.messages.count_tokens(model="auto", messages=HELLO).input_tokens > 0
