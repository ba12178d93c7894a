"""Backends by the names that a configuration uses, and the relays among them."""

from collections.abc import Iterable
from functools import cache
from typing import Final

from llm_inference_router.backends.anthropic import Anthropic
from llm_inference_router.backends.anthropic_relay import AnthropicRelay
from llm_inference_router.backends.base import Backend, Relay
from llm_inference_router.backends.completions import Completions
from llm_inference_router.backends.embeddings import Embeddings
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.backends.openai_responses import OpenAIResponses
from llm_inference_router.backends.quirks import SIMULATED, TABLE, Quirks
from llm_inference_router.types import Attachment
from llm_inference_router.vocabulary import DialectName

_ANTHROPIC: Final = Quirks("anthropic", parts=frozenset({"video_url", "audio_url"}))


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
def relay(name: str, dialect: DialectName) -> Relay | None:
    """The backend that passes on requests of this dialect as they are; None where they have to be translated.

    Of the chat dialect every backend takes care itself. Responses are relayed to OpenAI alone: other servers that have
    such an API (vLLM) leave out of it what their chat API does, so the hub is more faithful.
    """
    if (name, dialect) == ("anthropic", "messages"):
        return AnthropicRelay()
    if (name, dialect) == ("openai", "responses"):
        return OpenAIResponses(TABLE[name])
    quirks = SIMULATED if name == "simulated" else TABLE.get(name)
    if quirks is not None and dialect == "completions" and quirks.completions is not None:
        return Completions(quirks)
    if quirks is not None and dialect == "embeddings" and quirks.embeddings:
        return Embeddings(quirks)
    return None


@cache
def takes(name: str, dialect: DialectName) -> frozenset[str]:
    """What of a request that chat has no words for (`ChatRequest.own`) this backend's relay passes on."""
    passed = relay(name, dialect)
    return passed.takes if passed is not None else frozenset()


def unseen(name: str, attachments: Iterable[Attachment]) -> str | None:
    """The first of what is attached that the servers of this backend refuse, in words; None where they take all."""
    quirks = _ANTHROPIC if name == "anthropic" else TABLE.get(name)
    return quirks.unseen(attachments) if quirks is not None else None
