"""Makes tests/openapi/openai.json from OpenAI's published OpenAPI document. openapi.py OPENAPI.yml

Kept are the schemas of what the router gives to clients and sends to OpenAI, and all that they use, one a line. What
judges nothing is left out (descriptions, examples, defaults, extensions), and `nullable`, of OpenAPI 3.0, is said as
JSON Schema says it.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

WRITTEN = Path(__file__).resolve().parent.parent / "tests" / "openapi" / "openai.json"
ROOTS = (
    *("CreateChatCompletionRequest", "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"),
    *("CreateResponse", "Response", "ResponseStreamEvent"),
    *("CreateCompletionRequest", "CreateCompletionResponse"),
    *("CreateEmbeddingRequest", "CreateEmbeddingResponse"),
    *("ListModelsResponse", "ErrorResponse"),
)
SILENT = {"default", "deprecated", "description", "discriminator", "example", "examples", "externalDocs", "title"}
VALUES = {"const", "enum", "required"}  # keywords that hold values, and no schemas


def judging(schema: Any) -> Any:
    """A schema without what judges nothing."""
    if isinstance(schema, list):
        return [judging(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "properties":
            made[name] = {field: judging(one) for field, one in value.items()}
        elif name not in SILENT and not name.startswith("x-"):
            made[name] = value if name in VALUES else judging(value)
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) else made


def used(schema: Any) -> Iterator[str]:
    """The names of the schemas that one refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        schema = list(schema.values())
    if isinstance(schema, list):
        for one in schema:
            yield from used(one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    published = yaml.load(parser.parse_args().document.read_bytes(), yaml.CSafeLoader)["components"]["schemas"]
    kept: dict[str, Any] = {}
    names = list(ROOTS)
    while names:
        name = names.pop()
        if name not in kept:
            kept[name] = judging(published[name])
            names += used(kept[name])
    # Not by orjson: some bounds are beyond 64 bits.
    lines = [f'"{name}":{json.dumps(kept[name], separators=(",", ":"))}' for name in sorted(kept)]
    WRITTEN.write_text('{"components":{"schemas":{\n' + ",\n".join(lines) + "\n}}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
