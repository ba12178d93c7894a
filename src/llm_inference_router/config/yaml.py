"""Strict YAML: text to nodes that know their line, or problems that name it.

What makes a configuration ambiguous is refused: duplicate keys, anchors, aliases, merge keys, tags, several
documents. Scalars stay text here: what `22:00`, `no` or `1e3` mean is decided by the type that is wanted
(see `convert`), never by YAML 1.1's guesses. Nodes are built from the parser's events, because the C
composer recurses without a limit and a file of a hundred thousand brackets would end the process.
"""

import re
from typing import Any, TypeAlias

import yaml
from msgspec import Struct

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000

Path: TypeAlias = tuple[str | int, ...]


class Problem(Struct, frozen=True):
    """What is wrong, and where. `line` 0: look `path` up in the document."""

    path: Path
    message: str
    line: int = 0


class Scalar(Struct, frozen=True):
    """A value as written. `plain`: without quotes. `source`: what the file says, where `text` was expanded
    from it."""

    text: str
    plain: bool
    line: int
    source: str | None = None
    unset: bool = False  # it refers to something that is not set; `text` is then the reference itself

    @property
    def shown(self) -> str:
        """What may be printed: never a value that came from the environment or a file."""
        return shorten(self.text if self.source is None else self.source)


class Sequence(Struct, frozen=True):
    items: tuple["Node", ...]
    line: int


class Entry(Struct, frozen=True):
    value: "Node"
    line: int
    plain: bool


class Mapping(Struct, frozen=True):
    entries: dict[str, Entry]
    line: int


class Refused(Struct, frozen=True):
    """Something already reported; whoever meets it says nothing more."""

    line: int


Node: TypeAlias = Scalar | Sequence | Mapping | Refused


class Document(Struct, frozen=True):
    root: Node | None
    problems: tuple[Problem, ...]


class _StopError(Exception):
    """Reading on makes no sense."""


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # built without libyaml, PyYAML has only the slow one
_SURROGATE = re.compile("[\ud800-\udfff]")
_HINTS = (
    (
        "mapping values are not allowed",
        'a ": " too many, or wrong indentation; a text with ": " in it needs quotes',
    ),
    ("found unexpected end of stream", "a quote, bracket or brace is not closed"),
    (
        "did not find expected ',' or",
        'a comma or closing bracket is missing; inside { } and [ ] write "${NAME}" in quotes',
    ),
    ("did not find expected key", "wrong indentation, or something after a closing quote"),
    ("did not find expected '-' indicator", "the items of a list must begin in the same column"),
    ("could not find expected ':'", 'a key without ": " after it'),
    ("cannot start any token", "quote a text that begins with this character"),
)


def shorten(text: str) -> str:
    """A text of the file for a message: one line of reasonable length."""
    return text if len(text) <= 60 else text[:57] + "..."


def read(data: bytes | str) -> Document:
    """The document's nodes, and every problem of its form. Raises nothing; syntax errors end the reading."""
    problems: list[Problem] = []
    text = _decode(data, problems)
    if text is None:
        return Document(None, tuple(problems))
    reader = _Reader(text, problems)
    root: Node | None = None
    try:
        root = reader.document()
    except _StopError:
        root = None
    except yaml.YAMLError as error:
        problems.append(_syntax(error, text))
        root = None
    finally:
        reader.dispose()
    return Document(root, tuple(problems))


def find(root: Node | None, path: Path) -> Node | None:
    """What stands at a path, if anything does."""
    node = root
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            node = node.entries[step].value
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def locate(root: Node | None, path: Path) -> int:
    """The line of a path, or of the nearest thing above it that exists."""
    line = root.line if root else 1
    node: Node | None = root
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            entry = node.entries[step]
            node, line = entry.value, entry.line
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            break
    return line


