"""OpenAI's published document as a judge of answers, chunks, errors and requests."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_NAME = "urn:openai"
_FILE = Path(__file__).parent / "openai.json"


@cache
def _judge(schema: str) -> jsonschema.Draft202012Validator:
    document = orjson.loads(_FILE.read_bytes())
    registry: Registry[Any] = Registry().with_resource(_NAME, DRAFT202012.create_resource(document))
    return jsonschema.Draft202012Validator({"$ref": f"{_NAME}#/components/schemas/{schema}"}, registry=registry)


def faults(schema: str, doc: Any) -> list[str]:
    """What a document has against the schema of this name, with its places."""
    found = _judge(schema).iter_errors(doc)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]
