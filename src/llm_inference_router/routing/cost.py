"""What an answer costs, exactly."""

from llm_inference_router.types import Price, Usage


def cost(price: Price, usage: Usage) -> int:
    """Picodollars for `usage`: cached and cache-written input tokens at their own price where the model has one."""
    cached = usage.cached_tokens
    written = usage.cache_write_tokens
    plain = usage.input_tokens - cached - written
    if plain < 0:
        plain = 0
    cached_price = price.input if price.cached_input is None else price.cached_input
    written_price = price.input if price.cache_write is None else price.cache_write
    return plain * price.input + cached * cached_price + written * written_price + usage.output_tokens * price.output
