"""The rules of the example configuration, each where it fires and beside where it does not."""

from datetime import datetime
from pathlib import Path

import pytest

from llm_inference_router.config.load import inspect
from llm_inference_router.config.models import catalogue
from llm_inference_router.routing.catalog import compile_catalog
from llm_inference_router.routing.decide import Ask, Snapshot, decide
from llm_inference_router.types import Caller
from tests.routing.build import ask, signals

EXAMPLE = Path(__file__).parents[2] / "examples" / "router.example.yaml"


@pytest.fixture(scope="module")
def known() -> Snapshot:
    config = inspect(EXAMPLE).config
    assert config is not None
    return Snapshot(compile_catalog(config, catalogue(config)))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


BATCH = Caller(tags={"team": "batch"})
ALICE = Caller(user="alice")
SHORT = signals(prompt_tokens=12, complexity=0.1)
HARD = signals(complexity=0.6)
CODE = signals(task="code")


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (ask("Hello, how are you?", measured=SHORT), "greetings"),
        (ask("Hello, how are you?", measured=SHORT, model="by-complexity"), None),
        (ask("Hello, how are you?", measured=signals(prompt_tokens=21)), None),
        (ask("Othello, who wrote it?", measured=SHORT), None),
        (ask("Is this CONTRACT void?", measured=HARD), "legal"),
        (ask("Is this contract void?", measured=signals(complexity=0.49)), None),
        (ask("Subcontractors of ours", measured=HARD), None),
        (ask("Please review my diff: ...", measured=CODE, caller=ALICE), "code-review"),
        (ask("Please review my diff: ...", measured=CODE, caller=Caller(user="carol")), None),
        (ask("Please review my diff: ...", measured=signals(task="writing"), caller=ALICE), None),
        (ask("Please read my diff: ...", measured=CODE, caller=ALICE), None),
        (ask("count", caller=BATCH, at=at("2026-01-15T23:30:00+01:00")), "night"),
        (ask("count", caller=BATCH, at=at("2026-07-16T05:59:00+02:00")), "night"),
        (ask("count", caller=BATCH, at=at("2026-07-16T06:00:00+02:00")), None),
        (ask("count", at=at("2026-01-15T23:30:00+01:00")), None),
        (ask("Hello contract", measured=signals(prompt_tokens=5, complexity=0.9), caller=BATCH), "greetings"),
    ],
)
def test_each_rule_fires_where_it_should_and_nowhere_else(known: Snapshot, asked: Ask, rule: str | None) -> None:
    assert decide(asked, known).rule == rule


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (ask("hi", measured=SHORT), {"phi-3-mini", "llama-3-8b"}),
        (ask("liability", measured=HARD), {"claude-opus"}),
        (ask("review this code", measured=CODE, caller=ALICE), {"gpt-4o-mini", "gpt-4", "claude-opus"}),
        (ask("count", caller=BATCH, at=at("2026-01-15T23:30:00+01:00")), {"phi-3-mini", "llama-3-8b"}),
    ],
)
def test_each_rule_leaves_the_models_it_says(known: Snapshot, asked: Ask, left: set[str]) -> None:
    assert set(decide(asked, known).chain) == left


def test_the_other_routes_follow_their_policies(known: Snapshot) -> None:
    for complexity, chosen in ((0.2, "phi-3-mini"), (0.5, "gpt-4o-mini"), (0.9, "claude-opus")):
        asked = ask("count", measured=signals(complexity=complexity), model="by-complexity")
        assert decide(asked, known).chosen == chosen
    assert decide(ask("count", model="best"), known).chain == ("claude-opus", "gpt-4o-mini")
    assert decide(ask("count", model="gpt-4"), known).reason == "pinned"
