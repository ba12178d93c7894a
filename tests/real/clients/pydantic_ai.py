"""What a pydantic-ai agent does, whichever dialect its model speaks."""

import asyncio
from typing import Any

from pydantic_ai import Agent, ModelRequest, UserPromptPart
from pydantic_ai.direct import model_request_sync
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from tests.real.clients import told

SETTINGS = ModelSettings(temperature=0, max_tokens=told.MAX_TOKENS)


def tell(model: Any) -> None:
    agent = Agent(model, model_settings=SETTINGS)

    def whole() -> dict[str, Any]:
        ran = agent.run_sync(told.GREET)
        return told.whole(ran.output, ran.response.finish_reason)

    async def streamed() -> list[str]:
        async with agent.run_stream(told.COUNT) as ran:
            return [piece async for piece in ran.stream_text(delta=True, debounce_by=None)]

    def stream() -> dict[str, Any]:
        return told.stream(asyncio.run(streamed()))

    def tool() -> dict[str, Any]:
        """One request of the agent's: an agent would go on asking until this small model has had enough."""
        function = told.FUNCTION
        defined = ToolDefinition(
            name=function["name"],
            description=function["description"],
            parameters_json_schema=function["parameters"],
        )
        answer = model_request_sync(
            model,
            [ModelRequest(parts=[UserPromptPart(told.ASK_WEATHER)])],
            model_settings=SETTINGS,
            model_request_parameters=ModelRequestParameters(function_tools=[defined]),
        )
        [call] = [part for part in answer.parts if isinstance(part, ToolCallPart)]
        return told.tool(call.tool_name, call.args)

    told.tell(whole=whole, stream=stream, tool=tool)
