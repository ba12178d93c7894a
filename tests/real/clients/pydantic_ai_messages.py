"""pydantic-ai on Anthropic's Messages."""

from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from tests.real.clients import pydantic_ai, told

pydantic_ai.tell(AnthropicModel(told.MODEL, provider=AnthropicProvider(base_url=told.URL, api_key=told.KEY)))
