"""llama-index on chat completions."""

from llama_index.llms.openai_like import OpenAILike

from tests.real.clients import llama_index, told

llama_index.tell(
    OpenAILike(
        api_base=told.V1,
        api_key=told.KEY,
        model=told.MODEL,
        temperature=0,
        max_tokens=told.MAX_TOKENS,
        timeout=300,
        max_retries=0,
        is_chat_model=True,
        is_function_calling_model=True,
    )
)
