"""OpenAI's published document judges what clients are given, and what OpenAI would be sent."""

from typing import Any

import orjson
import pytest

from llm_inference_router.backends.base import Answer, Backend
from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.dialects.chat import parse
from llm_inference_router.dialects.fault import render, to_error
from llm_inference_router.dialects.signature import tag
from llm_inference_router.dialects.spoken import SPOKEN
from llm_inference_router.vocabulary import DialectName
from tests.backends import wire
from tests.openapi.judge import faults
from tests.traces.read import Trace, everything, traces

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
_NO_CALL = "vllm-random/24-tools_named"  # what it answered is a fault, and no answer
WHOLE = [one for path in (CHAT, MESSAGES) for one in traces(path, stream=False, ok=True) if one.id != _NO_CALL]
STREAMS = [one for path in (CHAT, MESSAGES) for one in traces(path, stream=True, ok=True)]
ERRORS = [one for one in everything() if one.status >= 400 and one.path not in ("/health", "/v1/models")]
WRONG = [*traces("/v1/nope"), *traces(CHAT, method="GET")]
HOSTED: list[dict[str, Any]] = [{"type": "web_search"}]


def spoken(exchange: Trace) -> Backend:
    return backend("anthropic" if exchange.path == MESSAGES else "openai_compatible")


@pytest.mark.parametrize("exchange", WHOLE, ids=[f"{one.id}" for one in WHOLE])
def test_an_answer_is_as_openai_publishes_it(exchange: Trace) -> None:
    answer = spoken(exchange).answer(exchange.body, wire.rendering())
    assert isinstance(answer, Answer)
    assert faults("CreateChatCompletionResponse", answer.body) == []


@pytest.mark.parametrize("exchange", STREAMS, ids=[f"{one.id}" for one in STREAMS])
@pytest.mark.parametrize("include_usage", [True, False])
def test_every_chunk_is_as_openai_publishes_it(exchange: Trace, include_usage: bool) -> None:
    found = wire.pieces(spoken(exchange), [exchange.body], include_usage=include_usage)
    _, sent = wire.assembled(found, include_usage=include_usage)
    chunks = [orjson.loads(frame[6:]) for frame in sent.split(b"\n\n")[:-2]]
    assert chunks
    assert [fault for chunk in chunks for fault in faults("CreateChatCompletionStreamResponse", chunk)] == []


@pytest.mark.parametrize("exchange", ERRORS, ids=[one.id for one in ERRORS])
def test_an_error_is_as_openai_publishes_it(exchange: Trace) -> None:
    fault = backend("openai").fault(exchange.status, exchange.headers, exchange.body)
    status, _, body = render(to_error(fault), "request")
    assert status >= 400
    assert faults("ErrorResponse", orjson.loads(body)) == []


@pytest.mark.parametrize("exchange", WRONG, ids=[one.id for one in WRONG])
def test_a_path_or_a_method_that_a_server_does_not_know_is_no_mistake_of_the_client(exchange: Trace) -> None:
    fault = backend("openai").fault(exchange.status, exchange.headers, exchange.body)
    status, headers, body = render(to_error(fault), "request")
    code = "upstream_not_found" if exchange.status == 404 else "upstream_unavailable"
    assert (status, orjson.loads(body)["error"]["code"]) == (502, code)
    assert ("x-should-retry", "false") in headers


def test_what_openai_is_sent_is_as_it_publishes_it() -> None:
    mark = {"type": "ephemeral"}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    raw: dict[str, Any] = {
        "model": "auto",
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "s", "cache_control": mark}]},
            {"role": "user", "content": [image, {"type": "text", "text": "hi", "cache_control": mark}]},
            {"role": "assistant", "tool_calls": [call], "thinking_blocks": [], "reasoning_content": "hm"},
            {"role": "tool", "tool_call_id": "a", "content": [image], "is_error": True},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": mark}],
        "stream": True,
        "reasoning_effort": "low",
    }
    made = backend("openai").encode(parse(orjson.dumps(raw)), wire.model("openai"))
    assert faults("CreateChatCompletionRequest", orjson.loads(made.call.body)) == []


