"""`llm-router schema`: the configuration's JSON Schema."""

import json

import click

from llm_inference_router.config.jsonschema import schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the configuration, so that an editor completes keys and underlines mistakes.

    \b
    Examples:
      llm-router schema > router.schema.json
    then begin router.yaml with
      # yaml-language-server: $schema=router.schema.json
    """
    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))
