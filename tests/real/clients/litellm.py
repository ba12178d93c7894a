"""What litellm's completion does, whichever dialect it speaks to the router."""

from typing import Any

import litellm as library

from tests.real.clients import told


def tell(model: str, base: str) -> None:
    wanted: dict[str, Any] = {
        "model": model,
        "api_base": base,
        "api_key": told.KEY,
        "temperature": 0,
        "max_tokens": told.MAX_TOKENS,
        "timeout": 300,
        "num_retries": 0,
    }

    def whole() -> dict[str, Any]:
        [choice] = library.completion(messages=told.user(told.GREET), **wanted).choices
        return told.whole(choice.message.content, choice.finish_reason)

    def stream() -> dict[str, Any]:
        chunks = library.completion(messages=told.user(told.COUNT), stream=True, **wanted)
        return told.stream([choice.delta.content for chunk in chunks for choice in chunk.choices])

    def tool() -> dict[str, Any]:
        answer = library.completion(messages=told.user(told.ASK_WEATHER), tools=[told.CHAT_TOOL], **wanted)
        [call] = answer.choices[0].message.tool_calls
        return told.tool(call.function.name, call.function.arguments)

    told.tell(whole=whole, stream=stream, tool=tool)
