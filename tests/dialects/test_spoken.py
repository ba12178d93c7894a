"""Which dialect a body or a path is of."""

from typing import Any

import orjson
import pytest

from llm_inference_router.dialects.spoken import spoken_at, spoken_in
from llm_inference_router.errors import InvalidRequest
from tests.support.messages import HI, TOOL, user


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "chat"),
        ({"max_tokens": 5}, "chat"),
        ({"system": "s"}, "messages"),
        ({"tools": [TOOL]}, "messages"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "chat"),
        ({"thinking": {"type": "adaptive"}}, "messages"),
        ({"messages": [user({"type": "tool_result", "tool_use_id": "t"})]}, "messages"),
        ({"messages": [user({"type": "image_url", "image_url": {"url": "x"}})]}, "chat"),
        ({"messages": 1}, "chat"),
        ({"messages": [1, {"content": [1, {"type": 1}]}], "tools": [1]}, "chat"),
    ],
)
def test_a_body_tells_its_dialect(fields: dict[str, Any], name: str) -> None:
    assert spoken_in(orjson.dumps({"model": "auto", "messages": [HI], **fields})).name == name


def test_what_cannot_be_read_is_told_as_chat() -> None:
    assert {spoken_in(body).name for body in (b"", b"[]", b"{", b"1")} == {"chat"}


def test_a_path_tells_its_dialect() -> None:
    paths = ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/x", "/v1/messagesx", "/v1/chat/completions", ""]
    assert [spoken_at(path).name for path in paths] == ["messages", "messages", "messages", "chat", "chat", "chat"]


def test_a_body_is_known_by_its_fields() -> None:
    assert spoken_in(b'{"model":"auto","input":"x"}').name == "responses"
    assert spoken_in(b'{"model":"auto","messages":[{"role":"user","content":"x"}],"input":"y"}').name == "chat"
    with pytest.raises(InvalidRequest, match="JSON"):
        spoken_in(b"{").parse(b"{")
