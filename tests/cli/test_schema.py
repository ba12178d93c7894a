import json

from click.testing import CliRunner

from llm_inference_router.cli.schema import command
from llm_inference_router.config.jsonschema import schema


def test_it_prints_the_schema() -> None:
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema()


def test_help_has_examples() -> None:
    assert "llm-router schema > router.schema.json" in CliRunner().invoke(command, ["--help"]).output
