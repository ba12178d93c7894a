"""Every key of the example files, against an independent reading of the same files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect as types

from llm_inference_router.config.convert import config_type
from llm_inference_router.config.load import load
from llm_inference_router.config.schema import Config

EXAMPLES = Path(__file__).parents[2] / "examples"

# What the file says in units, in references or as a choice, and what it must become.
TYPED = {
    ("server", "max_body"): 20 * 1024 * 1024,
    ("server", "drain"): 60.0,
    ("server", "keys", 0, "key"): "sk-research",
    ("server", "keys", 1, "key"): "sk-ops",
    ("models", 2, "api_key"): "sk-openai",
    ("models", 3, "api_key"): "sk-openai",
    ("models", 4, "api_key"): "sk-anthropic",
    ("models", 4, "timeouts", "connect"): 2.0,
    ("models", 4, "timeouts", "first_token"): 10.0,
    ("models", 4, "timeouts", "idle"): 15.0,
    ("models", 4, "timeouts", "total"): 600.0,
    ("models", 4, "health", "every"): 30.0,
    ("models", 4, "breaker", "window"): 30.0,
    ("models", 4, "breaker", "open"): 10.0,
    ("store", "retain"): 90 * 86400.0,
    ("telemetry", "traces"): "",
}

# Keys that the example leaves at their defaults.
NOT_IN_EXAMPLE = {
    ("EndpointConfig", "private"): "ours",
    ("Server", "max_requests"): "ours",
    ("Server", "max_connections"): "ours",
    ("When", "in"): "named in a comment",
    ("When", "language"): "ours",
    ("When", "keys"): "ours",
    ("When", "max_complexity"): "the other end of min_complexity",
    ("When", "min_prompt_tokens"): "the other end of max_prompt_tokens",
    ("BudgetMatch", "routes"): "named in a comment",
    ("BudgetMatch", "tags"): "named in a comment",
    ("BudgetMatch", "users"): "named in a comment",
    ("Constraint", "region"): "named in a comment",
    ("Route", "content"): "named in a comment",
    ("Utility", "kind"): "named in a comment",
    ("Utility", "cost_weight"): "ours",
    ("Utility", "latency_weight"): "ours",
    ("Arm", "*"): "constraints, shown at other places",
    ("LevelConstraint", "*"): "constraints, shown at other places",
}


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, (*path, i))
    else:
        yield path, value


def _dig(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(value, msgspec.Struct):
            form = value.__struct_config__
            name = "in_" if step == "in" else str(step)
            value = form.tag if step == form.tag_field else getattr(value, name)
        else:
            value = value[step]
    return value


def _load_example(monkeypatch: Any) -> Config:
    for name in ("RESEARCH_KEY", "OPS_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-anthropic")
    return load(EXAMPLES / "router.example.yaml")


def test_every_value_of_the_example_arrives_in_its_struct(monkeypatch: Any) -> None:
    config = _load_example(monkeypatch)
    written = yaml.safe_load((EXAMPLES / "router.example.yaml").read_text(encoding="utf-8"))
    leaves = dict(_leaves(written))
    assert set(TYPED) <= set(leaves)
    assert len(leaves) > 150
    for path, value in leaves.items():
        expected = TYPED.get(path, value)
        found = _dig(config, path)
        if value == {}:
            assert found == type(found)(), path
        else:
            assert found == expected, path
            assert isinstance(found, (type(expected), float)), path


def test_every_value_of_the_minimal_file_arrives_in_its_struct(monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    config = load(EXAMPLES / "router.minimal.yaml")
    written = yaml.safe_load((EXAMPLES / "router.minimal.yaml").read_text(encoding="utf-8"))
    for path, value in _leaves(written):
        assert _dig(config, path) == ("sk-openai" if path[-1] == "api_key" else value), path


def _keys(kind: types.Type, seen: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(kind, types.StructType):
        name = kind.cls.__name__
        if name in seen:
            return
        seen.add(name)
        if kind.tag_field:
            yield name, kind.tag_field
        for field in kind.fields:
            yield name, field.encode_name
            yield from _keys(field.type, seen)
    elif isinstance(kind, types.UnionType):
        for part in kind.types:
            yield from _keys(part, seen)
    elif isinstance(kind, types.VarTupleType):
        yield from _keys(kind.item_type, seen)
    elif isinstance(kind, types.DictType):
        yield from _keys(kind.value_type, seen)


def _used(value: Any, written: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, msgspec.Struct):
        for key, inner in written.items():
            yield type(value).__name__, key
            if key != value.__struct_config__.tag_field:
                yield from _used(_dig(value, (key,)), inner)
    elif isinstance(value, dict):
        for key, inner in written.items():
            yield from _used(value[key], inner)
    elif isinstance(value, tuple):
        for item, inner in zip(value, written, strict=True):
            yield from _used(item, inner)


def test_every_key_of_the_schema_is_in_the_example_or_in_the_short_list(monkeypatch: Any) -> None:
    config = _load_example(monkeypatch)
    written = yaml.safe_load((EXAMPLES / "router.example.yaml").read_text(encoding="utf-8"))
    used = set(_used(config, written))
    absent = {
        (struct, key)
        for struct, key in _keys(config_type(), set())
        if (struct, key) not in used and (struct, "*") not in NOT_IN_EXAMPLE
    }
    assert absent == {pair for pair in NOT_IN_EXAMPLE if pair[1] != "*"}


def test_the_file_has_at_most_ten_top_level_keys() -> None:
    assert len(Config.__struct_fields__) <= 10
