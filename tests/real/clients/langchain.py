"""What LangChain's chat models do, whichever dialect they speak."""

from typing import Any

from tests.real.clients import told


def tell(model: Any) -> None:
    def whole() -> dict[str, Any]:
        answer = model.invoke(told.GREET)
        said = answer.response_metadata
        return told.whole(answer.text, said.get("finish_reason") or said.get("stop_reason") or said.get("status"))

    def stream() -> dict[str, Any]:
        return told.stream([chunk.text for chunk in model.stream(told.COUNT)])

    def tool() -> dict[str, Any]:
        [call] = model.bind_tools([told.CHAT_TOOL]).invoke(told.ASK_WEATHER).tool_calls
        return told.tool(call["name"], call["args"])

    told.tell(whole=whole, stream=stream, tool=tool)
