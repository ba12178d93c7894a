"""Streams of OpenAI-like servers: events in, pieces out, each chunk valid for the official client.

Most chunks are already valid and need no more than another model name. They are read once, typed, for what
the router must know; if the type fits, the bytes are passed on with the name exchanged in place, all their
other fields untouched. Everything else takes the long way: parse, repair, write again.
"""

from typing import Any, Final, Literal

import msgspec
import orjson

from llm_inference_router.backends import faults, normalise
from llm_inference_router.backends.base import Rendering
from llm_inference_router.backends.calls import CallDelta, Calls, Function
from llm_inference_router.backends.decoder import ChoiceDecoder
from llm_inference_router.dialects import sse
from llm_inference_router.dialects.usage import usage_of_chat
from llm_inference_router.types import Fault, Piece

_KIND: Final = "chat.completion.chunk"


class _Fast(msgspec.Struct, gc=False):
    """Not tracked by the collector: a chunk holds no cycles and lives for microseconds."""


class _Delta(_Fast):
    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: Function | None = None
    audio: dict[str, Any] | None = None


class _Top(_Fast):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Token(_Fast):
    token: str
    logprob: float
    top_logprobs: list[_Top]
    bytes: list[int] | None = None


class _Logprobs(_Fast):
    content: list[_Token] | None
    refusal: list[_Token] | None


class _Choice(_Fast):
    index: int
    delta: _Delta
    finish_reason: normalise.FinishReason | msgspec.UnsetType | None = msgspec.UNSET
    logprobs: _Logprobs | None = None


