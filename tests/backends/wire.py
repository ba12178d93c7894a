"""What tests of backends share: running answers through a backend, and the official client's types as a
judge.
"""

import json
from collections.abc import Iterable
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llm_inference_router.backends.base import Backend, Rendering
from llm_inference_router.dialects.assemble import Assembly
from llm_inference_router.dialects.base import Head
from llm_inference_router.dialects.chat_writer import ChatWriter
from llm_inference_router.types import Endpoint, Model, Piece, Price
from llm_inference_router.vocabulary import Capability

MODEL_NAME = "small-model"


def rendering(*, include_usage: bool = True) -> Rendering:
    return Rendering(model=MODEL_NAME, id="chatcmpl-ours", created=1_700_000_000, include_usage=include_usage)


def model(backend: str = "vllm", **changes: Any) -> Model:
    fields: dict[str, Any] = {
        "name": MODEL_NAME,
        "backend": backend,
        "upstream_model": "upstream-name",
        "endpoints": (Endpoint("e", "http://127.0.0.1:8000/v1"),),
        "tier": "small",
        "location": "local",
        "region": "",
        "context": 4096,
        "max_output": None,
        "price": Price(),
        "capabilities": frozenset[Capability](),
    }
    return Model(**{**fields, **changes})


def pieces(backend: Backend, parts: Iterable[bytes], *, include_usage: bool = True) -> list[Piece]:
    decoder = backend.decoder(rendering(include_usage=include_usage))
    found = [piece for part in parts for piece in decoder.feed(part)]
    return found + decoder.close()


def events(*docs: Any) -> bytes:
    """Documents as one stream; a string stands for itself."""
    lines = [doc if isinstance(doc, str) else json.dumps(doc) for doc in docs]
    return b"".join(b"data: " + line.encode() + b"\n\n" for line in lines)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "upstream-name",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}],
        **more,
    }


def assembled(found: Iterable[Piece], *, include_usage: bool = True) -> tuple[Assembly, bytes]:
    """The pieces pushed through an assembly, and all bytes that the client is sent."""
    given = rendering()
    writer = ChatWriter(Head(given.id, given.created, given.model), include_usage=include_usage)
    assembly = Assembly(writer, keep_text=True)
    sent = [frame for piece in found for frame in assembly.push(piece)]
    return assembly, b"".join(sent) + b"".join(assembly.end())


def sent_chunks(stream: bytes) -> list[ChatCompletionChunk]:
    """The frames of a finished stream as the official client's strict types, its end marker checked."""
    frames = stream.split(b"\n\n")
    assert frames.pop() == b""
    assert frames.pop() == b"data: [DONE]"
    assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
    return [ChatCompletionChunk.model_validate_json(frame[6:], strict=True) for frame in frames]


def completion(body: dict[str, Any]) -> ChatCompletion:
    return ChatCompletion.model_validate_json(json.dumps(body), strict=True)


def joined(chunks: Iterable[ChatCompletionChunk]) -> dict[str, str]:
    """Text, reasoning and tool calls of a stream, joined as clients join them."""
    total = {"content": "", "reasoning": "", "tools": ""}
    for one in chunks:
        for choice in one.choices:
            extra = choice.delta.model_extra or {}
            total["content"] += choice.delta.content or ""
            total["reasoning"] += extra.get("reasoning") or extra.get("reasoning_content") or ""
            for call in choice.delta.tool_calls or ():
                if call.function is not None:
                    total["tools"] += (call.function.name or "") + (call.function.arguments or "")
    return total
