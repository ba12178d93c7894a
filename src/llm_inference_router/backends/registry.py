"""Backends by the names that a configuration uses, and the relays among them."""

from functools import cache

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.backends.anthropic_relay import AnthropicRelay
from llm_inference_router.backends.base import Backend
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.quirks import TABLE
from llm_inference_router.types import DialectName


@cache
def backend(name: str) -> Backend:
    """The one backend of this name. Raises KeyError for a name that the schema does not know."""
    if name == "anthropic":
        return Anthropic()
    if name == "simulated":
        # Imported on demand: whoever has real models never loads the simulated ones.
        from llm_inference_router.backends.simulated import Simulated

        return Simulated()
    return OpenAI(TABLE[name])


@cache
def relay(name: str, dialect: DialectName) -> Backend | None:
    """The backend that passes on requests of this dialect as they are; None where they have to be translated.

    Of the chat dialect every backend takes care itself.
    """
    if name == "anthropic" and dialect == "messages":
        return AnthropicRelay(Anthropic())
    return None
