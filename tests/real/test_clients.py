"""Every client that people use, with nothing changed but its base URL, through the router to every real server.

The clouds are an independent mock of them (aimock), so what it shows counts as their specification.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.real.conftest import Backend
from tests.real.scripts import SCRIPTS, Script
from tests.real.servers import SERVERS
from tests.serving.router import Router, serving

SERVED = ("openai", "anthropic", "llama-cpp", "transformers", "vllm")
GREETING = "Hello! I am a tiny test model. How can I help you today?"
COUNTED = "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve. Done."
ENDED = {"stop", "end_turn", "completed"}  # as chat, Messages and Responses say it
RECORDED_WITHIN_S = 10

pytestmark = pytest.mark.real
each_server = pytest.mark.parametrize("backend", SERVED, indirect=True)
each_parsing_server = pytest.mark.parametrize(
    "backend", [name for name in SERVED if SERVERS[name].parses_tools], indirect=True
)


def each_client(*parts: str) -> pytest.MarkDecorator:
    chosen = [script for script in SCRIPTS if set(parts) <= set(script.parts)]
    return pytest.mark.parametrize("script", chosen, ids=[script.id for script in chosen])


@dataclass(frozen=True)
class Session:
    """What a client got, and what the router recorded meanwhile: model, status, error, stream, output tokens."""

    told: dict[str, dict[str, Any]]
    records: list[tuple[str, int, str | None, int, int | None]]

    def part(self, name: str) -> dict[str, Any]:
        found = self.told[name]
        assert "error" not in found, found["error"]
        return found


def config(backend: Backend) -> str:
    model = (
        f"  - {{name: real, backend: {backend.server.backend}, endpoints: [{{url: '{backend.url}'}}], "
        f"api_key: unused, upstream_model: {backend.server.model}, tier: small, location: local, context: 1024, "
        "price: {input: 1, output: 2}, capabilities: [tools, json_schema], timeouts: {first_token: 5m, idle: 5m}}\n"
    )
    auto = "{models: [real], policy: {kind: fixed}}"
    return f"models:\n{model}routes:\n  auto: {auto}\n  claude-sonnet-4-0: {auto}\n"


@pytest.fixture(scope="session")
def router(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with serving(tmp_path_factory.mktemp(backend.server.name), config(backend)) as running:
        yield running


@pytest.fixture(scope="session")
def sessions(backend: Backend) -> dict[Script, Session]:
    """A client runs once against a server, for all tests of what it got."""
    return {}


@pytest.fixture
def session(sessions: dict[Script, Session], script: Script, router: Router) -> Session:
    if script not in sessions:
        before = len(_records(router))
        told = script.run(router.url, print)
        sessions[script] = Session(told, _settled(router, before + len(script.parts))[before:])
    return sessions[script]


def _records(router: Router) -> list[tuple[str, int, str | None, int, int | None]]:
    with closing(sqlite3.connect(f"{router.database.as_uri()}?mode=ro", uri=True)) as database:
        return database.execute(
            "SELECT model, status, error, stream, output_tokens FROM records ORDER BY id"
        ).fetchall()


def _settled(router: Router, wanted: int) -> list[tuple[str, int, str | None, int, int | None]]:
    """All records, once there are as many as wanted: a busy machine commits them after their answers."""
    ends = time.monotonic() + RECORDED_WITHIN_S
    while len(found := _records(router)) < wanted and time.monotonic() < ends:
        time.sleep(0.1)
    return found


@pytest.mark.proves(
    ["chat", "responses", "messages"],
    ["vllm", "llamacpp", "transformers"],
    ["text", "finish_reasons"],
    stream=False,
    evidence="real",
)
@pytest.mark.proves(
    ["chat", "responses", "messages"],
    ["openai", "anthropic"],
    ["text", "finish_reasons"],
    stream=False,
    evidence="specification",
)
@each_server
@each_client("whole")
def test_a_whole_answer_arrives(session: Session) -> None:
    part = session.part("whole")
    assert part["text"] == GREETING
    assert part["finish"] is None or part["finish"] in ENDED


@pytest.mark.proves(
    ["chat", "responses", "messages"], ["vllm", "llamacpp", "transformers"], ["text"], stream=True, evidence="real"
)
@pytest.mark.proves(
    ["chat", "responses", "messages"], ["openai", "anthropic"], ["text"], stream=True, evidence="specification"
)
@each_server
@each_client("stream")
def test_a_streamed_answer_arrives(session: Session, script: Script) -> None:
    part = session.part("stream")
    assert part["text"] == COUNTED
    assert part["pieces"] > 1 or script.name == "llm_command"  # which does not show where a piece ends


@pytest.mark.proves(["chat", "responses", "messages"], ["vllm", "llamacpp"], ["tools"], evidence="real")
@pytest.mark.proves(["chat", "responses", "messages"], ["openai", "anthropic"], ["tools"], evidence="specification")
@pytest.mark.proves(["chat", "responses"], ["vllm", "llamacpp"], "tools", evidence="real", client="openai (Python)")
@pytest.mark.proves(["chat", "responses"], ["vllm", "llamacpp"], "tools", evidence="real", client="openai (Node)")
@pytest.mark.proves("messages", ["vllm", "llamacpp"], "tools", evidence="real", client="anthropic (Python)")
@pytest.mark.proves("messages", ["vllm", "llamacpp"], "tools", evidence="real", client="anthropic (Node)")
@pytest.mark.proves(
    ["chat", "responses", "messages"], ["vllm", "llamacpp"], "tools", evidence="real", client="LangChain"
)
@pytest.mark.proves(["chat", "messages"], ["vllm", "llamacpp"], "tools", evidence="real", client="llama-index")
@pytest.mark.proves(
    ["chat", "responses", "messages"], ["vllm", "llamacpp"], "tools", evidence="real", client="pydantic-ai"
)
@pytest.mark.proves(["chat", "messages"], ["vllm", "llamacpp"], "tools", evidence="real", client="litellm")
@pytest.mark.proves("chat", ["vllm", "llamacpp"], "tools", evidence="real", client="instructor")
@pytest.mark.proves("chat", ["vllm", "llamacpp"], "tools", evidence="real", client="llm (command)")
@pytest.mark.proves(
    ["chat", "responses", "messages"], ["vllm", "llamacpp"], "tools", evidence="real", client="Vercel AI SDK"
)
@each_parsing_server
@each_client("tool")
def test_a_tool_call_arrives(session: Session) -> None:
    part = session.part("tool")
    assert part["name"] == "get_weather"
    assert set(part["arguments"]) == {"city"}
    assert isinstance(part["arguments"]["city"], str)


@each_parsing_server
@each_client()
def test_every_answer_is_recorded_once(session: Session, script: Script) -> None:
    assert [record[:3] for record in session.records] == [("real", 200, None)] * len(script.parts)
    assert all(tokens is not None for *_, tokens in session.records)
    assert any(stream for *_, stream, _ in session.records) == ("stream" in script.parts)