class _Chunk(_Fast):
    """A chunk that the official client's types accept as it is."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[_Choice]
    usage: dict[str, Any] | None = None
    error: msgspec.Raw | None = None
    service_tier: normalise.Tier | None = None
    system_fingerprint: str | None = None


_read = msgspec.json.Decoder(_Chunk).decode


class OpenAIDecoder(ChoiceDecoder):
    __slots__ = ("_calls", "_counting", "_learned", "_new", "_old", "_upstream_model")

    def __init__(self, rendering: Rendering) -> None:
        super().__init__(rendering)
        self._calls = Calls(rendering)
        self._counting = False  # usage comes with chunks of content, as some servers send it where they are asked
        self._learned = False
        self._upstream_model = ""
        self._old = b""  # the upstream's spelling of its model name
        self._new = orjson.dumps(rendering.model)

    def _event(self, name: bytes, data: bytes, pieces: list[Piece]) -> None:
        if name == b"error":
            self._fail(faults.inside(data), pieces)
            return
        try:
            chunk = _read(data)
        except (msgspec.DecodeError, RecursionError):
            self._long_way(data, pieces)
            return
        choices = chunk.choices
        if chunk.usage is not None or not chunk.id or chunk.error is not None or len(choices) != 1:
            self._long_way(data, pieces)
            return
        original = data
        choice = choices[0]
        delta = choice.delta
        index = choice.index
        calls = delta.tool_calls
        finish = choice.finish_reason
        settled = not calls or (finish is None and self._calls.passes(index, calls))
        if finish is msgspec.UNSET or index not in self._seen or not settled:
            self._long_way(data, pieces)
            return
        if finish is not None and index in self._calls and not self._sound(index, finish, pieces):
            return
        if delta.reasoning and delta.reasoning_content is None:
            data = self._renamed(data, delta.reasoning)
        patched = self._patch(data, chunk.model) if data else None
        if patched is None:
            self._long_way(original, pieces)
            return
        self._begun = True
        text = delta.content or ""
        if delta.refusal:
            text += delta.refusal
        size = len(text)
        extra = delta.reasoning_content or delta.reasoning
        if extra:
            size += len(extra)
        if calls:
            size += self._calls.take(index, calls)
        content = size > 0 or bool(calls) or delta.function_call is not None or delta.audio is not None
        if finish is not None:
            self._open.discard(index)
        pieces.append(Piece(patched, content, size, text, self._finished(finish)))

    def _patch(self, data: bytes, model: str) -> bytes | None:
        """The event with the model's name exchanged, or None where that is not sure to hit the right place.

        A key is `"model"` with bare quotes, which no string can contain: if the bytes hold it once, and the
        typed reading found a model, that one place is the top-level name.
        """
        if not self._learned or model != self._upstream_model:
            self._learned = True
            self._upstream_model = model
            self._old = self._spelling(data, model)
        if not self._old or data.count(b'"model"') != 1 or b"\n" in data:
            return None
        before, found, after = data.partition(self._old)
        return before + b'"model":' + self._new + after if found else None

    def _renamed(self, data: bytes, reasoning: str) -> bytes:
        """The event with the reasoning under the name that clients read too; empty where that is not sure to hit the
        right place.
        """
        key = b'"reasoning":'
        if data.count(b'"reasoning"') != 1 or key not in data:
            return b""
        return data.replace(key, b'"reasoning_content":' + orjson.dumps(reasoning) + b"," + key)

    def _sound(self, index: int, finish: str, pieces: list[Piece]) -> bool:
        """Whether the finished calls of a choice can be read by a client; if not, that ends the stream. A call without
        arguments is given `{}`.
        """
        empty = self._calls.ended(index, finish)
        if empty is None:
            self._fail(normalise.BROKEN_CALL, pieces)
            return False
        for number in empty:
            call = {"index": number, "function": {"arguments": "{}"}}
            doc: dict[str, Any] = {"choices": [{"index": index, "delta": {"tool_calls": [call]}}]}
            normalise.head(doc, self._rendering, _KIND)
            doc["choices"][0]["finish_reason"] = None
            pieces.append(Piece(orjson.dumps(doc), True, 2))
        return True

    def _spelling(self, data: bytes, model: str) -> bytes:
        name = orjson.dumps(model)
        for between in (b'"model":', b'"model": '):
            if between + name in data:
                return between + name
        return b""

    def _long_way(self, data: bytes, pieces: list[Piece]) -> None:
        if data == sse.DONE or data.strip() == sse.DONE:
            self._finish(pieces)
            return
        doc = self._chunk(data, pieces)
        if doc is not None:
            self._repaired(doc, pieces)

    def _repaired(self, doc: dict[str, Any], pieces: list[Piece]) -> None:
        raw = doc["choices"]
        normalise.head(doc, self._rendering, _KIND)
        usage = usage_of_chat(doc.get("usage"))
        last = None
        if not self._rendering.include_usage:
            doc.pop("usage", None)
        elif usage is not None and raw:
            if not self._counting and any(isinstance(c, dict) and c.get("finish_reason") for c in raw):
                # Usage belongs on a chunk of its own, where clients look for it.
                last = orjson.dumps({**doc, "choices": []})
                doc["usage"] = None
            self._counting = True
        choices = [normalise.choice(item, number) for number, item in enumerate(raw)]
        doc["choices"] = choices
        size, text, content, finish = 0, "", False, None
        for choice in choices:
            delta = choice["delta"] = normalise.delta(choice.get("delta"))
            self._begin(choice["index"], delta)
            reason = choice["finish_reason"]
            if (
                reason is not None
                and choice["index"] in self._calls
                and not self._sound(choice["index"], reason, pieces)
            ):
                return
            more, said = normalise.generated(delta)
            size += more
            text += said
            content = content or more > 0 or any(delta.get(k) for k in ("tool_calls", "function_call", "audio"))
            if choice["finish_reason"] is not None:
                self._open.discard(choice["index"])
                finish = choice["finish_reason"]
        finish = self._finished(finish)
        silent = not choices and (usage is None or not self._rendering.include_usage)
        chunk = None if silent else orjson.dumps(doc)
        pieces.append(Piece(chunk, content, size, text, finish, usage if last is None else None))
        if last is not None:
            pieces.append(Piece(last, usage=usage))

    def _begin(self, index: int, delta: dict[str, Any]) -> None:
        if index not in self._seen:
            self._seen.add(index)
            self._open.add(index)
            delta["role"] = "assistant"
        for place, call in enumerate(delta.get("tool_calls", ())):
            self._calls.settle(index, place, call)

    def _finish(self, pieces: list[Piece]) -> None:
        """The end marker. A choice that never named its finish reason is given one: the upstream says it is
        whole.
        """
        self._done = True
        if not self._begun:
            self._fail(Fault("malformed", "the upstream's answer holds no chunk"), pieces)
            return
        for index in sorted(self._open):
            reason = "tool_calls" if index in self._calls else "stop"
            if index in self._calls and not self._sound(index, reason, pieces):
                return
            doc: dict[str, Any] = {"choices": [{"index": index, "delta": {}, "finish_reason": reason}]}
            normalise.head(doc, self._rendering, _KIND)
            self._open.discard(index)
            pieces.append(Piece(orjson.dumps(doc), finish_reason=None if self._open else reason))
        pieces.append(Piece(done=True))
