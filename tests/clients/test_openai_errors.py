"""What goes wrong reaches the official client as its right exception, with our body, and is not asked in vain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from openai import OpenAI

from tests.clients.replay import CHAT, replays
from tests.serving.router import Router, config, serving
from tests.serving.upstream import STREAM_HEAD, Upstream, delta, event, sends, upstream, whole
from tests.traces.read import Trace, trace, traces

ERRORS = traces(CHAT, ok=False)
KEYS = "server: {keys: [{name: team, key: sk-team}, {name: ops, key: sk-ops, scopes: [admin]}]}"
# What the client is given for an upstream's status. What is wrong between the router and its upstream is no mistake of
# the client; llama-cpp-python's 500 for a request that it finds invalid is.
EXPECTED = {400: {400}, 404: {502}, 422: {422}, 500: {503, 400}}


def ask(client: OpenAI, model: str = "auto", text: str = "Hello", server: str = "vllm", **fields: Any) -> Any:
    fields["extra_headers"] = {"x-router-tags": f"server={server}"} | fields.get("extra_headers", {})
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


def has_our_shape(error: openai.APIStatusError) -> None:
    """The body is the `error` object of OpenAI's shape, and its fields are the exception's."""
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    assert isinstance(error.body["message"], str)
    assert isinstance(error.body["type"], str)
    assert error.body["message"]
    assert error.body["type"]
    assert isinstance(error.body["param"], str | None)
    assert isinstance(error.body["code"], str)
    assert (error.code, error.param, error.type) == (error.body["code"], error.body["param"], error.body["type"])
    assert error.response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("exchange", ERRORS, ids=[one.id for one in ERRORS])
def test_a_recorded_error_ends_in_our_shape(client: OpenAI, backend: Upstream, exchange: Trace, stream: bool) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, server=exchange.server, stream=stream)
    error = caught.value
    has_our_shape(error)
    wrong_model = b"Server is pinned to" in exchange.body  # which is the configuration's mistake, not the client's
    assert error.status_code in EXPECTED[404 if wrong_model else exchange.status]
    assert len(backend.requests) == int(error.response.headers["x-router-attempts"])
    assert len(backend.requests) == 1 or exchange.status == 500
    assert "Traceback" not in error.message
    assert "/srv/" not in error.message


@pytest.mark.parametrize("name", ["vllm/49-err_ctx", "vllm/50-err_ctx_stream", "llama-cpp-python/49-err_ctx"])
def test_a_context_overflow_has_the_code_that_clients_look_for(client: OpenAI, backend: Upstream, name: str) -> None:
    exchange = trace(name)
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, server=exchange.server)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"messages": []}}, "messages"),
        ({"extra_body": {"messages": [{"role": "king", "content": "hi"}]}}, "messages[0].role"),
        ({"extra_headers": {"x-router-quality": "7"}}, "x-router-quality"),
    ],
)
def test_a_mistake_in_the_request_is_a_bad_request_that_names_the_place(
    client: OpenAI, backend: Upstream, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **fields)
    has_our_shape(caught.value)
    assert caught.value.param == param
    assert not backend.requests


def test_an_unknown_model_is_not_found(client: OpenAI, backend: Upstream) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "gpt-nonesuch")
    has_our_shape(caught.value)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-nonesuch")
    with pytest.raises(openai.NotFoundError) as caught:
        client.moderations.create(input="there is no such path")
    has_our_shape(caught.value)
    assert not backend.requests


def test_a_body_over_the_limit_is_413(client: OpenAI, backend: Upstream) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, text="x" * 2_000_000)
    has_our_shape(caught.value)
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")
    assert not backend.requests


def test_a_request_that_no_model_can_serve_is_400_with_the_reasons(client: OpenAI, backend: Upstream) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="text", messages=[{"role": "user", "content": [picture]}])  # type: ignore[misc, list-item]
    has_our_shape(caught.value)
    assert caught.value.code == "unsupported_by_models"
    assert 'No model of route "text" can serve this request: plain lacks vision.' in caught.value.message
    assert not backend.requests


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with (
        upstream() as server,
        serving(tmp_path_factory.mktemp("keys"), config(server.url, "one", extra=KEYS)) as running,
    ):
        yield running


def test_keys_that_are_wrong_missing_or_without_the_scope(keyed: Router) -> None:
    def as_key(key: str) -> OpenAI:
        return OpenAI(base_url=keyed.url + "/v1", api_key=key)

    with as_key("sk-team") as right:
        assert ask(right).choices[0].message.content == "Hello there."
    with as_key("sk-wrong") as wrong, pytest.raises(openai.AuthenticationError) as caught:
        ask(wrong)
    has_our_shape(caught.value)
    assert caught.value.code == "invalid_api_key"
    assert "sk-wrong" not in caught.value.message
    with as_key("sk-wrong") as wrong, pytest.raises(openai.AuthenticationError):
        wrong.models.list()
    with as_key("sk-ops") as unscoped, pytest.raises(openai.PermissionDeniedError) as denied:
        ask(unscoped)
    has_our_shape(denied.value)


BOOM = sends(whole({"error": {"message": "boom", "type": "server_error"}}, 500))


@pytest.mark.parametrize("stream", [False, True])
def test_after_our_own_tries_the_client_does_not_try_again(client: OpenAI, backend: Upstream, stream: bool) -> None:
    backend.behaviours["vllm-upstream"] = BOOM
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client.with_options(max_retries=5), stream=stream)
    headers = caught.value.response.headers
    has_our_shape(caught.value)
    assert caught.value.status_code == 503
    assert headers["x-should-retry"] == "false"
    assert len(backend.requests) == int(headers["x-router-attempts"]) <= 3


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_dead_upstream_is_502_once(client: OpenAI, backend: Upstream, then: str) -> None:
    backend.behaviours["vllm-upstream"] = sends(b"", then=then)
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client)
    has_our_shape(caught.value)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unavailable")
    assert len(backend.requests) == int(caught.value.response.headers["x-router-attempts"]) <= 3


def test_refused_credentials_of_the_router_are_no_authentication_error_of_the_client(tmp_path: Path) -> None:
    refuses = sends(whole({"error": {"message": "bad key sk-secret-of-router"}}, 401))
    with (
        upstream(one=refuses) as server,
        serving(tmp_path, config(server.url, "one")) as router,
        OpenAI(base_url=router.url + "/v1", api_key="unused") as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client)
        assert len(server.requests) == 1
    has_our_shape(caught.value)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_auth")
    assert "sk-secret" not in caught.value.message


ADVICE = ["", "Retry-After: 1\r\n", "Retry-After: 4\r\n"]  # none, a moment, longer than the router waits itself


@pytest.fixture(scope="module")
def limiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Router, Upstream]]:
    """A model for each case: a limit rests the endpoint that has it."""
    refusal = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    limits = {
        f"m{retries}-{n}": sends(whole(refusal, 429, ADVICE[n])) for retries in (0, 1) for n in range(len(ADVICE))
    }
    routes = "".join(f"  r-{name}: {{models: [{name}], policy: {{kind: fixed}}}}\n" for name in limits)
    with (
        upstream(**limits) as server,
        serving(tmp_path_factory.mktemp("limits"), config(server.url, *limits, extra=routes)) as router,
    ):
        yield router, server


@pytest.mark.parametrize("advice", ADVICE)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_rate_limit_stays_one_however_often_the_client_asks(
    limiting: tuple[Router, Upstream], retries: int, advice: str
) -> None:
    router, server = limiting
    name = f"m{retries}-{ADVICE.index(advice)}"
    with OpenAI(base_url=router.url + "/v1", api_key="unused", max_retries=retries) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client, model=f"r-{name}")
        tries = 3 if "Retry-After: 1\r" in advice else 1  # what is asked to wait a moment is, and asked again
        assert 1 <= len(server.asked(name)) <= tries * (1 + retries)
    has_our_shape(caught.value)
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_a_stream_that_breaks_raises_after_what_had_come(client: OpenAI, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = sends(
        STREAM_HEAD + event(delta("Half an ")) + event(delta("answer")), then="reset"
    )
    got = ""
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012 - what came before counts as well
        for chunk in ask(client, stream=True):
            got += chunk.choices[0].delta.content or ""
    assert got == "Half an answer"
    assert isinstance(caught.value.body, dict)
    assert caught.value.code == "upstream_truncated"
    assert caught.value.body["request_id"].startswith("req_")
    assert len(backend.requests) == 1


def test_an_error_inside_a_stream_before_content_is_an_exception_of_its_kind(client: OpenAI, backend: Upstream) -> None:
    words = orjson.dumps({"error": {"message": "no such thing", "type": "invalid_request_error", "code": 400}})
    backend.behaviours["vllm-upstream"] = sends(STREAM_HEAD + event(delta("", role="assistant")) + event(words))
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, stream=True)
    has_our_shape(caught.value)
    assert "no such thing" in caught.value.message
