"""What a pydantic-ai agent does, whichever dialect its model speaks."""

import asyncio
from typing import Any

from pydantic_ai import Agent, ModelRequest, UserPromptPart
from pydantic_ai.direct import model_request
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from tests.real.clients import told

SETTINGS = ModelSettings(temperature=0, max_tokens=told.MAX_TOKENS)


def tell(model: Any) -> None:
    agent = Agent(model, model_settings=SETTINGS)
    loop = asyncio.Runner()  # one for all parts: the client's connections belong to it

    async def whole() -> dict[str, Any]:
        ran = await agent.run(told.GREET)
        return told.whole(ran.output, ran.response.finish_reason)

    async def stream() -> dict[str, Any]:
        async with agent.run_stream(told.COUNT) as ran:
            return told.stream([piece async for piece in ran.stream_text(delta=True, debounce_by=None)])

    async def tool() -> dict[str, Any]:
        """One request of the agent's: an agent would go on asking until this small model has had enough."""
        function = told.FUNCTION
        defined = ToolDefinition(
            name=function["name"],
            description=function["description"],
            parameters_json_schema=function["parameters"],
        )
        answer = await model_request(
            model,
            [ModelRequest(parts=[UserPromptPart(told.ASK_WEATHER)])],
            model_settings=SETTINGS,
            model_request_parameters=ModelRequestParameters(function_tools=[defined]),
        )
        [call] = [part for part in answer.parts if isinstance(part, ToolCallPart)]
        return told.tool(call.tool_name, call.args)

    with loop:
        told.tell(whole=lambda: loop.run(whole()), stream=lambda: loop.run(stream()), tool=lambda: loop.run(tool()))
