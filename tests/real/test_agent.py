"""A coding agent whose conversation goes from Anthropic to a real local model and back.

Anthropic's side is the upstream of tests/serving/claude.py, which refuses what Anthropic refuses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic

from tests.real.conftest import Backend
from tests.serving.claude import Claude
from tests.serving.router import serving
from tests.serving.upstream import Upstream, upstream
from tests.support.agent import CACHED, REMINDER, Session, calls, kinds, result, thought, use

pytestmark = [pytest.mark.real, pytest.mark.parametrize("backend", ["llama-cpp", "vllm"], indirect=True)]

# As short as this model needs it to be: behind more it forgets its tools.
SYSTEM: list[dict[str, Any]] = [{"type": "text", "text": "You are a coding agent.", **CACHED}]
TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_weather",
        "description": "The weather in a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        **CACHED,
    }
]


@dataclass(frozen=True)
class Setting:
    agent: Anthropic
    claude: Upstream


@pytest.fixture
def setting(backend: Backend, tmp_path: Path) -> Iterator[Setting]:
    server = backend.server
    common = "tier: small, location: local, price: {input: 1, output: 2}, health: none, breaker: none"
    with upstream() as claude:
        text = (
            f"models:\n  - {{name: local, backend: {server.backend}, endpoints: [{{url: '{backend.url}'}}], {common}, "
            f"upstream_model: {server.model}, context: 1024, max_output: 80, capabilities: [tools, parallel_tools], "
            "timeouts: {first_token: 5m, idle: 5m}}\n"
            f"  - {{name: claude, backend: anthropic, endpoints: [{{url: '{claude.url}'}}], {common}, "
            "upstream_model: claude-upstream, context: 200000, capabilities: [tools, parallel_tools, reasoning]}\n"
            "routes:\n  auto: {models: [local, claude], policy: {kind: fixed}}\nrules:\n"
            "  - {name: local, when: {tags: {server: local}}, use: {models: [local]}}\n"
            "  - {name: claude, when: {tags: {server: claude}}, use: {models: [claude]}}\n"
        )
        with (
            serving(tmp_path, text) as router,
            Anthropic(base_url=router.url, api_key="unused", timeout=300, max_retries=0) as agent,
        ):
            yield Setting(agent, claude)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_session_goes_to_a_local_model_and_back(setting: Setting, stream: bool) -> None:
    claude = Claude(
        [
            [{"type": "text", "text": "It is cold there."}],
            [thought("Both at once."), use("get_weather", 1, city="Rome"), use("get_weather", 2, city="Oslo")],
            [thought("All is said."), {"type": "text", "text": "You are welcome."}],
        ]
    )
    setting.claude.behaviours["claude-upstream"] = claude
    session = Session(setting.agent, SYSTEM, TOOLS, stream=stream)

    asked = {"type": "text", "text": "What is the weather in Paris?"}
    # The local model calls a tool, and Claude is given the result within that loop: it cannot think there.
    first = session.ask("local", asked, extra_body={"temperature": 0})
    assert first.stop_reason == "tool_use"
    assert [(block.name, list(block.input)) for block in calls(first)] == [("get_weather", ["city"])]
    assert first.usage.input_tokens > 0 < first.usage.output_tokens
    second = session.ask("claude", *(result(block, "3 degrees") for block in calls(first)))
    assert kinds(second) == ["text"]
    assert "warning;dropped;thinking" in session.warnings

    # Claude thinks and calls twice; the local model is given both results, one of them an error.
    third = session.ask("claude", REMINDER, {"type": "text", "text": "And where is it warmer?"})
    one, two = calls(third)
    results = (result(one, [{"type": "text", "text": "21 degrees"}]), result(two, "no such city", is_error=True))
    fourth = session.ask("local", *results)
    assert {"warning;foreign;thinking_blocks", "warning;dropped;thinking"} <= set(session.warnings)
    assert fourth.stop_reason in ("end_turn", "max_tokens")
    assert fourth.usage.output_tokens > 0

    # Claude once more, with all that the local model said behind it.
    fifth = session.ask("claude", {"type": "text", "text": "Thanks"})
    assert kinds(fifth) == ["thinking", "text"]
    assert claude.refused == []
    assert len(claude.asked) == 3
