"""A value that a JSON Schema accepts, for the simulated models' tool arguments and structured answers.

Understands type, enum, const, required and optional properties, items, sizes, ranges, the common formats,
allOf, anyOf, oneOf and local `$ref`. Words of the ask fill strings where they fit. Not understood: `pattern`,
`not`, `if`, `dependentSchemas`: such a schema may be answered with a value that it refuses, as small models
do too.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from llm_inference_router.backends.simulated_draws import Draws

_DEPTH = 12
_FORMATS: Mapping[str, str] = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "PT30M",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Mapping[str, Any], draws: Draws, ask: str = "") -> Any:
    """A JSON value for `schema`, the same for the same draws and ask."""
    return _Sampler(schema, draws, ask[-2000:]).value(schema, "", 0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any], draws: Draws, ask: str) -> None:
        self.root = root
        self.draws = draws
        self.ask = ask
        self.lower = ask.lower()
        self.names = re.findall(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w-]+(?: [A-Z][\w-]+)*", ask)
        self.numbers = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*[A-Za-z])", ask)

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping):  # `true`: anything goes
            return None
        schema = self.resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.chosen(schema["enum"])
        kind = schema.get("type") or _implied(schema)
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        match kind:
            case "object":
                return self.object(schema, depth)
            case "array":
                return self.array(schema, name, depth)
            case "string":
                return self.string(schema, name)
            case "integer" | "number":
                return self.number(schema, whole=kind == "integer")
            case "boolean":
                return self.draws.below(2) == 1
            case _:
                return None

    def resolved(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """Without `$ref`, `allOf`, `anyOf`, `oneOf`: the first branch that is not null, or null deep down."""
        merged = dict(schema)
        for _ in range(_DEPTH):
            if isinstance(reference := merged.pop("$ref", None), str):
                merged = {**self.looked_up(reference), **merged}
            elif isinstance(parts := merged.pop("allOf", None), list):
                for part in parts:
                    merged = _joined(merged, self.resolved(part, depth))
            elif branches := merged.pop("anyOf", None) or merged.pop("oneOf", None):
                merged = _joined(merged, self.branch(branches, depth))
            else:
                break
        return merged

    def branch(self, branches: list[Any], depth: int) -> Mapping[str, Any]:
        usable = [branch for branch in branches if isinstance(branch, Mapping)]
        null = next((branch for branch in usable if branch.get("type") == "null"), None)
        if null is not None and depth > 3:
            return null
        return next((branch for branch in usable if branch is not null), null or {})

    def looked_up(self, reference: str) -> Mapping[str, Any]:
        found: Any = self.root
        for step in reference.removeprefix("#").split("/"):
            if step:
                found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return found if isinstance(found, Mapping) else {}

    def object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required") or []
        properties = schema.get("properties") or {}
        return {
            key: self.value(inner, key, depth + 1)
            for key, inner in {
                **properties,
                **{key: properties.get(key, {"type": "string"}) for key in required},
            }.items()
            if key in required or (depth < 3 and self.draws.below(2))
        }

    def array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        prefix = [self.value(item, name, depth + 1) for item in schema.get("prefixItems") or ()]
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(least, 2)))
        wanted = least if depth >= 3 else max(least, min(most, 2))
        items = schema.get("items", {"type": "string"})
        if items is False:
            return prefix
        values = prefix + [self.value(items, name, depth + 1) for _ in range(wanted - len(prefix))]
        if schema.get("uniqueItems"):
            return [value for at, value in enumerate(values) if value not in values[:at]]
        return values

    def string(self, schema: Mapping[str, Any], name: str) -> str:
        if (form := schema.get("format")) in _FORMATS:
            return _FORMATS[str(form)]
        text = self.names[self.draws.below(len(self.names))] if self.names else f"simulated {name}".strip()
        least = int(schema.get("minLength", 0))
        text = text.ljust(least, "x")
        return text[: int(schema.get("maxLength", len(text)))]

    def number(self, schema: Mapping[str, Any], *, whole: bool) -> float | int:
        step = schema.get("multipleOf") or (1 if whole else 0)
        low = _edge(schema.get("minimum"), schema.get("exclusiveMinimum"), step or 0.5)
        high = _edge(schema.get("maximum"), schema.get("exclusiveMaximum"), -(step or 0.5))
        value = float(self.numbers[0]) if self.numbers else float(self.draws.below(10) + 1)
        if high is not None:
            value = min(value, high)
        if low is not None:
            value = max(value, low)
        if step:
            value = math.ceil(value / step) * step if low is not None and value == low else value // step * step
        return int(value) if whole or value == int(value) else value

    def chosen(self, options: list[Any]) -> Any:
        said = [option for option in options if isinstance(option, str) and option.lower() in self.lower]
        return said[0] if said else options[self.draws.below(len(options))]


def _implied(schema: Mapping[str, Any]) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**one, **other}
    for key in ("properties", "required"):
        if key in one and key in other:
            joined[key] = {**one[key], **other[key]} if key == "properties" else [*one[key], *other[key]]
    return joined


def _edge(inclusive: float | None, exclusive: float | None, step: float) -> float | None:
    edges = [edge for edge in (inclusive, None if exclusive is None else exclusive + step) if edge is not None]
    if not edges:
        return None
    return max(edges) if step > 0 else min(edges)