def sent(dialect: DialectName, kind: str = "openai", **fields: Any) -> dict[str, Any]:
    """What OpenAI, or another server, is sent for a request of this dialect."""
    spoken_to = relay(kind, dialect) or backend(kind)
    request = SPOKEN[dialect].parse(orjson.dumps({"model": "auto", **fields}))
    made: dict[str, Any] = orjson.loads(spoken_to.encode(request, wire.model(kind)).call.body)
    return made


THOUGHT: dict[str, Any] = {"type": "reasoning", "summary": [], "id": "rs_1"}
FOREIGN: list[dict[str, Any]] = [
    {**THOUGHT, "encrypted_content": tag("seal", "elsewhere.example")},
    {**THOUGHT, "encrypted_content": "redacted:x"},
    {**THOUGHT, "id": f"rs_{'0' * 32}_0", "content": [{"type": "reasoning_text", "text": "hm"}]},
]


def test_a_response_asked_of_openai_is_as_it_publishes_it_without_the_reasoning_of_others() -> None:
    said_before = {"type": "output_text", "text": "x", "annotations": [], "logprobs": []}
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        *(item for foreign in FOREIGN for item in (foreign, call)),
        {**THOUGHT, "encrypted_content": tag("seal", "127.0.0.1")},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said_before]},
        {"type": "function_call_output", "call_id": "a", "output": "18 degrees"},
    ]
    made = sent(
        "responses",
        input=said,
        instructions="Be brief.",
        tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}, *HOSTED],
        tool_choice="required",
        text={"format": {"type": "json_object"}},
        reasoning={"effort": "low"},
        max_output_tokens=100,
        include=["reasoning.encrypted_content"],
        previous_response_id="resp_before",
        stream=True,
    )
    [kept] = [item for item in made["input"] if item.get("type") == "reasoning"]
    assert kept["encrypted_content"] == "seal"
    assert faults("CreateResponse", {**made, "input": "judged apart"}) == []
    # The document wants each to be one of these kinds and no other, though a user's message is of the first two.
    kinds = ("EasyInputMessage", "Item", "ItemReferenceParam")
    assert [item for item in made["input"] if all(faults(kind, item) for kind in kinds)] == []


@pytest.mark.parametrize("prompt", ["hi", ["hi"], ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_a_completion_is_asked_of_others_as_openai_publishes_it(prompt: Any) -> None:
    fields: dict[str, Any] = {"n": 2, "logprobs": 2, "echo": True, "stop": ["x"], "stream": True, "suffix": None}
    asked = sent("completions", "openai_compatible", prompt=prompt, **fields)
    assert faults("CreateCompletionRequest", asked) == []


def test_a_completion_is_asked_of_openai_as_a_chat() -> None:
    asked = sent("completions", prompt="hi", n=2, stop=["x"], stream=True)
    assert asked["messages"]
    assert faults("CreateChatCompletionRequest", asked) == []


@pytest.mark.parametrize("text", ["hi", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_vectors_asked_of_openai_are_as_it_publishes_it(text: Any) -> None:
    fields: dict[str, Any] = {"encoding_format": "base64", "dimensions": 4, "user": "u"}
    assert faults("CreateEmbeddingRequest", sent("embeddings", input=text, **fields)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"choices": []},
        {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0}]},
    ],
)
def test_the_judge_finds_what_is_missing(wrong: dict[str, Any]) -> None:
    assert faults("CreateChatCompletionResponse", wrong)


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ("Response", {"object": "response", "id": "resp_1"}),
        ("ResponseStreamEvent", {"type": "response.output_text.delta", "delta": "a"}),
        ("CreateResponse", {"input": [{"type": "reasoning"}]}),
        ("CreateCompletionRequest", {"model": "m"}),
        ("CreateCompletionResponse", {"choices": [{"index": 0}]}),
        ("CreateEmbeddingRequest", {"model": "m", "input": 5}),
        ("CreateEmbeddingResponse", {"object": "list", "data": []}),
        ("ListModelsResponse", {"object": "list", "data": [{"id": "m"}]}),
        ("ErrorResponse", {"error": {"message": "no"}}),
    ],
)
def test_the_judge_finds_what_is_wrong_with_everything_else(schema: str, wrong: dict[str, Any]) -> None:
    assert faults(schema, wrong)
