"""The configuration's JSON Schema (draft 2020-12), for editors to complete and underline by."""

from typing import Any

import msgspec
from msgspec import inspect

from llm_inference_router.config.convert import choices, config_type, default_of
from llm_inference_router.config.descriptions import sentence
from llm_inference_router.config.schema import Duration, Secret, Size

Json = dict[str, Any]

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
SIZE_PATTERN = r"^[0-9]+(KiB|MiB|GiB)?$"
_REFERENCE: Json = {"$ref": "#/$defs/reference"}
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def schema() -> Json:
    """The whole schema. A value of any kind may be a `${...}` reference too, which only `check` follows."""
    definitions: Json = {
        "reference": {
            "type": "string",
            "pattern": r"\$\{",
            "description": "${NAME}, ${NAME:-default} or ${file:/path}",
        }
    }
    root = _struct(config_type(), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llm-inference-router configuration",
        **root,
        "$defs": definitions,
    }


def written_default(value: Any) -> Any:
    """A default as one would write it in the file: `60s`, `20MiB`, a list, a text."""
    if isinstance(value, Duration):
        unit, size = next(((unit, size) for unit, size in _UNITS if value % size == 0 and value > size), ("s", 1))
        return f"{value / size:g}{unit}"
    if isinstance(value, Size):
        unit, size = next(((unit, size) for unit, size in _SIZES if value % size == 0), ("", 1))
        return f"{value // size}{unit}"
    if isinstance(value, tuple):
        return [written_default(item) for item in value]
    return value


def _struct(kind: inspect.StructType, definitions: Json) -> Json:
    properties: Json = {}
    if kind.tag_field:
        properties[kind.tag_field] = {"const": kind.tag, "description": sentence(kind.cls, kind.tag_field)}
    required = [kind.tag_field] if kind.tag_field else []
    for field in kind.fields:
        name = field.encode_name
        properties[name] = {**_type(field.type, definitions), "description": sentence(kind.cls, name)}
        default = default_of(field)
        if default is msgspec.NODEFAULT:
            required.append(name)
        elif default is not None and not isinstance(default, msgspec.Struct):
            properties[name]["default"] = written_default(default)
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _type(kind: inspect.Type, definitions: Json) -> Json:
    if isinstance(kind, inspect.StructType):
        name = kind.cls.__name__
        if name not in definitions:
            definitions[name] = {}  # its place, before what it holds
            definitions[name] = _struct(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, inspect.UnionType):
        return {"anyOf": [_type(part, definitions) for part in kind.types]}
    if isinstance(kind, inspect.NoneType):
        return {"type": "null"}
    if isinstance(kind, inspect.VarTupleType):
        return {"type": "array", "items": _type(kind.item_type, definitions)}
    if isinstance(kind, inspect.TupleType):
        items = [_type(part, definitions) for part in kind.item_types]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if isinstance(kind, inspect.DictType):
        values = _type(kind.value_type, definitions)
        return {"type": "object", "propertyNames": _plain(kind.key_type), "additionalProperties": values}
    plain = _plain(kind)
    return plain if plain == {"type": "string"} else {"anyOf": [plain, _REFERENCE]}


def _plain(kind: inspect.Type) -> Json:
    if isinstance(kind, inspect.LiteralType):
        return {"enum": list(choices(kind))}
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(kind, inspect.StrType):
        return {"type": "string", "pattern": kind.pattern} if kind.pattern else {"type": "string"}
    if isinstance(kind, inspect.CustomType):
        custom: dict[type, Json] = {
            Duration: {"type": "string", "pattern": DURATION_PATTERN},
            Size: {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE_PATTERN}]},
            Secret: {"type": "string"},
        }
        return custom[kind.cls]
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        raise TypeError(f"{kind} has no JSON Schema")
    bounds = {"minimum": kind.ge, "maximum": kind.le}
    number = "integer" if isinstance(kind, inspect.IntType) else "number"
    return {"type": number, **{key: bound for key, bound in bounds.items() if bound is not None}}
