"""The relay of /v1/embeddings: requests as they came, answers checked against them.

What a client asked for is what it gets: numbers, or base64 of 32-bit floats in little-endian order. Servers that ignore
`encoding_format` give the other one, and are converted.
"""

import math
from base64 import b64decode, b64encode
from binascii import Error
from struct import error as struct_error
from struct import pack, unpack
from typing import Any

import msgspec
import orjson

from llm_inference_router.backends import normalise
from llm_inference_router.backends.base import JSON_HEADERS, Answer, Call, Encoded, Rendering
from llm_inference_router.backends.openai import OpenAI
from llm_inference_router.dialects.embeddings import EMBED
from llm_inference_router.types import ChatRequest, Fault, Model, Usage


class Embeddings(OpenAI):
    takes = frozenset({EMBED})

    def encode(self, request: ChatRequest, model: Model) -> Encoded:
        body = {**request.source, "model": model.upstream_model}
        return Encoded(Call("/embeddings", orjson.dumps(body), JSON_HEADERS))

    def answer(self, body: bytes, rendering: Rendering) -> Answer | Fault:
        doc = normalise.answered(body)
        if isinstance(doc, Fault):
            return doc
        try:
            doc["data"] = _data(doc.get("data"), rendering)
        except ValueError as error:
            return Fault("malformed", str(error))
        usage = _usage(doc.get("usage"))
        tokens = usage.input_tokens if usage else rendering.prompt_tokens
        told = doc["usage"] if usage else {}
        doc |= {
            "object": "list",
            "model": rendering.model,
            "usage": {**told, "prompt_tokens": tokens, "total_tokens": tokens},
        }
        return Answer(doc, None, usage, 0, dialect="embeddings")


class _Item(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


def _data(raw: Any, rendering: Rendering) -> list[dict[str, Any]]:
    """The vectors in the order of the input, each as it was asked for. Raises ValueError with the reason."""
    try:
        items = msgspec.convert(raw, list[_Item])
    except msgspec.ValidationError as error:
        raise ValueError(f"not a list of vectors: {error}") from None
    source = rendering.source
    if len(items) != (expected := _count(source.get("input"))):
        raise ValueError(f"{len(items)} vectors for {expected} inputs")
    places = [position if item.index is None else item.index for position, item in enumerate(items)]
    if sorted(places) != list(range(expected)):
        raise ValueError("the indexes of its vectors are not those of the inputs")
    wanted = source.get("dimensions")
    sizes = {_size(item.embedding) for item in items}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError("vectors of different lengths, or of none")
    if wanted is not None and wanted not in sizes:
        raise ValueError(f"vectors of {sizes.pop()} numbers where {wanted} were asked for")
    text = source.get("encoding_format") == "base64"
    made: list[dict[str, Any]] = [{}] * expected
    for place, item, given in zip(places, items, raw, strict=True):
        vector = item.embedding
        if text is isinstance(vector, str):
            shown: Any = given["embedding"]
        else:
            shown = to_floats(vector) if isinstance(vector, str) else to_base64(vector)
        made[place] = {**given, "object": "embedding", "index": place, "embedding": shown}
    return made


def to_base64(vector: list[float]) -> str:
    """Raises ValueError for a number that 32 bits do not hold."""
    try:
        return b64encode(pack(f"<{len(vector)}f", *vector)).decode()
    except (OverflowError, struct_error):
        raise ValueError("numbers that are no 32-bit floats") from None


def to_floats(text: str) -> list[float]:
    """Raises ValueError for what is no base64 of 32-bit floats, or holds infinities."""
    data = _bytes(text)
    vector = list(unpack(f"<{len(data) // 4}f", data))
    if not all(map(math.isfinite, vector)):
        raise ValueError("numbers that are not finite")
    return vector


def _size(vector: list[float] | str) -> int:
    return len(_bytes(vector)) // 4 if isinstance(vector, str) else len(vector)


def _bytes(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Error, ValueError):
        raise ValueError("a vector that is no base64") from None
    if len(data) % 4:
        raise ValueError("a vector that is cut within a number")
    return data


def _count(given: Any) -> int:
    """How many inputs a request has: one text or one list of token numbers, or as many as are listed."""
    return len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1


def _usage(raw: Any) -> Usage | None:
    tokens = raw.get("prompt_tokens") if isinstance(raw, dict) else None
    return Usage(tokens, 0) if type(tokens) is int and tokens >= 0 else None
