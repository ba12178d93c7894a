"""What every client script is asked, and how it tells what it got: one JSON object on standard output.

A script runs in the environment of its client as `python -m tests.real.clients.NAME URL`, with the router's address. It
has the parts `whole`, `stream` and `tool`, as far as the client can; what a part raises is told in its place.
"""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

Part = Callable[[], dict[str, Any]]

URL = sys.argv[1] if len(sys.argv) > 1 else ""
V1 = f"{URL}/v1"
MODEL = "auto"
KEY = "unused"
GREET = "hi"
COUNT = "count"
ASK_WEATHER = "What is the weather in Paris?"
MAX_TOKENS = 100

_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Any = {"name": "get_weather", "description": "Get the weather", "parameters": _CITY}
CHAT_TOOL: Any = {"type": "function", "function": FUNCTION}
RESPONSES_TOOL: Any = {"type": "function", "strict": False, **FUNCTION}
MESSAGES_TOOL: Any = {"name": "get_weather", "description": "Get the weather", "input_schema": _CITY}


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def whole(text: str | None, finish: str | None) -> dict[str, Any]:
    """`finish`: in the client's own words; None where it does not say."""
    return {"text": text, "finish": finish}


def stream(pieces: list[str]) -> dict[str, Any]:
    """`pieces`: the texts as they came."""
    pieces = [piece for piece in pieces if piece]
    return {"text": "".join(pieces), "pieces": len(pieces)}


def tool(name: str, arguments: Any) -> dict[str, Any]:
    """`arguments`: parsed, or the JSON text of it."""
    return {"name": name, "arguments": json.loads(arguments) if isinstance(arguments, str) else arguments}


def tell(**parts: Part) -> None:
    sys.stdout.write(json.dumps({name: _outcome(part) for name, part in parts.items()}) + "\n")


def _outcome(part: Part) -> dict[str, Any]:
    try:
        return part()
    except Exception:  # noqa: BLE001 - whatever a client throws is what the test has to show
        return {"error": traceback.format_exc(limit=-4)}
