"""The official openai client: chat completions."""

from typing import Any

from openai import OpenAI

from tests.real.clients import told

client = OpenAI(base_url=told.V1, api_key=told.KEY, timeout=300, max_retries=0)
WANTED: dict[str, Any] = {"model": told.MODEL, "temperature": 0, "max_tokens": told.MAX_TOKENS}


def whole() -> dict[str, Any]:
    [choice] = client.chat.completions.create(messages=told.user(told.GREET), **WANTED).choices
    return told.whole(choice.message.content, choice.finish_reason)


def stream() -> dict[str, Any]:
    chunks = client.chat.completions.create(messages=told.user(told.COUNT), stream=True, **WANTED)
    return told.stream([choice.delta.content for chunk in chunks for choice in chunk.choices])


def tool() -> dict[str, Any]:
    messages = told.user(told.ASK_WEATHER)
    with client.chat.completions.stream(messages=messages, tools=[told.CHAT_TOOL], **WANTED) as events:
        [call] = events.get_final_completion().choices[0].message.tool_calls or []
    return told.tool(call.function.name, call.function.arguments)


told.tell(whole=whole, stream=stream, tool=tool)
