"""The words for a request that is wrong, as OpenAI has them: what, where, and what was expected."""

from typing import Any, Final

import orjson

from llm_inference_router.errors import InvalidRequest

_NAMES: Final[dict[type, str]] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def quoted(value: Any) -> str:
    """A value as an error message may show it: a short string in quotes, otherwise only its type."""
    if isinstance(value, str):
        return ascii(value[:40])
    return _NAMES.get(type(value), "something else")


def missing(place: str) -> InvalidRequest:
    return InvalidRequest(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")


def invalid_type(place: str, expected: str, got: Any) -> InvalidRequest:
    kind = _NAMES.get(type(got), "something else")
    message = f"Invalid type for '{place}': expected {expected}, but got {kind} instead."
    return InvalidRequest(message, param=place, code="invalid_type")


def unfit(place: str, expected: str, got: Any) -> InvalidRequest:
    """A wrong type, or nothing where something has to be."""
    return missing(place) if got is None else invalid_type(place, expected, got)


def empty(place: str, kind: str, expected: str) -> InvalidRequest:
    message = f"Invalid '{place}': empty {kind}. Expected {expected}."
    return InvalidRequest(message, param=place, code=f"empty_{kind}")


def invalid_value(place: str, got: str, supported: str) -> InvalidRequest:
    message = f"Invalid value at '{place}': {quoted(got)}. Supported values are: {supported}."
    return InvalidRequest(message, param=place, code="invalid_value")


def not_json(body: bytes, error: orjson.JSONDecodeError) -> InvalidRequest:
    if not body.strip():
        return InvalidRequest("The request has no body; a JSON object is expected.", code="empty_body")
    if error.msg.startswith("depth limit"):
        return InvalidRequest("The request is nested too deep.", code="too_deep")
    where = f"line {error.lineno}, column {error.colno}"
    reason = error.msg.split(": line")[0]
    return InvalidRequest(f"The request body is not valid JSON: {reason} ({where}).", code="invalid_json")
