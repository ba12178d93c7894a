from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_inference_router.config.parse import Findings, parse

EXAMPLE = (Path(__file__).parents[2] / "examples" / "router.example.yaml").read_text(encoding="utf-8")
LINES = EXAMPLE.splitlines(keepends=True)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        [
            "${X}",
            "${file:/x}",
            "22:00",
            "auto",
            "small",
            "none",
            "2s",
            "~",
            "<<",
            "*a",
            "&a",
            "!!str x",
            "a: b",
        ]
    ),
)
# fmt: off
KEYS = st.sampled_from(
    [
        "models", "routes", "server", "rules", "budgets", "experiments", "privacy", "store",
        "telemetry", "name", "backend", "tier", "location", "context", "price", "policy", "kind",
        "bands", "light", "when", "use", "in", "pattern", "hours", "keys", "key", "host", "arms",
        "ladder", "at", "do", "levels", "sensitive", "x",
    ]
)
# fmt: on
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def _flow(value: Any) -> str:
    """A value as YAML in one line; texts go in as they are, so that every kind of nonsense occurs."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return "" if value is None else str(value)


def _read(text: str | bytes) -> Findings:
    def read_file(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    return parse(text, environ={"X": "1"}, read_file=read_file, name="f.yaml")


def _is_sound(findings: Findings) -> None:
    assert (findings.config is None) == bool(findings.problems)
    for sentence in (*findings.problems, *findings.warnings, *findings.unset):
        name, line, words = sentence.split(":", 2)
        assert name == "f.yaml"
        assert int(line) >= 1
        assert words.strip()
        assert sentence.isprintable()
    assert len(set(findings.problems)) == len(findings.problems)


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_is_read_or_answered_with_problems(text: str | bytes) -> None:
    _is_sound(_read(text))


@settings(max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=5).map(lambda d: "".join(f"{k}: {_flow(v)}\n" for k, v in d.items())))
def test_any_shape_made_of_the_schemas_own_words_is_read_or_answered(text: str) -> None:
    _is_sound(_read(text))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "twice", "indent", "empty"]))
def test_the_example_with_one_line_damaged_is_read_or_answered(number: int, damage: str) -> None:
    line = LINES[number]
    changed = {"drop": "", "twice": line * 2, "indent": "  " + line, "empty": line.split(":")[0] + ":\n"}[damage]
    _is_sound(_read("".join([*LINES[:number], changed, *LINES[number + 1 :]])))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(EXAMPLE)))
def test_a_half_written_example_is_read_or_answered(length: int) -> None:
    _is_sound(_read(EXAMPLE[:length]))


@pytest.mark.parametrize("size", [1000, 20_000])
def test_a_large_file_of_duplicates_is_answered_in_full(size: int) -> None:
    assert len(_read("models: []\n" * size).problems) >= size - 1


def test_what_came_from_outside_is_named_by_its_reference_in_every_message() -> None:
    text = 'models: []\nroutes: {a: {models: ["${X}"]}}\nrules: [{name: r, when: {hours: "${X}"}, use: {}}]\n'
    findings = parse(text, environ={"X": "from-outside"}, read_file=str, name="f.yaml")
    said = "\n".join(findings.problems)
    assert said.count("${X}") == 2
    assert "from-outside" not in said


def test_keys_and_values_cannot_break_the_line_of_a_message() -> None:
    findings = _read('models: []\nroutes: {}\n"a\\nb\\e[31m": 1\ntelemetry: {log: "x\\ny"}\n"": 1\n')
    assert all(sentence.isprintable() for sentence in findings.problems)
    assert any('"": unknown key' in sentence for sentence in findings.problems)


def test_unset_references_are_warnings_and_named_apart() -> None:
    findings = _read(EXAMPLE)
    assert findings.config is not None
    assert len(findings.unset) == 3
    assert set(findings.unset) <= set(findings.warnings)
