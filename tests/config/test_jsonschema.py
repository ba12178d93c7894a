import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from llm_inference_router.config.jsonschema import schema, written_default
from llm_inference_router.config.schema import Duration, Size

EXAMPLES = Path(__file__).parents[2] / "examples"


def _errors(document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(document)]


def _example() -> Any:
    return yaml.safe_load((EXAMPLES / "router.example.yaml").read_text(encoding="utf-8"))


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", ["router.example.yaml", "router.minimal.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    assert _errors(yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))) == []


def _mappings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        free = path in (("routes",), ("rules", 3, "when", "tags"), ("experiments", 0, "arms"))
        inner = [found for key, item in value.items() for found in _mappings(item, (*path, key))]
        return inner if free else [path, *inner]
    if isinstance(value, list):
        return [found for i, item in enumerate(value) for found in _mappings(item, (*path, i))]
    return []


@pytest.mark.parametrize("path", _mappings(_example()), ids=str)
def test_a_misspelt_key_is_an_error_in_every_mapping(path: tuple[Any, ...]) -> None:
    document = copy.deepcopy(_example())
    mapping = document
    for step in path:
        mapping = mapping[step]
    mapping["misspelt"] = 1
    assert _errors(document)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("server", "drain"), "60"),
        (("server", "max_body"), "20MB"),
        (("server", "port"), 70000),
        (("models", 0, "tier"), "smal"),
        (("models", 0, "name"), "a b"),
        (("routes", "auto", "explore"), 2),
        (("routes", "auto", "policy", "kind"), "best"),
        (("privacy", "kinds"), {"ibn": "restricted"}),
        (("models",), {}),
    ],
)
def test_a_wrong_value_is_an_error(path: tuple[Any, ...], wrong: Any) -> None:
    document = copy.deepcopy(_example())
    mapping = document
    for step in path[:-1]:
        mapping = mapping[step]
    mapping[path[-1]] = wrong
    assert _errors(document)


def test_models_and_routes_are_required() -> None:
    assert schema()["required"] == ["models", "routes"]


def test_a_value_of_any_kind_may_be_a_reference() -> None:
    document = _example()
    document["server"] |= {"port": "${PORT}", "drain": "${DRAIN:-60s}"}
    document["models"][0]["tier"] = "${TIER}"
    assert _errors(document) == []


def test_every_key_has_a_description() -> None:
    whole = schema()
    for name, definition in [("", whole), *whole["$defs"].items()]:
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Duration(2), "2s"),
        (Duration(60), "60s"),
        (Duration(600), "10m"),
        (Duration(0.5), "0.5s"),
        (Duration(90 * 86400), "90d"),
        (Size(20 * 1024 * 1024), "20MiB"),
        (Size(1000), "1000"),
        ((1, 2), [1, 2]),
    ],
)
def test_defaults_are_written_as_in_the_file(value: Any, written: Any) -> None:
    assert written_default(value) == written
