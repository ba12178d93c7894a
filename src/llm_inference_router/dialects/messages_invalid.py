"""The words for a Messages request that is wrong, as Anthropic has them: `place: what is expected`."""

from typing import Any

from llm_inference_router.dialects.invalid import quoted
from llm_inference_router.errors import InvalidRequest


def missing(place: str) -> InvalidRequest:
    return InvalidRequest(f"{place}: Field required", param=place, code="missing_required_parameter")


def unfit(place: str, expected: str, got: Any) -> InvalidRequest:
    """A wrong type, or nothing where something has to be."""
    if got is None:
        return missing(place)
    message = f"{place}: Input should be {expected}, but it is {quoted(got)}"
    return InvalidRequest(message, param=place, code="invalid_type")


def unknown(place: str, got: str, supported: str) -> InvalidRequest:
    message = f"{place}: Input should be {supported}, but it is {quoted(got)}"
    return InvalidRequest(message, param=place, code="invalid_value")


def misplaced(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{place}: {why}", param=place, code="invalid_value")


def text_of(source: dict[str, Any], name: str, place: str) -> str:
    """A string that has to be there."""
    value = source.get(name)
    if type(value) is not str:
        raise unfit(f"{place}.{name}", "a valid string", value)
    return value
