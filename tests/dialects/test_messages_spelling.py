"""Inputs of tools keep their bytes on every way through the router: passed on and translated, there and back."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.backends.base import Answer, Rendering
from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.messages import parse, parse_count
from llm_inference_router.dialects.messages_answer import message
from llm_inference_router.dialects.messages_spelling import Spelt
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest
from tests.backends import wire

SPELT = [
    '{"id":18446744073709551616}',
    '{"id": -9223372036854775809, "b": [1, 2]}',
    '{"x":1.10,"y":1e2,"z":0.1000000000000000055511151231257827}',
    '{ "a" :\n\t{"b": "\\u00e4\\/"} }',
    '{"a":1,"a":2}',
]
RENDERING = Rendering("ours", "chatcmpl-abc", 1, include_usage=False, provider="api.example.com")
_anthropic = relay("anthropic", "messages")
assert _anthropic is not None
ANTHROPIC = _anthropic


def asked(*inputs: str) -> bytes:
    """A request whose last turn but one called tools with these inputs."""
    calls = ",".join(
        f'{{"type":"tool_use","id":"toolu_{n:05d}","name":"f","input":{text}}}' for n, text in enumerate(inputs)
    )
    results = ",".join(f'{{"type":"tool_result","tool_use_id":"toolu_{n:05d}"}}' for n in range(len(inputs)))
    turns = (
        f'{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{calls}]}},'
        f'{{"role":"user","content":[{results}]}}'
    )
    return f'{{"model":"auto","max_tokens":9,"messages":[{turns}]}}'.encode()


def passed_on(request: ChatRequest) -> bytes:
    return ANTHROPIC.encode(request, wire.model("anthropic")).call.body


def spelt_in(body: bytes, *inputs: str) -> bool:
    return all(f'"input":{text}'.encode() in body for text in inputs)


@pytest.mark.proves("messages", ["vllm", "anthropic"], "tools", evidence="scripted")
@pytest.mark.parametrize("read", [parse, parse_count])
def test_what_a_client_sends_reaches_the_model_in_its_bytes(read: Any) -> None:
    request = read(asked(*SPELT))
    told = request.body["messages"][1]["tool_calls"]
    assert [call["function"]["arguments"] for call in told] == SPELT
    assert spelt_in(passed_on(request), *SPELT)
    chat = orjson.loads(backend("vllm").encode(request, wire.model("vllm")).call.body)
    assert [call["function"]["arguments"] for call in chat["messages"][1]["tool_calls"]] == SPELT
    hub = backend("anthropic").encode(request, wire.model("anthropic")).call.body
    assert spelt_in(hub, *SPELT)


@pytest.mark.proves("messages", "vllm", "tools", stream=False, evidence="scripted")
@pytest.mark.parametrize("text", SPELT)
def test_what_a_model_calls_with_reaches_the_client_in_its_bytes(text: str) -> None:
    function = {"name": "f", "arguments": text}
    said = {"content": None, "tool_calls": [{"id": "call_00000", "type": "function", "function": function}]}
    completion = {"choices": [{"index": 0, "message": said, "finish_reason": "tool_calls"}]}
    assert spelt_in(orjson.dumps(message(completion, Head("abc", 1, "ours", 0))), text)


@pytest.mark.parametrize("text", SPELT)
def test_what_anthropic_calls_with_passes_in_its_bytes(text: str) -> None:
    usage = {"input_tokens": 1, "output_tokens": 1}
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": orjson.Fragment(text)}
    said = {"type": "message", "content": [{"type": "text", "text": "So."}, block], "usage": usage}
    got = ANTHROPIC.answer(orjson.dumps(said), RENDERING)
    assert isinstance(got, Answer)
    assert spelt_in(orjson.dumps(got.body), text)


_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text(max_size=3), _VALUES, max_size=3), min_size=1, max_size=3), st.booleans())
def test_any_input_keeps_its_bytes(values: list[dict[str, Any]], compact: bool) -> None:
    inputs = [json.dumps(one, separators=(",", ":") if compact else None) for one in values]
    request = parse(asked(*inputs))
    told = request.body["messages"][1]["tool_calls"]
    assert [call["function"]["arguments"] for call in told] == inputs
    assert spelt_in(passed_on(request), *inputs)


def test_only_what_would_be_written_in_other_bytes_is_kept_twice() -> None:
    blocks = parse(asked('{"a":[1,2.5,"x"]}', '{"a": 1}')).source["messages"][1]["content"]
    assert [isinstance(block["input"], Spelt) for block in blocks] == [False, True]


@pytest.mark.parametrize(
    "turns",
    [b"1", b"[1]", b'[{"role":"user","content":7}]', b'[{"role":"user","content":["x"]}]', b'[{"role":"user"}]'],
)
def test_turns_that_are_none_are_refused_all_the_same(turns: bytes) -> None:
    body = b'{"model":"auto","max_tokens":9,"x":"tool_use","messages":%b}' % turns
    with pytest.raises(InvalidRequest):
        parse(body)
    with pytest.raises(InvalidRequest):
        parse(body.replace(b"messages", b"nothing"))
