"""The vectors of simulated models: words hashed into a few dimensions, so that texts that share words lie close.

Deterministic for a model and a text; texts mean nothing to it.
"""

import math
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson

DIMENSIONS: Final = 64
_WORD: Final = re.compile(r"\w+")
_CHARS_PER_TOKEN: Final = 4


def vector(text: str, model: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Of length 1."""
    sums = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [text]:
        drawn = int.from_bytes(blake2b(f"{model}\0{word}".encode(), digest_size=8).digest(), "big")
        sums[drawn % dimensions] += 1.0 if drawn >> 63 else -1.0
    if not any(sums):  # words that cancel each other out
        sums[0] = 1.0
    norm = math.sqrt(sum(one * one for one in sums))
    return [one / norm for one in sums]


def whole(body: Mapping[str, Any], model: str) -> bytes:
    """The answer to a request for embeddings: always numbers. Raises what a body raises that is none."""
    given = body["input"]
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    texts = [one if isinstance(one, str) else " ".join(map(str, one)) for one in inputs]
    dimensions = body.get("dimensions") or DIMENSIONS
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, model, dimensions)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(max(1, len(one) // _CHARS_PER_TOKEN) if isinstance(one, str) else len(one) for one in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage, "simulated": True})
