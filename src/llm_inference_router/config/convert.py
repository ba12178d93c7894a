"""Nodes to the schema's structs, with every problem of form in one go.

One generic walk over the document and the types that msgspec reads off the structs; nothing here knows a
key. A wrong value is reported and replaced by its default, or by an empty value of its type, so that the
rest can still be checked; `bad` names those places, so that nobody complains about a replacement.
"""

import functools
import re
import typing
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, inspect

from llm_inference_router.config import scalars, schema
from llm_inference_router.config.yaml import Mapping, Node, Path, Problem, Refused, Scalar, Sequence

_PATTERNS = {
    schema.NAME_PATTERN: "is no name: up to 100 letters, digits and . _ : / @ - after a letter or digit",
}


class Converted(Struct, frozen=True):
    config: schema.Config
    problems: tuple[Problem, ...]
    bad: frozenset[Path]


def convert(root: Node) -> Converted:
    """The document as a Config; where there are problems, some of its values are replacements (`bad`)."""
    walker = _Walker()
    value = walker.value(root, config_type(), ())
    return Converted(value, tuple(walker.problems), frozenset(walker.bad))


@functools.cache
def config_type() -> inspect.StructType:
    """The type of the whole file, as msgspec sees it."""
    return typing.cast("inspect.StructType", inspect.type_info(schema.Config))


def suggest(wrong: str, right: Iterable[str]) -> str:
    """`; did you mean "..."?` with the nearest right spelling, or nothing when none is near."""
    known = {word.lower(): word for word in right}
    near = get_close_matches(wrong.lower(), known, n=1, cutoff=0.6)
    return f'; did you mean "{known[near[0]]}"?' if near else ""


@functools.cache
def declared_order() -> dict[frozenset[Any], tuple[Any, ...]]:
    """Literals as they stand in the schema (small, medium, large); msgspec sorts them."""
    found: dict[frozenset[Any], tuple[Any, ...]] = {}

    def collect(hint: Any) -> None:
        if get_origin(hint) is Literal:
            found[frozenset(get_args(hint))] = get_args(hint)
        else:
            for inner in get_args(hint):
                collect(inner)

    for value in vars(schema).values():
        if isinstance(value, type) and issubclass(value, Struct):
            for hint in get_type_hints(value, include_extras=True).values():
                collect(hint)
    return found


def choices(literal: inspect.LiteralType) -> tuple[str, ...]:
    return declared_order().get(frozenset(literal.values), tuple(literal.values))


