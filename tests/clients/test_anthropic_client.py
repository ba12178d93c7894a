"""The official anthropic client against the router, over upstreams that speak Messages and others that speak chat."""

from collections.abc import Iterator
from typing import Any

import anthropic
import orjson
import pytest
from anthropic import Anthropic
from anthropic.types import Message

from tests.clients.replay import replays, said, upstream_answers
from tests.clients.test_anthropic_upstream import given
from tests.serving.claude import Claude
from tests.serving.messages import built, judge, named_events
from tests.serving.router import Router, serving
from tests.serving.upstream import Upstream, answers, fails, sends, whole
from tests.traces.read import Trace, trace, traces

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
HELLO: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL: Any = {
    "name": "get_weather",
    "description": "Get the weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


# Random weights called a tool with what no client could read, which is a fault.
UNREADABLE = "vllm-random/24-tools_named"


def each(path: str, *, stream: bool) -> pytest.MarkDecorator:
    found = [one for one in traces(path, stream=stream, ok=True) if b'"n": ' not in one.request]
    found = [one for one in found if one.id != UNREADABLE]
    assert len(found) > 3
    return pytest.mark.parametrize("exchange", found, ids=[one.id for one in found])


@pytest.fixture
def client(router: Router) -> Iterator[Anthropic]:
    with Anthropic(base_url=router.url, api_key="unused", timeout=20, max_retries=0) as made:
        yield made


def wanted(server: str = "claude", **fields: Any) -> dict[str, Any]:
    basis = {"model": "auto", "max_tokens": 1000, "messages": HELLO, "tools": [TOOL]}
    return basis | {"extra_headers": {"x-router-tags": f"server={server}"}} | fields


def streamed(router: Router, **fields: Any) -> dict[str, Any]:
    """The message of a raw stream, every event judged."""
    asked = wanted(**fields) | {"stream": True}
    answer = router.ask(MESSAGES, asked, headers=asked.pop("extra_headers"))
    assert answer.status == 200, answer.body
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    return built(named_events(answer.body))


# --- an upstream that speaks Messages: relayed ------------------------------------------------------------------------


@pytest.mark.proves(
    "messages",
    "anthropic",
    ["text", "tools", "usage", "finish_reasons"],
    stream=False,
    evidence="specification",
    client="anthropic (Python)",
)
@each(MESSAGES, stream=False)
def test_a_recorded_message_passes(client: Anthropic, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    raw = client.messages.with_raw_response.create(**wanted())
    got, sent = orjson.loads(raw.http_response.content), orjson.loads(exchange.body)
    judge(got)
    assert raw.parse()._request_id == raw.headers["request-id"] == raw.headers["x-request-id"]
    assert got["model"] == "claude"
    for name in ("id", "stop_reason"):
        assert got[name] == sent[name]
    texts, calls, _ = given(exchange)
    assert [b["text"] for b in got["content"] if b["type"] == "text"] == ([texts["text"]] if texts["text"] else [])
    assert [(b["name"], b["input"]) for b in got["content"] if b["type"] == "tool_use"] == calls
    if sent["usage"]["input_tokens"]:
        assert got["usage"] == sent["usage"]


@pytest.mark.proves("messages", "anthropic", "reasoning", stream=True, evidence="specification")
@each(MESSAGES, stream=True)
def test_a_recorded_message_stream_passes(router: Router, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    got = streamed(router)
    texts, calls, stop = given(exchange)
    assert got["model"] == "claude"
    assert "".join(b["text"] for b in got["content"] if b["type"] == "text") == texts["text"]
    assert "".join(b["thinking"] for b in got["content"] if b["type"] == "thinking") == texts["thinking"]
    assert [(b["name"], b["input"]) for b in got["content"] if b["type"] == "tool_use"] == calls
    assert got["stop_reason"] == stop


@pytest.mark.proves(
    "messages",
    "anthropic",
    ["text", "tools", "finish_reasons"],
    stream=True,
    evidence="specification",
    client="anthropic (Python)",
)
@each(MESSAGES, stream=True)
def test_the_clients_accumulator_rebuilds_a_message(client: Anthropic, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    with client.messages.stream(**wanted()) as stream:
        got = stream.get_final_message()
    texts, calls, stop = given(exchange)
    assert "".join(b.text for b in got.content if b.type == "text") == texts["text"]
    assert [(b.name, b.input) for b in got.content if b.type == "tool_use"] == calls
    assert got.stop_reason == stop


@pytest.mark.proves(
    "messages",
    "anthropic",
    ["system", "caching", "stop", "web_search", "metadata", "service_tier", "unknown_fields"],
    stream=False,
    evidence="specification",
    client="anthropic (Python)",
)
def test_what_the_client_says_reaches_an_upstream_of_its_dialect_as_it_is(client: Anthropic, backend: Upstream) -> None:
    claude = Claude([[{"type": "text", "text": "Fine."}]])
    backend.behaviours["claude-upstream"] = claude
    asked: dict[str, Any] = {
        "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "stop_sequences": ["###"],
        "tools": [TOOL, {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u1"},
        "service_tier": "standard_only",
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "max"},
        "extra_body": {
            "top_k": 5,
            "container": "c1",
            "mcp_servers": [{"type": "url", "name": "m", "url": "https://m.example"}],
        },
    }
    beta = {"anthropic-beta": "a-2025-01-01,b-2025-02-02", "anthropic-version": "2023-01-01"}
    tags = {"x-router-tags": "server=claude"}
    raw = client.messages.with_raw_response.create(**wanted(**asked, extra_headers=tags | beta))
    extra = asked.pop("extra_body")
    expected = {"model": "claude-upstream", "max_tokens": 1000, "messages": HELLO, **asked, **extra}
    assert claude.asked == [expected]
    assert "x-router-warnings" not in raw.headers
    head = backend.requests[0].head.lower()
    assert all(f"{name}: {value}" in head for name, value in beta.items())


def test_a_limit_above_the_models_own_is_lowered(client: Anthropic, backend: Upstream) -> None:
    claude = Claude([[{"type": "text", "text": "Fine."}]])
    backend.behaviours["claude-upstream"] = claude
    thinking = {"type": "enabled", "budget_tokens": 10_000}
    raw = client.messages.with_raw_response.create(**wanted(max_tokens=16_000, thinking=thinking))
    assert claude.refused == []
    assert claude.asked[0]["max_tokens"] == 4096
    assert claude.asked[0]["thinking"] == {"type": "enabled", "budget_tokens": 4095}
    assert raw.headers["x-router-warnings"] == "warning;clamped;max_tokens, warning;clamped;thinking"


# --- an upstream that speaks chat: translated -------------------------------------------------------------------------


def joined(message: dict[str, Any]) -> dict[tuple[int, str], str]:
    """A message as `said` joins a chat answer."""
    total: dict[tuple[int, str], str] = {}
    number = 0
    for block in message["content"]:
        if block["type"] == "tool_use":
            total[0, f"tool {number} name"] = block["name"]
            total[0, f"tool {number} arguments"] = orjson.dumps(block["input"]).decode()
            number += 1
        else:
            name = {"text": "content", "thinking": "reasoning"}[block["type"]]
            total[0, name] = total.get((0, name), "") + block[block["type"]]
    return total


def same_as(message: dict[str, Any], exchange: Trace) -> None:
    expected = said(upstream_answers(exchange))
    for (choice, name), text in list(expected.items()):
        if name.endswith("arguments"):
            expected[choice, name] = orjson.dumps(orjson.loads(text)).decode()
    assert joined(message) == expected


@pytest.mark.proves(
    "messages",
    ["vllm", "llamacpp", "transformers"],
    ["text", "usage"],
    stream=False,
    evidence="recorded",
    client="anthropic (Python)",
)
@each(CHAT, stream=False)
def test_a_recorded_chat_answer_becomes_a_message(client: Anthropic, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    raw = client.messages.with_raw_response.create(**wanted(exchange.server))
    got = orjson.loads(raw.http_response.content)
    judge(got)
    assert got["model"] == exchange.server
    text = joined(got)
    expected = said(upstream_answers(exchange))
    assert text.get((0, "content"), "") == expected.get((0, "content"), "")
    usage = orjson.loads(exchange.body).get("usage")
    if usage:
        assert got["usage"]["output_tokens"] == usage["completion_tokens"]


@pytest.mark.proves(
    "messages", "vllm", "broken_answers", stream=False, evidence="recorded", client="anthropic (Python)"
)
def test_a_call_that_no_client_could_read_is_an_error_and_no_message(client: Anthropic, backend: Upstream) -> None:
    exchange = trace(UNREADABLE)
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    with pytest.raises(anthropic.InternalServerError, match="no JSON object") as caught:
        client.messages.create(**wanted(exchange.server))
    assert caught.value.status_code == 502


@pytest.mark.proves("messages", ["vllm", "llamacpp", "transformers"], "text", stream=True, evidence="recorded")
@pytest.mark.proves("messages", "vllm", ["tools", "reasoning"], stream=True, evidence="recorded")
@each(CHAT, stream=True)
def test_a_recorded_chat_stream_becomes_a_message_stream(router: Router, backend: Upstream, exchange: Trace) -> None:
    backend.behaviours[f"{exchange.server}-upstream"] = replays(exchange)
    same_as(streamed(router, server=exchange.server), exchange)


@pytest.mark.proves(
    "messages",
    "vllm",
    ["tools", "parallel_tools", "tool_results"],
    stream=False,
    evidence="scripted",
    client="anthropic (Python)",
)
def test_parallel_calls_and_their_results_go_there_and_back(client: Anthropic, backend: Upstream) -> None:
    calls = [
        {
            "id": f"call_{city}_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": f'{{"city":"{city}"}}'},
        }
        for city in ("Paris", "Rome")
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "tool_calls": calls},
        "finish_reason": "tool_calls",
    }
    backend.behaviours["vllm-upstream"] = sends(whole({"id": "c", "choices": [choice]}))
    asked = wanted("vllm", tool_choice={"type": "any", "disable_parallel_tool_use": False})
    first = client.messages.create(**asked)
    assert [(block.type, block.input) for block in first.content if block.type == "tool_use"] == [
        ("tool_use", {"city": "Paris"}),
        ("tool_use", {"city": "Rome"}),
    ]
    backend.behaviours["vllm-upstream"] = answers("Both are fine.")
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "21 degrees"}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = client.messages.create(**wanted("vllm", messages=turns))
    assert second.stop_reason == "end_turn"
    one, two = (request.body for request in backend.requests)
    assert one["tool_choice"] == "required"
    assert two["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"} for call in calls),
    ]


def test_an_image_goes_to_a_model_that_sees(client: Anthropic, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = answers("A cat.")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
    content = [image, {"type": "text", "text": "What is it?"}]
    client.messages.create(**wanted("vllm", messages=[{"role": "user", "content": content}]))
    assert backend.requests[0].body["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "text", "text": "What is it?"},
    ]
    with pytest.raises(anthropic.BadRequestError, match="vision"):
        client.messages.create(
            **wanted("vllm", model="text", messages=[{"role": "user", "content": content}], tools=[])
        )


def test_the_decision_comes_with_the_answer_where_it_is_asked_for(client: Anthropic, backend: Upstream) -> None:
    backend.behaviours["vllm-upstream"] = answers("Fine.")
    headers = {"x-router-tags": "server=vllm", "x-router-explain": "true"}
    answer = client.messages.create(**wanted("vllm", extra_headers=headers))
    assert (answer.model_extra or {})["router"]["model"] == "vllm"
    with client.messages.stream(**wanted("vllm", extra_headers=headers)) as stream:
        last = next(one for one in stream if one.type == "message_delta")
    assert (last.model_extra or {})["router"]["model"] == "vllm"


def test_simulated_models_answer_it(tmp_path: Any) -> None:
    models = "models:\n  - {name: toy, backend: simulated, tier: small, location: local, context: 8192}\n"
    hello: Any = [{"role": "user", "content": "Hello"}]
    with (
        serving(tmp_path, models + "routes:\n  auto: {models: [toy]}\n") as router,
        Anthropic(base_url=router.url, api_key="unused") as client,
    ):
        judge(client.messages.create(model="auto", max_tokens=50, messages=hello).to_dict())
        with client.messages.stream(model="auto", max_tokens=50, messages=HELLO, tools=[TOOL]) as stream:
            called = stream.get_final_message()
    assert [block.type for block in called.content] == ["tool_use"]


# --- counting ---------------------------------------------------------------------------------------------------------


@pytest.mark.proves("messages", "anthropic", "token_counts", evidence="specification", client="anthropic (Python)")
def test_tokens_are_counted_by_the_provider_that_would_answer(client: Anthropic, backend: Upstream) -> None:
    claude = Claude([])
    backend.behaviours["claude-upstream"] = claude
    tags = {"x-router-tags": "server=claude"}
    asked: Any = {"model": "auto", "messages": HELLO, "system": "Be short.", "extra_headers": tags}
    assert client.messages.count_tokens(**asked).input_tokens == 4242
    assert backend.requests[0].body == {"model": "claude-upstream", "messages": HELLO, "system": "Be short."}


@pytest.mark.parametrize("server", ["vllm", "claude"])
def test_tokens_are_estimated_where_nobody_counts(client: Anthropic, backend: Upstream, server: str) -> None:
    backend.behaviours["claude-upstream"] = fails(500)
    tags = {"x-router-tags": f"server={server}"}
    short = client.messages.count_tokens(model="auto", messages=HELLO, extra_headers=tags).input_tokens
    long: Any = [{"role": "user", "content": "What is the weather in Paris? " * 100}]
    asked = client.messages.count_tokens(model="auto", messages=long, tools=[TOOL], extra_headers=tags)
    assert 8 <= short <= 20
    assert 600 <= asked.input_tokens <= 1000
    assert len(backend.requests) == (0 if server == "vllm" else 2)


def test_what_nobody_could_answer_can_be_counted(client: Anthropic) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x.example/cat.png"}}
    turns: Any = [{"role": "user", "content": [image]}]
    assert client.messages.count_tokens(model="text", messages=turns).input_tokens > 500
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="nobody", messages=turns)


def test_the_estimate_is_that_of_routing(router: Router) -> None:
    body = {"model": "auto", "system": "Be short.", "messages": HELLO, "tools": [TOOL]}
    tags = {"x-router-tags": "server=vllm"}
    counted = router.ask(MESSAGES + "/count_tokens", body, headers=tags).json()
    decided = router.ask("/v1/route", body | {"max_tokens": 5}, headers=tags).json()
    assert counted == {"input_tokens": decided["signals"]["prompt_tokens"]}
    assert decided["chosen"] == "vllm"
    assert decided["signals"]["needs"] == ["tools"]


# --- errors -----------------------------------------------------------------------------------------------------------


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
