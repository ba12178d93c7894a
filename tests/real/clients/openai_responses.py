"""The official openai client: the Responses API."""

from typing import Any

from openai import OpenAI

from tests.real.clients import told

client = OpenAI(base_url=told.V1, api_key=told.KEY, timeout=300, max_retries=0)
WANTED: dict[str, Any] = {"model": told.MODEL, "temperature": 0, "max_output_tokens": told.MAX_TOKENS, "store": False}


def whole() -> dict[str, Any]:
    answer = client.responses.create(input=told.GREET, **WANTED)
    return told.whole(answer.output_text, answer.status)


def stream() -> dict[str, Any]:
    with client.responses.stream(input=told.COUNT, **WANTED) as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(pieces) == events.get_final_response().output_text
    return told.stream(pieces)


def tool() -> dict[str, Any]:
    events = client.responses.create(input=told.ASK_WEATHER, tools=[told.RESPONSES_TOOL], stream=True, **WANTED)
    [answer] = [event.response for event in events if event.type == "response.completed"]
    [call] = [item for item in answer.output if item.type == "function_call"]
    return told.tool(call.name, call.arguments)


told.tell(whole=whole, stream=stream, tool=tool)
