"""Whatever a client says: a request that its dialect takes can be sent to every backend."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.backends.registry import backend, relay
from llm_inference_router.dialects import chat, completions, messages
from llm_inference_router.dialects.responses import Responses
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest
from tests.backends import wire

MODELS = [wire.model(name) for name in TABLE]
MODELS += [wire.model("anthropic", upstream_model=name) for name in ("claude-opus-5-5", "claude-haiku-4-5", "claude-3")]

_FIELDS = [
    "service_tier", "stop", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls",
    "response_format", "thinking", "user", "n", "reasoning_effort", "metadata", "safety_identifier", "temperature",
    "top_p", "top_k", "max_tokens", "stream", "stream_options", "logprobs", "logit_bias", "modalities", "store",
    "system", "instructions", "text", "reasoning", "include", "output_config", "output_format",
]  # fmt: skip
_KEYS = [
    "type", "function", "custom", "name", "description", "parameters", "strict", "schema", "json_schema", "tools",
    "mode", "effort", "content", "text", "id", "cache_control", "budget_tokens", "input_schema",
]  # fmt: skip
_WORDS = [
    "auto", "none", "required", "custom", "json_schema", "text", "enabled", "adaptive", "low", "x", "default",
    "function", "tool", "allowed_tools",
]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**40) | st.sampled_from([0.5, "", *_WORDS]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("parse", "said"),
    [
        (chat.parse, {"messages": [{"role": "user", "content": "hi"}]}),
        (messages.parse, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}),
        (Responses().parse, {"input": "hi"}),
        (completions.parse, {"prompt": "hi"}),
    ],
    ids=["chat", "messages", "responses", "completions"],
)
@given(fields=st.dictionaries(st.sampled_from(_FIELDS), _JSON, min_size=1, max_size=3))
@example(fields={"service_tier": []})
def test_what_is_taken_can_be_sent(
    parse: Callable[[bytes], ChatRequest], said: dict[str, Any], fields: dict[str, Any]
) -> None:
    try:
        request = parse(orjson.dumps({"model": "auto", **said, **fields}))
    except InvalidRequest:
        return
    for model in MODELS:
        for one in (backend(model.backend), relay(model.backend, request.dialect)):
            if one is not None:
                orjson.loads(one.encode(request, model).call.body)
