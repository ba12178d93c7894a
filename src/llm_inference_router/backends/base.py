"""What a backend is: the pure translation between our chat requests and one upstream dialect.

A backend opens no socket and knows no clock. `encode` makes the HTTP call, `answer` and `Decoder` read what
comes back, `fault` reads what went wrong. All it hands on is already OpenAI's chat dialect, valid for the
official client. Where an upstream speaks another dialect and so does the client, a relay is used instead: a backend
that passes both ways what it need not change.
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from llm_inference_router.types import ChatRequest, Fault, Message, Model, Usage
from llm_inference_router.types import Piece as Piece  # part of this interface; dialects read it too
from llm_inference_router.vocabulary import DialectName

JSON_HEADERS: Final = (("content-type", "application/json"),)


class Call(Struct, frozen=True, gc=False):
    """One HTTP request to an upstream. `path` follows the endpoint's URL. Credentials are added by the
    transport.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    stream: bool = False


class Encoded(Struct, frozen=True, gc=False):
    """A call, and what the translation dropped or rewrote (shown to the client in x-router-warnings)."""

    call: Call
    warnings: tuple[str, ...] = ()


class Rendering(Struct, frozen=True, gc=False):
    """What an answer needs beyond the upstream's bytes to be valid for the client."""

    model: str  # the configured name of the model that answers, patched into every body and chunk
    id: str  # used where the upstream sent none
    created: int  # Unix seconds, used where the upstream sent none
    include_usage: bool  # the client asked for usage on its stream
    prompt_tokens: int = 0  # our estimate, where the upstream reports none
    choices: int = 1  # how many the client asked for: a stream has finished when they all have
    provider: str = ""  # who answers, as far as what it signs goes: the host of its endpoint
    source: Mapping[str, Any] = {}  # the client's own JSON, for a relay
    custom_tools: frozenset[str] = frozenset()  # tools of the request that are called with free text

    def call_id(self, choice: int, number: int) -> str:
        """The id of a tool call, used where the upstream sent none: 29 characters that every provider takes. Those of
        another answer are others, since all calls of a conversation are told apart by their ids.
        """
        return "call_" + blake2b(f"{self.id}/{choice}/{number}".encode(), digest_size=12).hexdigest()


class Answer(Struct, frozen=True, gc=False):
    """A whole answer. `body` is a chat.completion object, or one of `dialect`, ready to serialise."""

    body: dict[str, Any]
    finish_reason: str | None
    usage: Usage | None  # None: the upstream reported none
    text_chars: int  # characters of generated text, for estimating usage
    text: str = ""  # of the first choice; not its reasoning
    dialect: DialectName = "chat"
    # What a stream of it would say, as deltas of chat, where the message alone does not tell in which order.
    said: tuple[Mapping[str, Any], ...] = ()


class Decoder(Protocol):
    """Bytes of one upstream stream in, pieces out; split anywhere. Malformed events become pieces with a
    fault.
    """

    def feed(self, data: bytes) -> list[Piece]: ...

    def close(self) -> list[Piece]:
        """The upstream closed: whatever was still buffered."""
        ...


class Backend(Protocol):
    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        """`model` has one endpoint, or several of which the first is asked."""
        ...

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        """Reads a whole 2xx answer; a body that is none becomes a fault of kind malformed."""
        ...

    def decoder(self, rendering: Rendering) -> Decoder: ...

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
        """Reads an error answer (header names in lower case)."""
        ...

    def auth(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The headers that carry a credential."""
        ...


class Relay(Backend, Protocol):
    """A backend that passes a dialect on as it is."""

    @property
    def takes(self) -> frozenset[str]:
        """What of its dialect that chat has no words for it can pass on, in the words of `ChatRequest.own`."""
        ...


@lru_cache(maxsize=256)
def provider_at(url: str) -> str:
    """Who answers there, as far as what it signs goes."""
    return urlsplit(url).hostname or ""


def provider_of(model: Model) -> str:
    return provider_at(model.endpoints[0].url) if model.endpoints else ""


def conversation(messages: tuple[Message, ...]) -> str:
    """All text of a conversation, for content records."""
    return "\n\n".join(f"{message.role}: {message.text}" for message in messages if message.text)
