"""langchain-openai on chat completions."""

from langchain_openai import ChatOpenAI

from tests.real.clients import langchain, told

langchain.tell(
    ChatOpenAI(
        base_url=told.V1,
        api_key=told.KEY,
        model=told.MODEL,
        temperature=0,
        max_tokens=told.MAX_TOKENS,
        timeout=300,
        max_retries=0,
        use_responses_api=False,
    )
)
