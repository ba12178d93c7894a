"""Prompts that say the same: a window of 60 characters, of letters and digits alone, slid over both texts.

Public benchmarks contain each other, often with other words around the question, so that comparing whole prompts or
their beginnings finds few of the copies.
"""

import re
from collections.abc import Iterator, Sequence

from llm_inference_router.signals.base import view
from llm_inference_router.types import ChatRequest

WINDOW = 60
_MARKS = re.compile(r"[\W_]+")


def apart(requests: Sequence[ChatRequest], tested: Sequence[ChatRequest]) -> list[bool]:
    """Of each of `requests`, whether its ask shares no window with the ask of any of `tested`."""
    seen = {hash(part) for request in tested for part in _windows(request)}
    return [seen.isdisjoint(hash(part) for part in _windows(request)) for request in requests]


def _windows(request: ChatRequest) -> Iterator[str]:
    """A text that is shorter than a window is one."""
    text = _MARKS.sub("", view(request).window.lower())
    return (text[start : start + WINDOW] for start in range(max(1, len(text) - WINDOW + 1)))
