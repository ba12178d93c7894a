"""OpenAI's Chat Completions as a client reads it: streams and errors. Whole answers are as backends make them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.base import Head, Said
from llm_inference_router.dialects.fault import Rendered, frame_error, render
from llm_inference_router.dialects.sse import DONE_FRAME, frame
from llm_inference_router.dialects.usage import usage_as_chat
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Piece, Usage
from llm_inference_router.vocabulary import DialectName


def ended(frames: list[bytes], router: Mapping[str, Any] | None) -> tuple[bytes, ...]:
    """The last frames of a stream of chunks, the decision in the last chunk, and the end marker."""
    if router is not None and frames:
        last = orjson.loads(frames[-1].removeprefix(b"data: "))
        frames[-1] = frame(orjson.dumps({**last, "router": router}))
    return (*frames, DONE_FRAME)


class ChatWriter:
    __slots__ = ("_first", "_head", "_include_usage")
    resumable = True

    def __init__(self, head: Head, *, include_usage: bool) -> None:
        self._head = head
        self._include_usage = include_usage
        self._first: bytes | None = None

    @property
    def head(self) -> Head:
        first = _known(self._first) if self._first is not None else _Known()
        head = self._head
        return Head(first.id or head.id, first.created or head.created, head.model, head.prompt_tokens)

    def chunk(self, piece: Piece) -> bytes:
        data = piece.chunk
        assert data is not None
        if self._first is None and piece.content:
            self._first = data
        return b"data: " + data + b"\n\n"

    def relayed(self, piece: Piece) -> bytes:
        return self.chunk(piece)

    def end(
        self, held: Sequence[bytes], usage: Usage, *, told: bool, router: Mapping[str, Any] | None
    ) -> tuple[bytes, ...]:
        frames = list(held)
        if self._include_usage and not told:
            frames.append(frame(self._usage_chunk(usage)))
        return ended(frames, router)

    def fail(self, error: RouterError, request_id: str) -> bytes:
        return frame_error(error, request_id)

    def _usage_chunk(self, usage: Usage) -> bytes:
        head = self.head
        return orjson.dumps(
            {
                "id": head.id,
                "object": "chat.completion.chunk",
                "created": head.created,
                "model": head.model,
                "choices": [],
                "usage": usage_as_chat(usage),
            }
        )


class Chat:
    name: DialectName = "chat"

    def parse(self, body: bytes) -> ChatRequest:
        return chat.parse(body)

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> dict[str, Any]:
        return completion

    def writer(self, request: ChatRequest, head: Head) -> ChatWriter:
        named = Head("chatcmpl-" + head.id, head.created, head.model, head.prompt_tokens)
        return ChatWriter(named, include_usage=request.include_usage)

    def error(self, error: RouterError, request_id: str) -> Rendered:
        return render(error, request_id)


class _Known(msgspec.Struct):
    id: str = ""
    created: int = 0


_known = msgspec.json.Decoder(_Known).decode
