"""What a client's dialect is: how its requests become chat requests, and how chat answers become its answers.

OpenAI's chat is the hub: every dialect is translated to it and back, and every backend from it and back. So a new
dialect works with all backends at once, and a new backend with all dialects.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from llm_inference_router.dialects.fault import Rendered
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Piece, Usage
from llm_inference_router.vocabulary import DialectName

Said: TypeAlias = Sequence[Mapping[str, Any]]
"""Deltas of one chat choice."""


class Head(Struct, frozen=True):
    """What an answer is known by. `created` in Unix seconds; `prompt_tokens` is our estimate, for dialects that name a
    number before the upstream does.
    """

    id: str
    created: int
    model: str
    prompt_tokens: int = 0


class Writer(Protocol):
    """Pieces in, frames out, for one stream; it stays the same when another model goes on with the answer."""

    @property
    def resumable(self) -> bool:
        """Whether chat chunks can go on from where it is."""
        ...

    @property
    def head(self) -> Head:
        """What the client knows the stream by."""
        ...

    def chunk(self, piece: Piece) -> bytes:
        """The frames of a piece that holds a chat chunk; empty where the dialect says nothing of it, or not yet."""
        ...

    def relayed(self, piece: Piece) -> bytes:
        """The frame of a piece that holds an event of this very dialect."""
        ...

    def end(
        self, held: Sequence[bytes], usage: Usage, *, told: bool, router: Mapping[str, Any] | None
    ) -> tuple[bytes, ...]:
        """The frames that end a complete answer, `held` first: frames it gave that were not sent yet. `usage` is of the
        whole answer; `told`: an event of the upstream has told the client of it. `router`: the decision, to be added to
        the last event that has room for it.
        """
        ...

    def fail(self, error: RouterError, request_id: str) -> bytes:
        """The frames that end an answer that broke."""
        ...


class Dialect(Protocol):
    @property
    def name(self) -> DialectName: ...

    def parse(self, body: bytes) -> ChatRequest:
        """Raises InvalidRequest, and nothing else."""
        ...

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> dict[str, Any]:
        """A chat.completion as this dialect's answer. It may be changed in place. `said`: the order of what its message
        says, where the backend knows more of that than a message can tell.
        """
        ...

    def writer(self, request: ChatRequest, head: Head) -> Writer: ...

    def error(self, error: RouterError, request_id: str) -> Rendered: ...
