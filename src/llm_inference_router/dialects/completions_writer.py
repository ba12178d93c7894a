"""OpenAI's Completions as a client reads it: a chat answer as a text_completion, whole and streamed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson

from llm_inference_router.dialects import completions
from llm_inference_router.dialects.base import Head, Said
from llm_inference_router.dialects.chat_writer import ended
from llm_inference_router.dialects.fault import Rendered, frame_error, render
from llm_inference_router.dialects.sse import frame
from llm_inference_router.dialects.usage import usage_as_chat
from llm_inference_router.errors import RouterError
from llm_inference_router.types import ChatRequest, Piece, Usage
from llm_inference_router.vocabulary import DialectName

KIND: Final = "text_completion"
FINISH_REASONS: Final = frozenset({"stop", "length", "content_filter"})


def finish_word(reason: str | None) -> str | None:
    """A chat's finish reason as one that a text completion can have."""
    return reason if reason is None or reason in FINISH_REASONS else "stop"


def cmpl(id: str) -> str:  # noqa: A002 - the wire's own name
    """An id of ours as the dialect writes them."""
    return "cmpl-" + id.removeprefix("chatcmpl-")


class CompletionsWriter:
    __slots__ = ("_head", "_include_usage", "_known", "_resumable", "_said_usage")

    def __init__(self, head: Head, *, include_usage: bool, resumable: bool) -> None:
        self._head = head
        self._include_usage = include_usage
        self._resumable = resumable
        self._known = False
        self._said_usage = False

    @property
    def resumable(self) -> bool:
        return self._resumable

    @property
    def head(self) -> Head:
        return self._head

    def chunk(self, piece: Piece) -> bytes:
        """Reasoning is left out: there is no field for it. So is usage, which `end` gives."""
        assert piece.chunk is not None
        doc = orjson.loads(piece.chunk)
        choices = [made for one in doc["choices"] if (made := _of_delta(one)) is not None]
        if not choices:
            return b""
        self._known = True
        doc.pop("usage", None)
        return frame(orjson.dumps({**doc, **self._names(doc["model"]), "choices": choices}))

    def relayed(self, piece: Piece) -> bytes:
        assert piece.chunk is not None
        if not self._known:
            self._known = True
            first = _named(piece.chunk)
            self._head = Head(first.id, first.created, self._head.model, self._head.prompt_tokens)
        self._said_usage = self._said_usage or piece.usage is not None
        return frame(piece.chunk)

    def end(
        self, held: Sequence[bytes], usage: Usage, *, told: bool, router: Mapping[str, Any] | None
    ) -> tuple[bytes, ...]:
        frames = list(held)
        if self._include_usage and not (told and self._said_usage):
            last = {**self._names(self._head.model), "choices": [], "usage": usage_as_chat(usage)}
            frames.append(frame(orjson.dumps(last)))
        return ended(frames, router)

    def fail(self, error: RouterError, request_id: str) -> bytes:
        return frame_error(error, request_id)

    def _names(self, model: str) -> dict[str, Any]:
        return {"id": self._head.id, "object": KIND, "created": self._head.created, "model": model}


class Completions:
    name: DialectName = "completions"

    def parse(self, body: bytes) -> ChatRequest:
        return completions.parse(body)

    def whole(self, completion: dict[str, Any], request: ChatRequest, head: Head, said: Said = ()) -> dict[str, Any]:
        choices = [
            {
                "text": one["message"].get("content") or one["message"].get("refusal") or "",
                "index": one["index"],
                "logprobs": None,
                "finish_reason": finish_word(one["finish_reason"]),
            }
            for one in completion["choices"]
        ]
        return {**completion, "id": cmpl(head.id), "object": KIND, "choices": choices}

    def writer(self, request: ChatRequest, head: Head) -> CompletionsWriter:
        named = Head(cmpl(head.id), head.created, head.model, head.prompt_tokens)
        return CompletionsWriter(named, include_usage=request.include_usage, resumable=not request.own)

    def error(self, error: RouterError, request_id: str) -> Rendered:
        return render(error, request_id)


def _of_delta(choice: dict[str, Any]) -> dict[str, Any] | None:
    """None where a chunk says nothing that a text completion has a place for."""
    delta = choice.get("delta") or {}
    text = delta.get("content") or delta.get("refusal") or ""
    finish = finish_word(choice.get("finish_reason"))
    if not text and finish is None:
        return None
    return {"text": text, "index": choice["index"], "logprobs": None, "finish_reason": finish}


class _Named(msgspec.Struct):
    id: str
    created: int


_named = msgspec.json.Decoder(_Named).decode
