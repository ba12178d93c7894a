"""The official anthropic client."""

from typing import Any

from anthropic import Anthropic

from tests.real.clients import told

client = Anthropic(base_url=told.URL, api_key=told.KEY, timeout=300, max_retries=0)
WANTED: dict[str, Any] = {"model": told.MODEL, "max_tokens": told.MAX_TOKENS, "extra_body": {"temperature": 0}}


def whole() -> dict[str, Any]:
    answer = client.messages.create(messages=told.user(told.GREET), **WANTED)
    return told.whole("".join(block.text for block in answer.content if block.type == "text"), answer.stop_reason)


def stream() -> dict[str, Any]:
    with client.messages.stream(messages=told.user(told.COUNT), **WANTED) as events:
        return told.stream(list(events.text_stream))


def tool() -> dict[str, Any]:
    messages = told.user(told.ASK_WEATHER)
    with client.messages.stream(messages=messages, tools=[told.MESSAGES_TOOL], **WANTED) as events:
        [call] = [block for block in events.get_final_message().content if block.type == "tool_use"]
    return told.tool(call.name, call.input)


told.tell(whole=whole, stream=stream, tool=tool)
