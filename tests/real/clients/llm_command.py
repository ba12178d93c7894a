"""The llm command, with the router as a model of its extra-openai-models.yaml."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.real.clients import told

MODELS = f"""
- model_id: routed
  model_name: {told.MODEL}
  api_base: {told.V1}
  supports_tools: true
"""
OPTIONS = ["-m", "routed", "-o", "temperature", "0", "-o", "max_tokens", str(told.MAX_TOKENS)]
# It ends the command: a model this small would call it again and again.
TOOL = """
import json, os
def get_weather(city: str) -> str:
    "Get the weather"
    with open({path!r}, "w") as file:
        json.dump({{"city": city}}, file)
    os._exit(0)
"""


def llm(home: str, *arguments: str) -> str:
    (Path(home) / "extra-openai-models.yaml").write_text(MODELS)
    environ = {**os.environ, "LLM_USER_PATH": home, "OPENAI_API_KEY": told.KEY}
    command = [str(Path(sys.executable).parent / "llm"), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def whole() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        said = llm(home, "prompt", told.GREET, "--no-stream", *OPTIONS)
    return told.whole(said.removesuffix("\n"), None)


def stream() -> dict[str, Any]:
    """The command prints pieces as they come and does not say where one ends, so they count as the words do."""
    with tempfile.TemporaryDirectory() as home:
        said = llm(home, "prompt", told.COUNT, *OPTIONS)
    return told.stream(said.removesuffix("\n").splitlines(keepends=True))


def tool() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "called.json"
        llm(home, "prompt", told.ASK_WEATHER, "--functions", TOOL.format(path=str(path)), *OPTIONS)
        return told.tool("get_weather", path.read_text())


told.tell(whole=whole, stream=stream, tool=tool)
