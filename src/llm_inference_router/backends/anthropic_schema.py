"""A JSON schema in the subset that Anthropic enforces (structured outputs, strict tools).

Every object is closed, `oneOf` is `anyOf`, and constraints that are not enforced (ranges, lengths, patterns) are told
in the description: the rules of Anthropic's own SDK, `anthropic.lib._parse._transform`.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_SILENT: Final = frozenset(
    {"$schema", "$id", "$comment", "$anchor", "examples", "deprecated", "readOnly", "writeOnly", "strict", "default"}
)
_DEFINITIONS: Final = ("$defs", "definitions")


class Closed(Struct, frozen=True):
    """`weaker`: some constraint is told, not enforced."""

    schema: dict[str, Any]
    weaker: bool


class _Impossible(Exception):
    """The subset has no words for it."""


def closed(schema: Mapping[str, Any]) -> Closed | None:
    """None for what the subset cannot say: open maps, values of any kind, recursion, references to other documents."""
    try:
        maker = _Maker(schema)
        result = maker.node(schema)
        definitions = {name: maker.node(node) for name, node in maker.definitions.items()}
    except _Impossible:
        return None
    if result.get("type") != "object" and "$ref" not in result and "anyOf" not in result:
        return None
    return Closed({**result, "$defs": definitions} if definitions else result, maker.weaker)


class _Maker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self.weaker = False
        self.definitions: dict[str, Any] = {}
        for key in _DEFINITIONS:
            found = root.get(key)
            if isinstance(found, dict):
                self.definitions |= found
        self._refuse_recursion()

    def node(self, node: Any) -> dict[str, Any]:
        if not isinstance(node, dict):
            raise _Impossible
        rest = {key: value for key, value in node.items() if key not in _SILENT and key not in _DEFINITIONS}
        made: dict[str, Any] = {}
        if "$ref" in rest:
            return {"$ref": f"#/$defs/{self._target(rest['$ref'])}"}
        self._kind(rest, made)
        for name in ("description", "title"):
            value = rest.pop(name, None)
            if isinstance(value, str) and value:
                made[name] = value
        if rest:
            self.weaker = True
            told = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
            made["description"] = f"{made['description']}\n\n{told}" if "description" in made else told
        return made

    def _kind(self, rest: dict[str, Any], made: dict[str, Any]) -> None:
        """Takes from `rest` what says which values there are."""
        kind = rest.pop("type", None)
        for name, value in (("enum", rest.get("enum")), ("const", [rest["const"]] if "const" in rest else None)):
            if isinstance(value, list) and value and all(_plain(one) for one in value):
                made[name] = rest.pop(name)
                return
        for name in ("anyOf", "oneOf", "allOf"):
            variants = rest.get(name)
            if isinstance(variants, list) and variants:
                made["allOf" if name == "allOf" else "anyOf"] = [self.node(one) for one in rest.pop(name)]
                self._beside(kind, rest)
                return
        if isinstance(kind, list):
            self._several(kind, rest, made)
            return
        if kind is None:
            kind = "object" if "properties" in rest else "array" if "items" in rest else None
        if kind not in _TYPES:
            raise _Impossible
        made["type"] = kind
        if kind == "object":
            self._object(rest, made)
        elif kind == "array":
            if "items" not in rest:
                raise _Impossible
            made["items"] = self.node(rest.pop("items"))
            if rest.get("minItems") in (0, 1):
                made["minItems"] = rest.pop("minItems")
        elif kind == "string" and rest.get("format") in _FORMATS:
            made["format"] = rest.pop("format")

    def _beside(self, kind: Any, rest: Mapping[str, Any]) -> None:
        """What else an object with variants says would be lost."""
        if kind not in (None, "object") or any(name in rest for name in ("properties", "items", "required")):
            raise _Impossible

    def _several(self, kinds: list[Any], rest: dict[str, Any], made: dict[str, Any]) -> None:
        own = {key: rest.pop(key) for key in list(rest) if key not in ("description", "title")}
        made["anyOf"] = [
            self.node({"type": kind} if kind in ("null", "boolean") else {"type": kind, **own}) for kind in kinds
        ]

    def _object(self, rest: dict[str, Any], made: dict[str, Any]) -> None:
        properties = rest.pop("properties", None)
        others = rest.pop("additionalProperties", None)
        if not isinstance(properties, dict) or (not properties and others is not False) or isinstance(others, dict):
            raise _Impossible
        made["properties"] = {name: self.node(node) for name, node in properties.items()}
        made["additionalProperties"] = False
        required = rest.pop("required", None)
        if isinstance(required, list):
            if not all(name in properties for name in required):
                raise _Impossible
            made["required"] = required

    def _target(self, reference: Any) -> str:
        for key in _DEFINITIONS:
            if isinstance(reference, str) and reference.startswith(f"#/{key}/"):
                name = reference.removeprefix(f"#/{key}/")
                if name in self.definitions:
                    return name
        raise _Impossible

    def _refuse_recursion(self) -> None:
        uses = {name: _references(node) for name, node in self.definitions.items()}
        for start in uses:
            reached: set[str] = set()
            ahead = [start]
            while ahead:
                for reference in uses.get(ahead.pop(), ()):
                    name = self._target(reference)
                    if name == start:
                        raise _Impossible
                    if name not in reached:
                        reached.add(name)
                        ahead.append(name)


def _references(node: Any) -> list[Any]:
    found: list[Any] = []
    ahead = [node]
    while ahead:
        one = ahead.pop()
        if isinstance(one, dict):
            found += [value for key, value in one.items() if key == "$ref" and isinstance(value, str)]
            ahead += one.values()
        elif isinstance(one, list):
            ahead += one
    return found


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