def render(root: Node | None, path: Path) -> str:
    """A path for people: `models.gpt-4o.price.input`; items of a list go by their name where they have
    one."""
    words: list[str] = []
    for depth, step in enumerate(path, start=1):
        if isinstance(step, str):
            words.append("." + (shorten(step) or '""'))
        else:
            name = find(root, (*path[:depth], "name"))
            words.append(f".{name.shown}" if isinstance(name, Scalar) and name.text else f"[{step}]")
    return "".join(words).removeprefix(".")


def _decode(data: bytes | str, problems: list[Problem]) -> str | None:
    if len(data) > MAX_BYTES:
        problems.append(Problem((), f"the file is larger than {MAX_BYTES // 1024} KiB", 1))
        return None
    if isinstance(data, str):
        text = data
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            problems.append(Problem((), "the file is not UTF-8 here; save it as UTF-8", line))
            return None
    if surrogate := _SURROGATE.search(text):
        line = text.count("\n", 0, surrogate.start()) + 1
        problems.append(Problem((), "half a character (a lone surrogate)", line))
        return None
    return text


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is None:
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        return Problem((), "a control character that YAML does not allow", line)
    lines = text.splitlines()
    said = str(getattr(error, "problem", "") or "not YAML")
    here = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in here[: mark.column + 1] and not here[: mark.column].strip():
        return Problem((), "a tab cannot indent; use spaces", mark.line + 1)
    hint = next((hint for words, hint in _HINTS if words in said), "")
    return Problem((), f"not YAML at column {mark.column + 1}: {said}" + (f" ({hint})" if hint else ""), mark.line + 1)


class _Reader:
    """Turns the parser's events into nodes, one document, one pass."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        self._loader = _LOADER(text)
        self._problems = problems
        self._nodes = 0

    def dispose(self) -> None:
        self._loader.dispose()

    def document(self) -> Node | None:
        self._loader.get_event()  # the stream's start
        if isinstance(self._loader.get_event(), yaml.StreamEndEvent):
            self._problem((), "the file is empty; it needs `models` and `routes`", 1)
            return None
        root = self._node(self._loader.get_event(), (), 0)
        self._loader.get_event()  # the document's end
        after = self._loader.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            self._problem((), "a second document begins here; one file holds one (remove the ---)", _line(after))
        return root

    def _problem(self, path: Path, message: str, line: int) -> None:
        self._problems.append(Problem(path, message, line))

    def _node(self, event: Any, path: Path, depth: int) -> Node:
        line = _line(event)
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            self._problem(
                (), f"nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else "too many values", line
            )
            raise _StopError
        if isinstance(event, yaml.AliasEvent):
            self._problem(path, f"alias *{event.anchor}: aliases are not allowed; write the value out", line)
            return Refused(line)
        if event.anchor is not None:
            self._problem(
                path,
                f"anchor &{event.anchor}: anchors and aliases are not allowed; write the value out",
                line,
            )
        if event.tag is not None:
            self._problem(path, f"tag {event.tag}: tags are not allowed; use quotes for a text", line)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(event.value, event.style is None or event.style == "", line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth, line)
        return self._mapping(path, depth, line)

    def _sequence(self, path: Path, depth: int, line: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._loader.get_event(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return Sequence(tuple(items), line)

    def _mapping(self, path: Path, depth: int, line: int) -> Node:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            if not isinstance(key, Scalar):
                if not isinstance(key, Refused):
                    self._problem(path, "a key must be a word, not a list or a mapping", key.line)
                self._node(self._loader.get_event(), path, depth + 1)
                continue
            value = self._node(self._loader.get_event(), (*path, key.text), depth + 1)
            if key.plain and key.text == "<<":
                self._problem(path, "merge keys (<<) are not allowed; write the keys out", key.line)
            elif key.text in entries:
                first = entries[key.text].line
                self._problem((*path, key.text), f"duplicate key; it is already on line {first}", key.line)
            else:
                entries[key.text] = Entry(value, key.line, key.plain)
        return Mapping(entries, line)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
