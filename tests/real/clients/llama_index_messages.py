"""llama-index's Anthropic. It asks for a window by the model's name, so the route has the name of a Claude."""

from llama_index.llms.anthropic import Anthropic

from tests.real.clients import llama_index, told

llama_index.tell(
    Anthropic(
        base_url=told.URL,
        api_key=told.KEY,
        model="claude-sonnet-4-0",
        temperature=0,
        max_tokens=told.MAX_TOKENS,
        timeout=300,
        max_retries=0,
    )
)
