"""The most tokens that an answer may have, where the client allows more than the model gives."""

from typing import Final

from msgspec import structs

from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest

FIELDS: Final = ("max_tokens", "max_completion_tokens")
_OWN_WORD: Final = {"responses": "max_output_tokens"}  # of a dialect whose client never wrote chat's


def limited(request: ChatRequest, most: int | None) -> ChatRequest:
    """The request with its limit within `most` tokens; a warning where that is lower. Servers answer 400 to more."""
    if most is None or request.max_tokens is None or request.max_tokens <= most:
        return request
    body = dict(request.body)
    lowered = [field for field in FIELDS if body.get(field) is not None]
    for field in lowered:
        body[field] = most
    warnings = (*request.warnings, *[warning("clamped", _OWN_WORD.get(request.dialect, field)) for field in lowered])
    return structs.replace(request, body=body, max_tokens=most, warnings=warnings)