def default_of(field: inspect.Field) -> Any:
    """A field's default, or msgspec.NODEFAULT for a required one."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def describe(kind: inspect.Type) -> str:
    """A type in words, as in "needs ..."."""
    if isinstance(kind, inspect.UnionType):
        words = [describe(part) for part in kind.types if not isinstance(part, inspect.NoneType)]
        return " or ".join(dict.fromkeys(words))
    if isinstance(kind, inspect.LiteralType):
        values = choices(kind)
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    if isinstance(kind, inspect.CustomType):
        return {schema.Duration: "a duration", schema.Size: "a size", schema.Secret: "a key"}[kind.cls]
    names: dict[type[inspect.Type], str] = {
        inspect.StructType: "a mapping",
        inspect.DictType: "a mapping",
        inspect.VarTupleType: "a list",
        inspect.TupleType: "a list",
        inspect.StrType: "a text",
        inspect.IntType: "a whole number",
        inspect.FloatType: "a number",
        inspect.BoolType: "true or false",
    }
    return names[type(kind)]


class _Walker:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.bad: set[Path] = set()

    def value(self, node: Node, kind: inspect.Type, path: Path) -> Any:
        if isinstance(node, Refused):
            self.bad.add(path)
            return _empty(kind)
        if isinstance(kind, inspect.UnionType):
            return self._union(node, kind, path)
        if isinstance(node, Mapping):
            if isinstance(kind, inspect.StructType):
                return self._struct(node, kind, path)
            if isinstance(kind, inspect.DictType):
                return self._dict(node, kind, path)
        elif isinstance(node, Sequence):
            if isinstance(kind, inspect.VarTupleType):
                return tuple(self.value(item, kind.item_type, (*path, i)) for i, item in enumerate(node.items))
            if isinstance(kind, inspect.TupleType):
                return self._tuple(node, kind, path)
        elif scalars.is_null(node):
            return self._wrong(kind, path, f"has no value; give it {describe(kind)} or remove the key")
        elif read := _scalar_reader(kind):
            return self._scalar(node, kind, path, read)
        return self._wrong(kind, path, _needs(kind, node))

    def _wrong(self, kind: inspect.Type, path: Path, message: str) -> Any:
        self.problems.append(Problem(path, message))
        self.bad.add(path)
        return _empty(kind)

    def _scalar(self, node: Scalar, kind: inspect.Type, path: Path, read: Callable[[Scalar], Any]) -> Any:
        try:
            value = read(node)
            _bounds(value, node, kind)
        except ValueError as error:
            return self._wrong(kind, path, str(error))
        return value

    def _union(self, node: Node, kind: inspect.UnionType, path: Path) -> Any:
        nullable = any(isinstance(part, inspect.NoneType) for part in kind.types)
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        if nullable and isinstance(node, Scalar) and scalars.is_null(node):
            return None
        structs = [part for part in parts if isinstance(part, inspect.StructType)]
        if len(parts) == 1:
            return self.value(node, parts[0], path)
        if isinstance(node, Mapping) and len(structs) > 1:
            return self._tagged(node, structs, path)
        if isinstance(node, Mapping) and structs:
            return self._struct(node, structs[0], path)
        if isinstance(node, Scalar):
            literals = [part for part in parts if isinstance(part, inspect.LiteralType)]
            if any(node.text in part.values for part in literals):
                return node.text
        return self._wrong(kind, path, _needs(kind, node))

    def _tagged(self, node: Mapping, structs: list[inspect.StructType], path: Path) -> Any:
        tag_field = str(structs[0].tag_field)
        tags = {str(part.tag): part for part in structs}
        entry = node.entries.get(tag_field)
        if entry is None:
            return self._wrong(structs[0], path, f'missing key "{tag_field}": one of {", ".join(tags)}')
        tag = entry.value
        if isinstance(tag, Scalar) and tag.text in tags:
            return self._struct(node, tags[tag.text], path)
        hint = suggest(tag.text, tags) if isinstance(tag, Scalar) else ""
        self.bad.add(path)
        return self._wrong(structs[0], (*path, tag_field), f"needs one of {', '.join(tags)}{hint}")

    def _struct(self, node: Mapping, kind: inspect.StructType, path: Path) -> Any:
        known = {field.encode_name: field for field in kind.fields}
        names = [*known, kind.tag_field] if kind.tag_field else list(known)
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            if field := known.get(key):
                problems = len(self.problems)
                value = self.value(entry.value, field.type, (*path, key))
                default = default_of(field)
                replaced = (*path, key) in self.bad and len(self.problems) > problems
                values[field.name] = default if replaced and default is not msgspec.NODEFAULT else value
            elif key != kind.tag_field:
                self._unknown(key, [name for name in names if name not in node.entries], names, path)
        for field in kind.fields:
            if field.name not in values:
                values[field.name] = self._absent(field, path)
        return kind.cls(**values)

    def _unknown(self, key: str, free: list[str], names: list[str], path: Path) -> None:
        if hint := suggest(key, free):
            self.bad.add((*path, hint.split('"')[1]))
        elif not (hint := suggest(key, names)) and len(names) <= 16:
            hint = f"; known keys: {', '.join(names)}"
        self.problems.append(Problem((*path, key), f"unknown key{hint}"))

    def _absent(self, field: inspect.Field, path: Path) -> Any:
        default = default_of(field)
        if default is not msgspec.NODEFAULT:
            return default
        name = field.encode_name
        if (*path, name) not in self.bad:  # else a misspelt key was already pointed to it
            self.problems.append(Problem(path, f'missing key "{name}" ({describe(field.type)})'))
        self.bad.add((*path, name))
        return _empty(field.type)

    def _dict(self, node: Mapping, kind: inspect.DictType, path: Path) -> Any:
        values: dict[Any, Any] = {}
        read = _scalar_reader(kind.key_type)
        for key, entry in node.entries.items():
            value = self.value(entry.value, kind.value_type, (*path, key))
            if read is None:
                raise TypeError(f"a key of {kind.key_type} cannot be read")
            values[self._scalar(Scalar(key, entry.plain, entry.line), kind.key_type, (*path, key), read)] = value
        return values

    def _tuple(self, node: Sequence, kind: inspect.TupleType, path: Path) -> Any:
        if len(node.items) != len(kind.item_types):
            return self._wrong(kind, path, f"needs {len(kind.item_types)} values, not {len(node.items)}")
        pairs = zip(node.items, kind.item_types, strict=True)
        return tuple(self.value(item, part, (*path, i)) for i, (item, part) in enumerate(pairs))


def _scalar_reader(kind: inspect.Type) -> Callable[[Scalar], Any] | None:
    if isinstance(kind, inspect.StrType):
        return scalars.text
    if isinstance(kind, inspect.IntType):
        return scalars.integer
    if isinstance(kind, inspect.FloatType):
        return scalars.number
    if isinstance(kind, inspect.BoolType):
        return scalars.boolean
    if isinstance(kind, inspect.CustomType):
        return functools.partial(scalars.custom, kind.cls)
    if isinstance(kind, inspect.LiteralType):
        return functools.partial(_literal, choices(kind))
    return None


def _literal(values: tuple[str, ...], node: Scalar) -> str:
    if node.text in values:
        return node.text
    wanted = f"one of {', '.join(values)}" if len(values) > 1 else values[0]
    hint = suggest(node.text, values) if node.source is None else ""
    raise ValueError(f"{node.shown} is not {wanted}{hint}" if node.text else f"needs {wanted}")


def _bounds(value: Any, node: Scalar, kind: inspect.Type) -> None:
    if isinstance(kind, inspect.StrType) and kind.pattern and not node.unset and not re.fullmatch(kind.pattern, value):
        raise ValueError(f'"{node.shown}" {_PATTERNS.get(kind.pattern, f"does not match {kind.pattern}")}')
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return
    low, high = kind.ge, kind.le
    if (low is not None and value < low) or (high is not None and value > high):
        span = f"at least {low:g}" if high is None else f"between {low:g} and {high:.9g}"
        raise ValueError(f"must be {span}, not {node.shown}")


def _needs(kind: inspect.Type, node: Node) -> str:
    got = "a list" if isinstance(node, Sequence) else "a mapping" if isinstance(node, Mapping) else "a single value"
    advice = ""
    if isinstance(node, Scalar) and isinstance(kind, inspect.VarTupleType) and _scalar_reader(kind.item_type):
        advice = f": write [{node.shown}]"
    if isinstance(node, Scalar) and isinstance(kind, inspect.UnionType):
        got = node.shown or "an empty text"
    return f"needs {describe(kind)}, not {got}{advice}"


def _empty(kind: inspect.Type) -> Any:
    """A value of the type that stands in for one that is wrong."""
    if isinstance(kind, inspect.UnionType):
        if any(isinstance(part, inspect.NoneType) for part in kind.types):
            return None
        return _empty(kind.types[0])
    if isinstance(kind, inspect.StructType):
        fields = {field.name: default_of(field) for field in kind.fields}
        return kind.cls(
            **{
                field.name: _empty(field.type) if fields[field.name] is msgspec.NODEFAULT else fields[field.name]
                for field in kind.fields
            }
        )
    if isinstance(kind, inspect.LiteralType):
        return choices(kind)[0]
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return kind.ge or 0
    if isinstance(kind, inspect.CustomType):
        return kind.cls()
    if isinstance(kind, inspect.TupleType):
        return tuple(_empty(part) for part in kind.item_types)
    plain: dict[type[inspect.Type], Any] = {
        inspect.StrType: "",
        inspect.BoolType: False,
        inspect.VarTupleType: (),
        inspect.DictType: {},
    }
    return plain[type(kind)]
