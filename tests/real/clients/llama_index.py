"""What llama-index's models do, whichever dialect they speak."""

from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool

from tests.real.clients import told


def get_weather(city: str) -> str:
    """Get the weather"""
    return f"21 degrees in {city}"


def tell(model: Any) -> None:
    def whole() -> dict[str, Any]:
        answer = model.chat([ChatMessage(role="user", content=told.GREET)])
        return told.whole(answer.message.content, None)

    def stream() -> dict[str, Any]:
        return told.stream([part.delta for part in model.stream_chat([ChatMessage(role="user", content=told.COUNT)])])

    def tool() -> dict[str, Any]:
        tools = [FunctionTool.from_defaults(fn=get_weather, description="Get the weather")]
        answer = model.chat_with_tools(tools, user_msg=told.ASK_WEATHER)
        [call] = model.get_tool_calls_from_response(answer)
        return told.tool(call.tool_name, call.tool_kwargs)

    told.tell(whole=whole, stream=stream, tool=tool)
