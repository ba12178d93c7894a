"""A coding agent's side of a conversation through the router, as Claude Code holds it."""

from typing import Any

from anthropic import Anthropic
from anthropic.types import Message

CACHED = {"cache_control": {"type": "ephemeral"}}
REMINDER = {"type": "text", "text": "<system-reminder>The task list is empty.</system-reminder>"}


def thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text}


def use(name: str, number: int, **given: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_theirs{number}", "name": name, "input": given}


class Session:
    """Keeps the conversation as an agent does: answers go back as they came, results after them."""

    def __init__(
        self, client: Anthropic, system: list[dict[str, Any]], tools: list[dict[str, Any]], *, stream: bool
    ) -> None:
        self.client, self.system, self.tools, self.stream = client, system, tools, stream
        self.messages: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def ask(self, server: str, *content: dict[str, Any], **fields: Any) -> Message:
        self.messages.append({"role": "user", "content": list(content)})
        wanted: Any = {
            "model": "auto",
            "max_tokens": 4096,
            "system": self.system,
            "tools": self.tools,
            "messages": self._marked(),
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "metadata": {"user_id": "user_1_session_2"},
            "extra_headers": {"x-router-tags": f"server={server}", "anthropic-beta": "interleaved-thinking-2025-05-14"},
        } | fields
        if self.stream:
            with self.client.messages.stream(**wanted) as stream:
                answer = stream.get_final_message()
                headers = stream.response.headers
        else:
            raw = self.client.messages.with_raw_response.create(**wanted)
            answer, headers = raw.parse(), raw.headers
        assert answer.model == server
        self.warnings = headers.get("x-router-warnings", "").split(", ")
        self.messages.append({"role": "assistant", "content": [one.to_dict() for one in answer.content]})
        return answer

    def _marked(self) -> list[dict[str, Any]]:
        """With the newest prefix marked, as agents mark it."""
        *before, last = self.messages
        return [*before, {**last, "content": [*last["content"][:-1], {**last["content"][-1], **CACHED}]}]


def result(block: Any, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": block.id, "content": content, **more}


def calls(answer: Message) -> list[Any]:
    return [block for block in answer.content if block.type == "tool_use"]


def kinds(answer: Message) -> list[str]:
    return [block.type for block in answer.content]
