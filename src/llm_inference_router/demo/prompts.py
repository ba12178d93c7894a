"""The demo's prompts: written for it, each with a difficulty that a person gave it.

The difficulty is what the simulated models' quality depends on. The router never reads it, and none of its
weights was fitted to these prompts: what the demo shows of the router's judgement is not circular.
"""

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from llm_inference_router.demo import documents

SIMPLE = 0.35  # prompts up to this difficulty are the everyday traffic


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    tokens: int
    seed: int


class Prompt(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of prompts.jsonl: an `ask`, or whole `messages`; `schema` "any" asks for some JSON object."""

    id: str
    category: str
    language: str
    difficulty: float
    ask: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    document: Document | None = None
    tools: tuple[str, ...] = ()
    tool_choice: str | UnsetType = UNSET
    schema: dict[str, Any] | str | None = None

    @property
    def simple(self) -> bool:
        return self.difficulty <= SIMPLE

    @property
    def shown(self) -> str:
        """What a person asked last, for a table."""
        return self.ask or str(self.messages[-1]["content"])


@cache
def load() -> tuple[Prompt, ...]:
    """Every prompt, in the order of the file."""
    return tuple(msgspec.json.decode(line, type=Prompt) for line in _read("prompts.jsonl").splitlines() if line.strip())


@cache
def tools() -> dict[str, dict[str, Any]]:
    """The tools by name."""
    return {tool["function"]["name"]: tool for tool in msgspec.json.decode(_read("tools.json"))}


def body(prompt: Prompt) -> dict[str, Any]:
    """The fields of a chat request, without `model` and `stream`."""
    built: dict[str, Any] = {
        "messages": list(prompt.messages) or [{"role": "user", "content": _content(prompt)}],
        "metadata": {"difficulty": f"{prompt.difficulty:.2f}"},
    }
    if prompt.tools:
        built["tools"] = [tools()[name] for name in prompt.tools]
    if prompt.tool_choice is not UNSET:
        built["tool_choice"] = prompt.tool_choice
    if prompt.schema == "any":
        built["response_format"] = {"type": "json_object"}
    elif prompt.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": prompt.schema}
        built["response_format"] = {"type": "json_schema", "json_schema": schema}
    return built


def chosen(count: int) -> list[Prompt]:
    """`count` prompts spread evenly over the difficulties, beginning again when there are not enough.

    Their order is a mixed one, the same each time.
    """
    ranked = sorted(load(), key=lambda prompt: (prompt.difficulty, prompt.id))
    whole, rest = divmod(count, len(ranked))
    spread = [ranked[(2 * at + 1) * len(ranked) // (2 * rest)] for at in range(rest)]
    return sorted(ranked * whole + spread, key=_mixed)


def _mixed(prompt: Prompt) -> bytes:
    return blake2b(prompt.id.encode(), digest_size=8).digest()


def _content(prompt: Prompt) -> str:
    if prompt.document is None:
        return prompt.ask
    text = documents.write(prompt.document.kind, prompt.document.tokens, prompt.document.seed)
    return f"<document>\n{text}\n</document>\n\n{prompt.ask}"


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
