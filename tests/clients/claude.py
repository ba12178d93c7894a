"""What tests with the official anthropic client ask."""

from typing import Any

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
HELLO: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL: Any = {
    "name": "get_weather",
    "description": "Get the weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def wanted(server: str = "claude", **fields: Any) -> dict[str, Any]:
    basis = {"model": "auto", "max_tokens": 1000, "messages": HELLO, "tools": [TOOL]}
    return basis | {"extra_headers": {"x-router-tags": f"server={server}"}} | fields
