"""What is no Messages request, and how that is said."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.messages import parse
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.signals.base import extract, view
from tests.support.messages import HI, TOOL, assistant, text, user

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": 1}, "model"),
    ({"model": ""}, "model"),
    ({"model": "a\r\nb"}, "model"),
    ({"model": "x" * 300}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": ["hi"]}, "messages.0"),
    ({"messages": [{"content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "system", "content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "tool", "content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
    ({"messages": [HI, user("hi")]}, "messages.1.content.0"),
    ({"messages": [user({"text": "hi"})]}, "messages.0.content.0.type"),
    ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text"),
    ({"messages": [user(text("a"), {"type": "text", "text": 1})]}, "messages.0.content.1.text"),
    ({"messages": [user({"type": "image"})]}, "messages.0.content.0.source"),
    ({"messages": [user({"type": "image", "source": {"type": "hex"}})]}, "messages.0.content.0.source.type"),
    ({"messages": [user({"type": "image", "source": {"type": "base64"}})]}, "messages.0.content.0.source.media_type"),
    ({"messages": [user({"type": "document", "source": {"type": "text"}})]}, "messages.0.content.0.source.data"),
    ({"messages": [user({"type": "tool_use", "id": "t", "name": "f", "input": {}})]}, "messages.0.content.0"),
    ({"messages": [HI, assistant({"type": "tool_result", "tool_use_id": "t"})]}, "messages.1.content.0"),
    ({"messages": [HI, assistant({"type": "tool_use", "id": "t", "name": "f"})]}, "messages.1.content.0.input"),
    ({"messages": [HI, assistant({"type": "tool_use", "name": "f", "input": {}})]}, "messages.1.content.0.id"),
    ({"messages": [HI, assistant({"type": "thinking", "signature": "s"})]}, "messages.1.content.0.thinking"),
    ({"messages": [user({"type": "tool_result"})]}, "messages.0.content.0.tool_use_id"),
    (
        {"messages": [user({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]})]},
        "messages.0.content.0.content.0.text",
    ),
    ({"messages": [user({"type": "tool_result", "tool_use_id": "t", "is_error": 1})]}, "messages.0.content.0.is_error"),
    ({"system": 1}, "system"),
    ({"system": [{"type": "image", "source": {"type": "url", "url": "x"}}]}, "system.0.type"),
    ({"tools": {}}, "tools"),
    ({"tools": [1]}, "tools.0"),
    ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
    ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"stream": "yes"}, "stream"),
    ({"stop_sequences": "a"}, "stop_sequences"),
    ({"stop_sequences": [1]}, "stop_sequences.0"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_k": 1.5}, "top_k"),
    ({"thinking": "yes"}, "thinking"),
    ({"thinking": {"type": "much"}}, "thinking.type"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"output_config": 1}, "output_config"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
    ({"metadata": 1}, "metadata"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"metadata": {"user_id": "a\r\nb"}}, "metadata"),
    ({"base_url": "http://x"}, "base_url"),
    ({"api_key": "k"}, "api_key"),
]


@pytest.mark.parametrize(
    ("fields", "place"), WRONG, ids=[f"{number}-{place}" for number, (_, place) in enumerate(WRONG)]
)
def test_a_wrong_place_is_named(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(orjson.dumps({"model": "auto", "max_tokens": 5, "messages": [HI], **fields}))
    assert caught.value.param == place
    assert caught.value.message.startswith(f"{place}: ")


def test_more_than_can_be_held_is_refused() -> None:
    for doc in (b'{"a":' * 300 + b"1" + b"}" * 300, b"[1]", b"", b"nothing"):
        with pytest.raises(InvalidRequest):
            parse(doc)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["user", "text", "tool_result"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "source", "name", "input"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
_names = ["messages", "system", "tools", "tool_choice", "thinking", "metadata", "output_config", "max_tokens", "x"]


@given(st.dictionaries(st.sampled_from(_names), _values))
def test_no_json_raises_anything_else(fields: dict[str, Any]) -> None:
    doc = {"model": "auto", "max_tokens": 5, "messages": [HI], **fields}
    try:
        request = parse(json.dumps(doc).encode())
    except InvalidRequest:
        return
    chat.parse(orjson.dumps(request.body))
    extract(request, view(request))
