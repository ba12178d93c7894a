"""Whole answers that the official client's types accept as they are: most of them.

One typed look at the parsed answer takes the place of looking at every field by itself. What does not fit is no
mistake: it takes the long way through `normalise`, which would have changed nothing of what fits.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from llm_inference_router.backends.normalise import FinishReason, Tier

_Count = Annotated[int, Meta(ge=0)]
_Details = dict[str, int | None]


class _Fast(Struct, gc=False):
    pass


class _Message(_Fast):
    role: Literal["assistant"]
    content: str
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    annotations: list[Any] | None = None
    function_call: None = None
    tool_calls: Any = UNSET


class _Choice(_Fast):
    index: int
    message: _Message
    finish_reason: FinishReason
    logprobs: None = None


class _Usage(_Fast):
    prompt_tokens: _Count
    completion_tokens: _Count
    total_tokens: _Count
    prompt_tokens_details: _Details | UnsetType = UNSET
    completion_tokens_details: _Details | UnsetType = UNSET


class _Whole(_Fast):
    id: Annotated[str, Meta(min_length=1)]
    created: int
    choices: Annotated[list[_Choice], Meta(min_length=1)]
    error: None = None
    usage: _Usage | None = None
    service_tier: Tier | None = None
    system_fingerprint: str | None = None


def plain(doc: dict[str, Any]) -> tuple[int, str, str] | None:
    """The characters generated, and the first choice's finish reason and text, of an answer that needs no more than
    names; None for one that needs a closer look.
    """
    try:
        whole = msgspec.convert(doc, _Whole)
    except msgspec.ValidationError:
        return None
    size = 0
    for choice in whole.choices:
        message = choice.message
        if message.tool_calls is not UNSET or (message.reasoning and not message.reasoning_content):
            return None
        size += len(message.content) + len(message.refusal or "")
        size += len(message.reasoning_content or message.reasoning or "")
    first = whole.choices[0]
    return size, first.finish_reason, first.message.content
