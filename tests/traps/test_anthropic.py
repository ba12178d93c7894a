"""Anthropic's traps, each by name. From specification: its published events, errors and headers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from llm_inference_router.backends.registry import backend
from tests.serving.router import events
from tests.serving.upstream import STREAM_HEAD, Behaviour, chunked, sends
from tests.serving.upstream import whole as page
from tests.traps.setting import Setting, encoded, has_fallen_back, is_error, setting, stream, text_of

anthropic = backend("anthropic")
MODEL = "claude-haiku-4-5"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello there."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2},
}


def event(kind: str, **fields: Any) -> bytes:
    """As the API frames it: named, and padded with spaces at the end."""
    return b"event: " + kind.encode() + b"\ndata: " + json.dumps({"type": kind, **fields}).encode() + b"      \n\n"


BEGUN = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}
START = event("message_start", message={**MESSAGE, "content": [], "stop_reason": None, "usage": BEGUN})


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    return (
        event("content_block_start", index=index, content_block=kind)
        + b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
        + event("content_block_stop", index=index)
    )


def end(reason: str = "end_turn", output: int = 7) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": output}) + event("message_stop")


TEXT = block(0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": part} for part in ("Hello", " there.")))


def streams(data: bytes) -> Behaviour:
    return sends(STREAM_HEAD + chunked(data) + b"0\r\n\r\n")


def error(status: int, kind: str, headers: str = "") -> Behaviour:
    body = {"type": "error", "error": {"type": kind, "message": f"of kind {kind}"}, "request_id": "req_011"}
    return sends(page(body, status, f"request-id: req_011\r\n{headers}"))


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with setting(tmp_path_factory.mktemp("anthropic"), "anthropic", upstream_model=MODEL) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "at" in request.fixturenames:
        request.getfixturevalue("at").fresh()


@pytest.fixture
def ill(tmp_path: Path) -> Iterator[Setting]:
    """A router of its own: after some errors an endpoint is left alone for seconds."""
    with setting(tmp_path, "anthropic", upstream_model=MODEL) as made:
        yield made


@pytest.mark.proves("chat", "anthropic", "text", evidence="specification")
@pytest.mark.parametrize("streamed", [False, True])
def test_json_is_padded_with_spaces_and_a_stream_has_no_done(at: Setting, streamed: bool) -> None:
    at.behaves(
        streams(START + event("ping") + TEXT + end()) if streamed else sends(page(orjson.dumps(MESSAGE) + b"   "))
    )
    reply = at.ask(stream=streamed)
    assert reply.headers["x-router-model"] == "first"
    assert text_of(reply) == "Hello there."
    if streamed:
        assert events(reply)[-1] == "[DONE]"


def test_events_are_told_by_their_type_where_the_event_lines_are_lost() -> None:
    data = START + TEXT + end()
    bare = b"".join(line + b"\n" for line in data.split(b"\n")[:-1] if not line.startswith(b"event:"))
    assert stream(anthropic, bare)[1] == stream(anthropic, data)[1]


@pytest.mark.proves("chat", "anthropic", "reasoning", evidence="specification")
def test_every_kind_of_delta_and_redacted_thinking_that_arrives_whole() -> None:
    data = (
        START
        + block(0, {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "s"})
        + block(1, {"type": "redacted_thinking", "data": "opaque"})
        + block(2, {"type": "text", "text": ""}, {"type": "text_delta", "text": "yes"},
                {"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "c"}})
        + block(3, {"type": "tool_use", "id": "t", "name": "now", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a": 1}'})
        + end("tool_use")
    )  # fmt: skip
    assembly, chunks = stream(anthropic, data)
    deltas = [choice["delta"] for one in chunks for choice in one["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "yes"
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "hm"
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a": 1}'
    assert assembly.finish_reason == "tool_calls"


def test_a_ping_may_stand_anywhere_and_says_nothing() -> None:
    data = START + TEXT + end()
    ping = event("ping")
    pinged = b"".join(ping + one + b"\n\n" for one in data.split(b"\n\n")[:-1])
    assert pinged.count(ping) == data.count(b"event: ")
    assert stream(anthropic, pinged)[1] == stream(anthropic, data)[1]


@pytest.mark.proves("chat", "anthropic", "finish_reasons", evidence="specification")
@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "stop"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
    ],
)
def test_its_seven_stop_reasons(at: Setting, reason: str, ours: str) -> None:
    at.behaves(sends(page({**MESSAGE, "stop_reason": reason})))
    whole = at.ask("first").json()["choices"][0]
    at.behaves(streams(START + TEXT + end(reason)))
    found = events(at.ask("first", stream=True))
    ends = [c["finish_reason"] for one in found if isinstance(one, dict) for c in one["choices"] if c["finish_reason"]]
    assert ([whole["finish_reason"]], ends, found[-1]) == ([ours], [ours], "[DONE]")


@pytest.mark.proves("chat", "anthropic", "tools", evidence="specification")
def test_a_tool_that_takes_nothing_is_called_with_an_empty_object(at: Setting) -> None:
    tool = [{"type": "function", "function": {"name": "now"}}]
    used = {"type": "tool_use", "id": "t", "name": "now", "input": {}}
    at.behaves(sends(page({**MESSAGE, "content": [used], "stop_reason": "tool_use"})))
    whole = at.ask(tools=tool).json()["choices"][0]["message"]["tool_calls"]
    at.behaves(streams(START + block(0, used) + end("tool_use")))
    chunks = [one for one in events(at.ask(tools=tool, stream=True)) if isinstance(one, dict)]
    calls = [call for one in chunks for c in one["choices"] for call in c["delta"].get("tool_calls") or ()]
    assert whole[0]["function"]["arguments"] == "".join(call["function"]["arguments"] for call in calls) == "{}"


def test_usage_is_cumulative_and_input_is_the_sum_of_three() -> None:
    assembly, chunks = stream(anthropic, START + TEXT + end(output=7))
    assert assembly.usage is not None
    assert (assembly.usage.input_tokens, assembly.usage.output_tokens, assembly.usage.cached_tokens) == (17, 7, 5)
    assert chunks[-1]["usage"]["prompt_tokens"] == 17
    assert chunks[-1]["choices"] == []


@pytest.mark.proves("chat", "anthropic", "errors", evidence="specification")
@pytest.mark.parametrize(
    ("status", "kind", "ours", "code"),
    [
        (401, "authentication_error", 502, "upstream_auth"),
        (402, "billing_error", 502, "upstream_auth"),
        (403, "permission_error", 502, "upstream_auth"),
        (404, "not_found_error", 502, "upstream_not_found"),
        (429, "rate_limit_error", 429, "rate_limit_exceeded"),
        (500, "api_error", 503, "upstream_unavailable"),
        (504, "timeout_error", 503, "upstream_unavailable"),
        (529, "overloaded_error", 503, "upstream_unavailable"),
    ],
)
def test_statuses_402_504_and_529_are_answered_by_another_model(
    ill: Setting, status: int, kind: str, ours: int, code: str
) -> None:
    ill.behaves(error(status, kind))
    is_error(ill.ask("first"), ours, code)
    assert ill.asked()
    has_fallen_back(ill.ask())


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request_error"), (413, "request_too_large")])
def test_statuses_400_and_413_are_the_clients_own(at: Setting, status: int, kind: str) -> None:
    at.behaves(error(status, kind))
    error_ = is_error(at.ask(), status)
    assert (error_["type"], error_["message"]) == (kind, f"of kind {kind}")


@pytest.mark.proves("chat", "anthropic", "context_overflow", evidence="specification")
def test_a_prompt_that_is_too_long_has_no_code_of_its_own(at: Setting) -> None:
    said = {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}
    at.behaves(sends(page({"type": "error", "error": said}, 400)))
    has_fallen_back(at.ask())
    is_error(at.ask("first"), 400, "context_length_exceeded")


@pytest.mark.proves("chat", "anthropic", "broken_answers", evidence="specification")
def test_an_error_event_within_a_stream_ends_it(ill: Setting) -> None:
    wrong = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    ill.behaves(streams(START + wrong))
    has_fallen_back(ill.ask(stream=True))
    ill.behaves(streams(START + TEXT + wrong))
    found = events(ill.ask("first", stream=True))
    assert "error" in found[-1]
    assert "[DONE]" not in found


def test_its_request_id_stays_inside(at: Setting) -> None:
    at.behaves(sends(page(MESSAGE, headers="request-id: req_011\r\n")))
    headers = at.ask(headers={"x-request-id": "mine"}).headers
    assert headers["x-request-id"] == "mine"
    assert "request-id" not in headers


def test_max_tokens_is_required_and_always_sent(at: Setting) -> None:
    at.behaves(sends(page(MESSAGE)))
    at.ask()
    assert at.asked()[0].body["max_tokens"] > 0


def test_the_version_and_the_key_are_headers(at: Setting) -> None:
    at.behaves(sends(page(MESSAGE)))
    at.ask(headers={"authorization": "Bearer the-client-s-own"})
    head = at.asked()[0].head.lower()
    assert "anthropic-version: 2023-06-01" in head
    assert "x-api-key: sk-first" in head
    assert "the-client-s-own" not in head


def test_cache_control_is_a_mark_of_a_block() -> None:
    mark = {"type": "ephemeral"}
    part = {"type": "text", "text": "long", "cache_control": mark}
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": [part]}]
    body, _ = encoded(anthropic, "anthropic", messages=messages)
    assert body["system"] == [{"type": "text", "text": "long", "cache_control": mark}]
    assert body["messages"][0]["content"] == body["system"]


def test_rate_limit_resets_are_moments() -> None:
    headers = {
        "date": "Sat, 28 Nov 2026 12:00:00 GMT",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-28T12:00:30Z",
        "anthropic-ratelimit-tokens-remaining": "500",
        "anthropic-ratelimit-tokens-reset": "2026-11-28T12:05:00Z",
    }
    assert anthropic.fault(429, headers, b"").retry_after_s == 30
    assert anthropic.fault(429, headers | {"retry-after": "7"}, b"").retry_after_s == 7
    assert anthropic.fault(429, {k: v for k, v in headers.items() if k != "date"}, b"").retry_after_s is None
    assert anthropic.fault(429, headers | {"anthropic-ratelimit-requests-reset": "soon"}, b"").retry_after_s is None
