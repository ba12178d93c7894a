"""The official anthropic client against the router, over upstreams that speak Messages and others that speak chat."""

from collections.abc import Iterator
from typing import Any

import anthropic
import orjson
import pytest
from anthropic import Anthropic

from tests.clients.claude import CHAT, HELLO, MESSAGES, TOOL, wanted
from tests.clients.replay import replays, said, upstream_answers
from tests.clients.test_anthropic_upstream import given
from tests.serving.claude import Claude
from tests.serving.messages import built, judge, named_events
from tests.serving.router import Router, serving
from tests.serving.upstream import Upstream, answers, fails, sends, whole
from tests.traces.read import Trace, trace, traces

# Random weights called a tool with what no client could read, which is a fault.
UNREADABLE = "vllm-random/24-tools_named"
COUNTS = traces(MESSAGES + "/count_tokens")


def each(path: str, *, stream: bool) -> pytest.MarkDecorator:
    found = [one for one in traces(path, stream=stream, ok=True) if b'"n": ' not in one.request]
    found = [one for one in found if one.id != UNREADABLE]
    assert len(found) > 3
    return pytest.mark.parametrize("exchange", found, ids=[one.id for one in found])


@pytest.fixture
def client(router: Router) -> Iterator[Anthropic]:
    with Anthropic(base_url=router.url, api_key="unused", timeout=20, max_retries=0) as made:
        yield made


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


@pytest.mark.parametrize("exchange", COUNTS, ids=[one.id for one in COUNTS])
def test_a_recorded_count_is_passed_on_and_where_there_is_none_the_estimate_stands(
    client: Anthropic, router: Router, backend: Upstream, exchange: Trace
) -> None:
    backend.behaviours["claude-upstream"] = replays(exchange)
    body = orjson.loads(exchange.request) | {"model": "auto"}
    tags = {"x-router-tags": "server=claude"}
    counted = client.messages.count_tokens(**body, extra_headers=tags).input_tokens
    [asked] = backend.requests
    assert asked.head.startswith(f"POST {exchange.path} ")
    assert asked.body == body | {"model": "claude-upstream"}
    if exchange.status == 200:
        assert counted == orjson.loads(exchange.body)["input_tokens"]
    else:
        decided = router.ask("/v1/route", body | {"max_tokens": 5}, headers=tags).json()
        assert counted == decided["signals"]["prompt_tokens"]


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
