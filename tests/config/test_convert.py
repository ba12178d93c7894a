from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_inference_router.config import scalars
from llm_inference_router.config.convert import choices, config_type, convert, declared_order, suggest
from llm_inference_router.config.expand import Expansion
from llm_inference_router.config.schema import Config, Duration
from llm_inference_router.config.yaml import Scalar, read

EXAMPLES = Path(__file__).parents[2] / "examples"


def _hook(kind: type[Any], value: Any) -> Any:
    return scalars.custom(kind, Scalar(str(value), True, 1, source="given"))


@pytest.mark.parametrize("name", ["router.example.yaml", "router.minimal.yaml"])
def test_the_walk_agrees_with_msgspecs_own_conversion(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for reference in (
        "${RESEARCH_KEY:-sk-research}",
        "${OPS_KEY:-sk-ops}",
        "${OPENAI_API_KEY}",
        "${ANTHROPIC_API_KEY}",
    ):
        text = text.replace(reference, "sk-x")
    text = text.replace("${OTEL_EXPORTER_OTLP_ENDPOINT:-}", '""')
    root = read(text).root
    assert root is not None
    ours = convert(root)
    assert ours.problems == ()
    assert ours.config == msgspec.convert(msgspec.yaml.decode(text), Config, dec_hook=_hook)


def test_a_wrong_value_becomes_its_default_and_is_named_as_replaced() -> None:
    root = read("models: []\nroutes: {}\nserver: {port: x, drain: 9}\n").root
    assert root is not None
    converted = convert(root)
    assert converted.config.server.port == 4100
    assert converted.config.server.drain == Duration(60)
    assert {("server", "port"), ("server", "drain")} <= converted.bad


def test_nothing_at_all_still_becomes_a_config_with_problems() -> None:
    root = read("{}").root
    assert root is not None
    converted = convert(root)
    assert isinstance(converted.config, Config)
    assert [problem.message for problem in converted.problems] == [
        'missing key "models" (a list)',
        'missing key "routes" (a mapping)',
    ]


def test_what_the_yaml_reader_refused_is_not_reported_twice() -> None:
    root = read("models: &x []\nroutes: *x\n").root
    assert root is not None
    root = Expansion({}, str).node(root)
    assert convert(root).problems == ()


def test_choices_keep_the_order_of_the_schema() -> None:
    assert ("small", "medium", "large") in declared_order().values()
    model = next(field for field in config_type().fields if field.name == "models").type
    assert isinstance(model, msgspec.inspect.VarTupleType)
    assert isinstance(model.item_type, msgspec.inspect.StructType)
    tier = next(field for field in model.item_type.fields if field.name == "tier").type
    assert isinstance(tier, msgspec.inspect.LiteralType)
    assert choices(tier) == ("small", "medium", "large")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("polcy", '; did you mean "policy"?'), ("MODELS", '; did you mean "models"?'), ("zzz", ""), ("", "")],
)
def test_the_nearest_right_spelling(wrong: str, hint: str) -> None:
    assert suggest(wrong, ["models", "policy"]) == hint
