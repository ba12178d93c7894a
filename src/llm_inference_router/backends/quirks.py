"""How the servers that speak OpenAI's dialect differ from it, as a table of flags: the code is one, for all
of them.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from llm_inference_router.dialects.warning import warning


class Quirks(Struct, frozen=True):
    """What a server's requests need. The defaults are OpenAI's own behaviour."""

    name: str
    stream_usage: bool = True  # understands or ignores stream_options.include_usage
    developer_role: bool = True  # knows the developer role; otherwise it is sent as system
    only_max_tokens: bool = False  # ignores max_completion_tokens, or treats it as an alias of max_tokens
    open_top_p: bool = False  # refuses top_p of 1 and more
    grammar_formats: bool = False  # response_format is a grammar: {"type": "json", "value": schema}
    format_or_tools: bool = False  # refuses response_format beside tools
    one_choice: bool = False  # ignores n
    no_json_schema: bool = False  # knows json_object alone
    strict_messages: bool = False  # refuses messages with fields that it does not know
    continues: bool = False  # has to be told that the last message is the beginning of the answer

    def rewrite(self, body: dict[str, Any]) -> list[str]:
        """Changes `body`, a copy of the client's, in place; says what was changed."""
        return [warning for step in _STEPS if (warning := step(self, body))]


def _developer(quirks: Quirks, body: dict[str, Any]) -> str | None:
    messages = body["messages"]
    if quirks.developer_role or not any(message["role"] == "developer" for message in messages):
        return None
    body["messages"] = [
        {**message, "role": "system"} if message["role"] == "developer" else message for message in messages
    ]
    return warning("rewritten", "developer")


def _max_tokens(quirks: Quirks, body: dict[str, Any]) -> str | None:
    if not quirks.only_max_tokens or "max_completion_tokens" not in body:
        return None
    limit = body.pop("max_completion_tokens")
    if limit is None:
        return None
    body["max_tokens"] = limit
    return warning("rewritten", "max_completion_tokens")


def _top_p(quirks: Quirks, body: dict[str, Any]) -> str | None:
    if not quirks.open_top_p or (body.get("top_p") or 0) < 1:
        return None
    del body["top_p"]
    return warning("dropped", "top_p", harmless=True)


def _choices(quirks: Quirks, body: dict[str, Any]) -> str | None:
    if not quirks.one_choice or (body.get("n") or 1) == 1:
        return None
    del body["n"]
    return warning("dropped", "n")


def _format(quirks: Quirks, body: dict[str, Any]) -> str | None:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict):
        return None
    kind = wanted.get("type")
    if quirks.no_json_schema and kind == "json_schema":
        body["response_format"] = {"type": "json_object", "schema": wanted["json_schema"].get("schema", {})}
        return warning("rewritten", "response_format")
    if quirks.format_or_tools:
        if body.get("tools"):
            del body["response_format"]
            return None if kind == "text" else warning("dropped", "response_format")
        body.pop("tools", None)  # an empty list is refused as well
    if not quirks.grammar_formats:
        return None
    if kind == "text":
        del body["response_format"]
        return None
    if kind == "json_schema":
        body["response_format"] = {"type": "json", "value": wanted["json_schema"].get("schema", {})}
        return warning("rewritten", "response_format")
    if kind == "json_object" and "value" not in wanted:
        body["response_format"] = {"type": "json", "value": {"type": "object"}}
        return warning("rewritten", "response_format")
    return None


_STEPS: Final[tuple[Callable[[Quirks, dict[str, Any]], str | None], ...]] = (
    _developer,
    _max_tokens,
    _top_p,
    _choices,
    _format,
)

TABLE: Final[dict[str, Quirks]] = {
    quirks.name: quirks
    for quirks in (
        Quirks("openai", strict_messages=True),
        Quirks("openai_compatible"),
        Quirks("vllm", developer_role=False, continues=True),
        Quirks("ollama", developer_role=False, only_max_tokens=True, one_choice=True),
        Quirks("llamacpp", developer_role=False, only_max_tokens=True, one_choice=True, no_json_schema=True),
        Quirks(
            "tgi",
            developer_role=False,
            only_max_tokens=True,
            open_top_p=True,
            grammar_formats=True,
            format_or_tools=True,
            one_choice=True,
        ),
    )
}
