import json

import orjson
import pytest

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.backends.base import Answer
from llm_inference_router.types import Fault
from tests.backends import wire
from tests.traces.read import Trace, trace, traces

WHOLE = traces("/v1/messages", stream=False, ok=True)
anthropic = Anthropic()


@pytest.mark.parametrize("exchange", WHOLE, ids=[one.id for one in WHOLE])
def test_a_recorded_message_becomes_a_chat_completion(exchange: Trace) -> None:
    theirs = orjson.loads(exchange.body)
    answer = anthropic.answer(exchange.body, wire.rendering())
    assert isinstance(answer, Answer)
    ours = wire.completion(answer.body)
    assert (ours.model, ours.id) == (wire.MODEL_NAME, theirs["id"])
    message = ours.choices[0].message
    assert (message.content or "") == "".join(b.get("text", "") for b in theirs["content"])
    thinking = "".join(b.get("thinking", "") for b in theirs["content"])
    assert (message.model_extra or {}).get("reasoning_content", "") == thinking
    tools = [b for b in theirs["content"] if b["type"] == "tool_use"]
    calls = [c for c in message.tool_calls or () if c.type == "function"]
    assert [(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls] == [
        (t["id"], t["name"], t["input"]) for t in tools
    ]
    assert ours.choices[0].finish_reason == ("tool_calls" if tools else "stop")
    if theirs["usage"]["output_tokens"]:
        assert answer.usage is not None
        assert answer.usage.input_tokens == theirs["usage"]["input_tokens"]


@pytest.mark.parametrize("theirs", ["novel", None])
def test_a_stop_reason_that_nobody_knows_is_a_plain_end(theirs: str | None) -> None:
    body = {"type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": theirs}
    answer = anthropic.answer(json.dumps(body).encode(), wire.rendering())
    assert isinstance(answer, Answer)
    assert answer.finish_reason == "stop"
    assert answer.usage is None


def test_cached_input_counts_as_prompt() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 70,
    }
    blocks = [
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
        {"type": "web_search_tool_result", "content": []},
        {"type": "text", "text": "b"},
    ]
    body = json.dumps({"id": "msg_1", "content": blocks, "stop_reason": "end_turn", "usage": usage}) + "   "
    answer = anthropic.answer(body.encode(), wire.rendering())
    assert isinstance(answer, Answer)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.cached_tokens, answer.usage.cache_write_tokens) == (
        100,
        70,
        20,
    )
    ours = wire.completion(answer.body)
    assert ours.choices[0].message.content == "ab"
    assert ours.usage is not None
    assert ours.usage.prompt_tokens_details is not None
    assert (ours.usage.total_tokens, ours.usage.prompt_tokens_details.cached_tokens) == (105, 70)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content": "x"}'])
def test_a_body_that_is_no_message_is_malformed(body: bytes) -> None:
    fault = anthropic.answer(body, wire.rendering())
    assert isinstance(fault, Fault)
    assert fault.kind == "malformed"


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault_kind", "final", "code"),
    [
        (400, "invalid_request_error", "messages: at least one", "status", True, None),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 5 maximum",
            "status",
            False,
            "context",
        ),
        (401, "authentication_error", "invalid x-api-key", "auth", False, None),
        (402, "billing_error", "credit balance is too low", "auth", False, None),
        (403, "permission_error", "no", "auth", False, None),
        (404, "not_found_error", "model: x", "status", False, None),
        (413, "request_too_large", "too large", "status", True, None),
        (429, "rate_limit_error", "slow", "rate_limited", False, None),
        (500, "api_error", "oops", "status", False, None),
        (504, "timeout_error", "late", "status", False, None),
        (529, "overloaded_error", "Overloaded", "status", False, None),
    ],
)
def test_error_answers(status: int, kind: str, message: str, fault_kind: str, final: bool, code: str | None) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}).encode()
    fault = anthropic.fault(status, {"retry-after": "7"} if status == 429 else {}, body)
    assert (fault.kind, fault.final, fault.status, fault.message) == (fault_kind, final, status, message)
    assert fault.code == ("context_length_exceeded" if code else None)
    assert fault.retry_after_s == (7 if status == 429 else None)


def test_vllm_s_own_error_shape() -> None:
    exchange = trace("vllm/42-messages_err")
    fault = anthropic.fault(exchange.status, exchange.headers, exchange.body)
    assert fault.code == "context_length_exceeded"


def test_credentials_go_into_their_own_header() -> None:
    assert anthropic.auth("k") == (("x-api-key", "k"),)
