"""A schema that a chat client asks for: enforced by a Claude, or asked for in the prompt."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.backends.anthropic_schema import closed
from tests.backends.claude import (
    EARLY,
    LATE,
    MIDDLE,
    NEW,
    PERSON,
    encoded,
)


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": schema}}


@pytest.mark.proves("chat", "anthropic", "schema", evidence="specification")
def test_a_schema_is_enforced_by_models_that_can() -> None:
    for name in (NEW, LATE, MIDDLE, EARLY):
        body, warnings = encoded(name, response_format=form(PERSON))
        held = body["output_config"]["format"]
        assert held["type"] == "json_schema"
        assert held["schema"]["properties"]["age"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
        assert "system" not in body
        assert warnings == ()


def test_a_constraint_that_is_not_enforced_is_told_and_warned_of() -> None:
    body, warnings = encoded(NEW, response_format=form(PERSON | {"properties": {"name": {"type": "string"}, "age": {
        "type": "integer", "minimum": 0, "description": "in years"}}}))  # fmt: skip
    age = body["output_config"]["format"]["schema"]["properties"]["age"]
    assert age == {"type": "integer", "description": "in years\n\n{minimum: 0}"}
    assert warnings == ("warning;weakened;response_format",)


OPEN: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {}}},
    {"type": "array", "items": {"type": "string"}},
    {"$ref": "https://example.com/schema"},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"anyOf": [
        {"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/T"}}}]}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", OPEN, ids=str)
def test_a_schema_that_cannot_be_enforced_is_asked_for_in_the_prompt(schema: dict[str, Any]) -> None:
    body, warnings = encoded(NEW, response_format=form(schema))
    assert "output_config" not in body
    assert json.dumps(schema, separators=(",", ":")) in body["system"]
    assert warnings == ("warning;weakened;response_format",)


@pytest.mark.proves("chat", "anthropic", "json", evidence="specification", lost="weakened")
def test_json_mode_is_asked_for_in_the_prompt() -> None:
    body, warnings = encoded(NEW, response_format={"type": "json_object"})
    assert "one JSON object" in body["system"]
    assert warnings == ("warning;weakened;response_format",)


_LEAF = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": ["number", "null"]},
        {"enum": ["a", "b", 1, None]},
        {"const": "x"},
        {"type": "string", "maxLength": 2},
        {"$ref": "#/$defs/T"},
    ]
)
_SCHEMA = st.recursive(
    _LEAF,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner)
        | st.builds(lambda many: {"oneOf": many}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(
            lambda some: {"type": "object", "properties": some, "required": list(some)},
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=6,
)
_VALUE = st.recursive(
    st.none() | st.sampled_from(["a", "abc", "x"]) | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(_SCHEMA, _VALUE)
def test_what_the_closed_schema_allows_the_asked_one_allows(inner: dict[str, Any], value: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"v": inner},
        "required": ["v"],
        "$defs": {"T": {"type": "boolean"}},
    }
    made = closed(schema)
    assert made is not None
    instance = {"v": value}
    # Of several variants exactly one is asked for, and any is allowed: nobody means two at once.
    asked = json.loads(json.dumps(schema).replace("oneOf", "anyOf"))
    if not made.weaker and jsonschema.Draft202012Validator(made.schema).is_valid(instance):
        assert jsonschema.Draft202012Validator(asked).is_valid(instance)
