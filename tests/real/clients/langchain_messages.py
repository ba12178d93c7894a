"""langchain-anthropic."""

from langchain_anthropic import ChatAnthropic

from tests.real.clients import langchain, told

langchain.tell(
    ChatAnthropic(
        base_url=told.URL,
        api_key=told.KEY,
        model=told.MODEL,
        temperature=0,
        max_tokens=told.MAX_TOKENS,
        timeout=300,
        max_retries=0,
    )
)
