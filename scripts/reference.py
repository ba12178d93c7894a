"""Writes what docs/reference takes from the code: config.md, cli.md and the table of metrics.md.

usage: scripts/reference.py [--check]
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import inspect

from llm_inference_router.cli.main import main as command_line
from llm_inference_router.config import defaults
from llm_inference_router.config.convert import choices, config_type, default_of
from llm_inference_router.config.descriptions import sentence
from llm_inference_router.config.jsonschema import written_default
from llm_inference_router.config.schema import Constraint, Duration, Secret, Size
from llm_inference_router.telemetry.metrics import Metrics

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
PAGE = FOLDER / "config.md"

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
        lines.append(f"| `{kind.tag_field}` | `{kind.tag}` | required | {sentence(kind.cls, kind.tag_field)} |")
    for field in kind.fields:
        name = field.encode_name
        types = _cell(" or ".join(dict.fromkeys(_types(field.type, sections))))
        lines.append(f"| `{name}` | {types} | {_default(default_of(field))} | {_cell(sentence(kind.cls, name))} |")
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
        lines.append(f"| `{backend}` | {f'`{url}`' if url else none} | {capabilities or 'none: say what it can'} |")
    lines += [
        "",
        "Of Claude models by the version in their name: `json_schema` from 4.5 on, `prefill` before 4.6. Another",
        "server that speaks Anthropic's Messages is taken to have `prefill` and no `json_schema`.",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- the command line -------------------------------------------------------------------------------------------------

_CLI_HEAD = """# Command line

This page is made from the commands' own help by `scripts/reference.py`; do not edit it.

`llm-router --help` lists the commands, `llm-router --version` prints the version. Exit codes: 0 good, 1 findings or a
failure, 2 wrong usage, 78 a configuration that must not be loaded.
"""


def cli_page() -> str:
    """The whole page of the command line."""
    context = click.Context(command_line, info_name="llm-router")
    parts = [_CLI_HEAD]
    for verb in command_line.list_commands(context):
        command = importlib.import_module(f"llm_inference_router.cli.{verb}").command
        parts.append(_command(verb, command, click.Context(command, info_name=verb, parent=context)))
    return "\n".join(parts)


def _command(verb: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## {verb}", "", "```", usage, "```", "", *_help(command), ""]
    lines += ["| option | meaning |", "|---|---|"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            lines.append(f"| `{_cell(record[0])}` | {_cell(' '.join(record[1].split()))} |")
    return "\n".join(lines) + "\n"


def _help(command: click.Command) -> Iterator[str]:
    """The help's paragraphs; those that click is told not to wrap (a line of backspace first) as they are written."""
    for number, paragraph in enumerate(cleandoc(command.help or "").split("\n\n")):
        if number:
            yield ""
        title, *rest = paragraph.removeprefix("\b\n").split("\n")
        if paragraph.startswith("\b") and rest:
            yield from (title, "", "```", *(line.removeprefix("  ") for line in rest), "```")
        else:
            yield " ".join([title, *rest]).replace("\b", "").strip()


# --- metrics ----------------------------------------------------------------------------------------------------------


def metrics_table() -> str:
    """One row a metric, as it is named when it is scraped."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in vars(Metrics()).values():
        for family in getattr(metric, "describe", tuple)():
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            lines.append(f"| `{name}` | {family.type} | {labels or '-'} | {family.documentation} |")
    return "\n".join(lines)


def filled(text: str, name: str, block: str) -> str:
    """A page with what stands between its two marks of that name replaced. Raises ValueError without the marks."""
    begin, end = f"<!-- {name}: made by scripts/reference.py -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the page needs each of {begin} and {end} once")
    marked = re.escape(begin) + ".*?" + re.escape(end)
    return re.sub(marked, lambda _: f"{begin}\n\n{block}\n\n{end}", text, flags=re.DOTALL)


def metrics_page() -> str:
    """The page as it stands, with a fresh table."""
    return filled((FOLDER / "metrics.md").read_text(encoding="utf-8"), "metrics", metrics_table())


PAGES: dict[Path, Callable[[], str]] = {
    PAGE: page,
    FOLDER / "cli.md": cli_page,
    FOLDER / "metrics.md": metrics_page,
}


def main() -> int:
    stale = 0
    for path, make in PAGES.items():
        fresh = path.exists() and path.read_text(encoding="utf-8") == make()
        if "--check" in sys.argv[1:]:
            print(f"{path.name} is {'fresh' if fresh else 'stale: run scripts/reference.py'}")
            stale += not fresh
        elif not fresh:
            path.write_text(make(), encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
