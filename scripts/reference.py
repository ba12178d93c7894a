"""Writes docs/reference/config.md from the schema. usage: scripts/reference.py [--check]"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from llm_inference_router.config import defaults
from llm_inference_router.config.convert import choices, config_type, default_of
from llm_inference_router.config.descriptions import sentence
from llm_inference_router.config.jsonschema import written_default
from llm_inference_router.config.schema import Constraint, Duration, Secret, Size

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "config.md"

_HEAD = """# Configuration

This page is made from the schema by `scripts/reference.py`; do not edit it. `llm-router check FILE`
validates a file and `llm-router schema` prints the JSON Schema for editors. `examples/router.example.yaml`
shows every area.

Values may hold `${NAME}` (the environment), `${NAME:-text}` (with a default) and `${file:/path}` (the content
of a file; a relative path begins at the configuration's own folder); `$${` writes a literal `${`. They are
filled in after the file is parsed, so what they bring is never read as YAML. Durations are written `500ms`,
`2s`, `10m`, `1h` or `90d`, sizes `64KiB`, `20MiB` or `1GiB`. Unknown keys, duplicate keys, anchors, aliases,
merge keys, tags and dangling names are errors.
"""

_NAMES = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
}
_CUSTOM = {Duration: "duration", Size: "size", Secret: "secret text"}


def page() -> str:
    """The whole page."""
    sections = _sections()
    parts = [_HEAD]
    parts += [_section(cls, sections) for cls in sections]
    parts.append(_backends())
    return "\n".join(parts)


Sections = dict[type, tuple[inspect.StructType, list[str]]]


def _sections() -> Sections:
    """Every struct of the file with the paths where it stands, in the order in which a reader meets them."""
    found: Sections = {}

    def visit(kind: inspect.Type, path: str) -> None:
        if isinstance(kind, inspect.StructType):
            _, paths = found.setdefault(kind.cls, (kind, []))
            paths.append(path)
            for field in kind.fields:
                visit(field.type, f"{path}.{field.encode_name}".removeprefix("."))
        elif isinstance(kind, inspect.UnionType):
            for part in kind.types:
                visit(part, path)
        elif isinstance(kind, inspect.VarTupleType):
            visit(kind.item_type, f"{path}[]")
        elif isinstance(kind, inspect.DictType):
            visit(kind.value_type, f"{path}.*")

    visit(config_type(), "")
    return found


def _title(kind: inspect.StructType, paths: list[str]) -> str:
    if kind.tag_field:
        return f"policy: {kind.tag}"
    return paths[0] or "The file"


def _section(cls: type, sections: Sections) -> str:
    kind, paths = sections[cls]
    lines = [f"## {_title(kind, paths)}", ""]
    if len(paths) > 1:
        lines += [f"At {', '.join(f'`{path}`' for path in paths)}.", ""]
    if issubclass(kind.cls, Constraint):
        lines += ["A constraint: it narrows the models to choose from; an absent key does not narrow.", ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    if kind.tag_field:
        lines.append(
            f"| `{kind.tag_field}` | `{kind.tag}` | required | {sentence(kind.cls, kind.tag_field)} |"
        )
    for field in kind.fields:
        name = field.encode_name
        types = _cell(" or ".join(dict.fromkeys(_types(field.type, sections))))
        lines.append(
            f"| `{name}` | {types} | {_default(default_of(field))} | {_cell(sentence(kind.cls, name))} |"
        )
    return "\n".join(lines) + "\n"


def _types(kind: inspect.Type, sections: Sections) -> Iterator[str]:
    if isinstance(kind, inspect.StructType):
        title = _title(*sections[kind.cls])
        yield f"[{title}](#{_anchor(title)})"
    elif isinstance(kind, inspect.UnionType):
        for part in kind.types:
            if not isinstance(part, inspect.NoneType):
                yield from _types(part, sections)
    elif isinstance(kind, inspect.VarTupleType):
        yield "list of " + " or ".join(_types(kind.item_type, sections))
    elif isinstance(kind, inspect.TupleType):
        yield f"list of {len(kind.item_types)}: " + ", ".join(
            text for part in kind.item_types for text in _types(part, sections)
        )
    elif isinstance(kind, inspect.DictType):
        keys = " or ".join(_types(kind.key_type, sections))
        yield f"mapping of {keys} to " + " or ".join(_types(kind.value_type, sections))
    elif isinstance(kind, inspect.LiteralType):
        yield ", ".join(f"`{value}`" for value in choices(kind))
    elif isinstance(kind, inspect.CustomType):
        yield _CUSTOM[kind.cls]
    elif isinstance(kind, inspect.IntType | inspect.FloatType):
        low, high = kind.ge, kind.le
        span = "" if low is None else f" {low:g} to {high:.9g}" if high is not None else f", {low:g} or more"
        yield _NAMES[type(kind)] + span
    else:
        yield _NAMES[type(kind)]


def _anchor(title: str) -> str:
    """A heading's anchor, as code hosts make it."""
    kept = "".join(character for character in title.lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")


def _default(value: Any) -> str:
    if value is msgspec.NODEFAULT:
        return "required"
    if value is None:
        return "-"
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        return f"`kind: {tag}`" if tag else "its defaults"
    written = written_default(value)
    if isinstance(written, list):
        return f"`[{', '.join(str(item) for item in written)}]`"
    if isinstance(written, str):
        return f"`{written}`" if written else "empty"
    return f"`{str(written).lower() if isinstance(written, bool) else written}`"


def _backends() -> str:
    lines = [
        "## What a backend brings",
        "",
        "| backend | default address | default capabilities |",
        "|---|---|---|",
    ]
    for backend, url in defaults.ENDPOINTS.items():
        none = "none (inside the router)" if backend == "simulated" else "none: `endpoints` is required"
        capabilities = ", ".join(f"`{name}`" for name in defaults.CAPABILITIES[backend])
        lines.append(
            f"| `{backend}` | {f'`{url}`' if url else none} | {capabilities or 'none: say what it can'} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print(f"{PAGE.name} is {'fresh' if fresh else 'stale: run scripts/reference.py'}")
        return 0 if fresh else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
