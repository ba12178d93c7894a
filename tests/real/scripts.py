"""The client scripts: which there are, what each speaks, and how one is run."""

import subprocess
from dataclasses import dataclass
from typing import Any

import orjson

from tests.real.environments import ROOT, Environment, NodePackages, Say, Venv

CLIENTS = Venv("clients")
AGENTS = Venv("agents")
NODE = NodePackages()
ENDS_WITHIN_S = 600
ALL = ("whole", "stream", "tool")


@dataclass(frozen=True)
class Script:
    """A client that knows nothing of the router but its address."""

    name: str  # of the module in clients/, or of the .mjs in node/
    dialect: str
    environment: Environment = CLIENTS
    parts: tuple[str, ...] = ALL

    @property
    def id(self) -> str:
        return f"node_{self.name}" if self.environment is NODE else self.name

    def run(self, url: str, say: Say) -> dict[str, dict[str, Any]]:
        """What each of its parts got. Raises RuntimeError where the script itself fails."""
        self.environment.install(say)
        if isinstance(self.environment, Venv):
            command, folder = [str(self.environment.python), "-m", f"tests.real.clients.{self.name}", url], ROOT
        else:
            command, folder = ["node", f"{self.name}.mjs", url], self.environment.folder
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=ENDS_WITHIN_S)
        if done.returncode != 0 or not done.stdout:
            raise RuntimeError(f"{self.id} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        found: dict[str, dict[str, Any]] = orjson.loads(done.stdout.splitlines()[-1])
        return found


SCRIPTS = (
    Script("openai_chat", "chat"),
    Script("openai_chat", "chat", NODE),
    Script("langchain_chat", "chat"),
    Script("litellm_chat", "chat"),
    Script("pydantic_ai_chat", "chat"),
    Script("llm_command", "chat"),
    Script("llama_index_chat", "chat", AGENTS),
    Script("instructor_chat", "chat", AGENTS, ("tool",)),
    Script("vercel_chat", "chat", NODE),
    Script("vercel_compatible", "chat", NODE),
    Script("openai_responses", "responses"),
    Script("openai_responses", "responses", NODE),
    Script("langchain_responses", "responses"),
    Script("pydantic_ai_responses", "responses"),
    Script("vercel_responses", "responses", NODE),
    Script("anthropic_messages", "messages"),
    Script("anthropic_messages", "messages", NODE),
    Script("langchain_messages", "messages"),
    Script("litellm_messages", "messages"),
    Script("pydantic_ai_messages", "messages"),
    Script("llama_index_messages", "messages", AGENTS),
    Script("vercel_messages", "messages", NODE),
)
