"""pydantic-ai on chat completions."""

from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.real.clients import pydantic_ai, told

pydantic_ai.tell(OpenAIChatModel(told.MODEL, provider=OpenAIProvider(base_url=told.V1, api_key=told.KEY)))
