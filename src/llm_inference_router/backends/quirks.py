"""How the servers that speak OpenAI's dialect differ from it, as a table of flags: the code is one, for all
of them.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import orjson
from msgspec import Struct

from llm_inference_router.dialects import completions
from llm_inference_router.dialects.custom import called_as_functions
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import Attachment

Step: TypeAlias = Callable[["Quirks", dict[str, Any]], str | None]
"""Changes the body of a request, a copy of the client's, in place; says what was changed."""


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
    one_text: bool = False  # makes a message of each part of a content, and knows no empty one
    object_arguments: bool = False  # refuses calls in the conversation whose arguments are no JSON object
    only_functions: bool = False  # knows no custom tools, and refuses a conversation that has called one
    pictures: frozenset[str] | None = (
        None  # refuses all attachments but pictures in base64 of these types; None: takes any
    )
    parts: frozenset[str] = frozenset()  # refuses these in a content, with the whole request
    free_choice: bool = False  # ignores tool_choice
    efforts: frozenset[str] | None = None  # refuses another reasoning_effort; None: takes any
    continues: bool = False  # has to be told that the last message is the beginning of the answer
    completions: frozenset[str] | None = None  # None: no /v1/completions; else what that takes beside one text
    embeddings: bool = False  # has /v1/embeddings

    def unseen(self, attachments: Iterable[Attachment]) -> str | None:
        """The first of them that this server refuses, in words; None where it takes all."""
        for one in attachments:
            if one.media in self.parts and one.kind == "file":
                return _named(one)
            if self.pictures is None:
                continue
            if one.kind != "image":
                return _named(one)
            if one.media is None:
                return "pictures by their address"
            if one.media not in self.pictures:
                return "pictures of this type"
        return None

    def rewrite_prompt(self, body: dict[str, Any]) -> list[str]:
        """Changes the body of a request of /v1/completions in place; says what was changed. Of the fields that this
        server does not take only `best_of` can hold something: a request that needs another one is not sent here. Empty
        ones are refused by some all the same.
        """
        said = [word for step in (_top_p, _choices) if (word := step(self, body))]
        unknown = completions.OPTIONS - (self.completions or frozenset())
        if "best_of" in unknown and (body.get("best_of") or 1) > 1:
            said.append(warning("dropped", "best_of"))
        for name in unknown:
            body.pop(name, None)
        return said


def _named(one: Attachment) -> str:
    if one.kind == "audio" or one.media == "audio_url":
        return "sounds"
    return "videos" if one.media == "video_url" else "files"


def _developer(quirks: Quirks, body: dict[str, Any]) -> str | None:
    messages = body["messages"]
    if not any(message["role"] == "developer" for message in messages):
        return None
    body["messages"] = [
        {**message, "role": "system"} if message["role"] == "developer" else message for message in messages
    ]
    return warning("rewritten", "developer")


def _max_tokens(quirks: Quirks, body: dict[str, Any]) -> str | None:
    if "max_completion_tokens" not in body:
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


def _one_text(quirks: Quirks, body: dict[str, Any]) -> str | None:
    body["messages"] = [_with_text(message) for message in body["messages"]]
    return None  # said in another way, which no client can tell


def _with_text(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        if len(content) == 1 and message["role"] != "tool" and content[0]["type"] != "refusal":
            return message
        if all(part["type"] in ("text", "refusal") for part in content):
            return {**message, "content": "\n\n".join(part[part["type"]] for part in content)}
        if any(part["type"] == "refusal" for part in content):
            return {**message, "content": [_as_text(part) for part in content]}
    if content is None and not message.get("tool_calls"):
        return {**message, "content": message.get("refusal") or ""}
    return message


def _as_text(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": part["refusal"]} if part["type"] == "refusal" else part


def _only_functions(quirks: Quirks, body: dict[str, Any]) -> str | None:
    """Calls of custom tools as calls of functions with their text; the tools themselves cannot be offered."""
    body["messages"] = called_as_functions(body["messages"])
    tools = body.get("tools")
    if not tools or all(tool.get("type") != "custom" for tool in tools):
        return None
    body["tools"] = [tool for tool in tools if tool.get("type") != "custom"]
    return warning("dropped", "tools")


def _object_arguments(quirks: Quirks, body: dict[str, Any]) -> str | None:
    said: str | None = None
    turns = list(body["messages"])
    for at, message in enumerate(turns):
        calls = message.get("tool_calls") if message["role"] == "assistant" else None
        if not calls or all(is_object(_arguments(call)) for call in calls):
            continue
        turns[at] = {**message, "tool_calls": [_mended(call) for call in calls]}
        if any(_arguments(call).strip() and not is_object(_arguments(call)) for call in calls):
            said = warning("rewritten", "tool_calls")
    body["messages"] = turns
    return said


def _arguments(call: dict[str, Any]) -> str:
    """Of a function; a call of a kind that nobody knows has none, and is the server's to judge."""
    function = call.get("function")
    given = function.get("arguments") if isinstance(function, dict) else "{}"
    return given if isinstance(given, str) else ""


def _mended(call: dict[str, Any]) -> dict[str, Any]:
    given = _arguments(call)
    if is_object(given):
        return call
    value: Any = given
    with suppress(orjson.JSONDecodeError):
        value = orjson.Fragment(given) if orjson.loads(given) is not None else given
    whole = orjson.dumps({"arguments": value}).decode() if given.strip() else "{}"
    return {**call, "function": {**call["function"], "arguments": whole}}


def is_object(text: str) -> bool:
    """Whether this JSON text is an object."""
    with suppress(orjson.JSONDecodeError):
        return isinstance(orjson.loads(text), dict)
    return False


def _free_choice(quirks: Quirks, body: dict[str, Any]) -> str | None:
    """What of the choice among tools can be had by offering fewer."""
    if (wanted := body.pop("tool_choice", None)) in (None, "auto"):
        return None
    if wanted == "none":
        body.pop("tools", None)
        return warning("rewritten", "tool_choice")
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        allowed = wanted.get("allowed_tools") or {}
        names = {_name(tool) for tool in allowed.get("tools") or ()}
        body["tools"] = [tool for tool in body.get("tools") or () if _name(tool) in names]
        return warning("dropped" if allowed.get("mode") == "required" else "rewritten", "tool_choice")
    return warning("dropped", "tool_choice")


def _name(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def _effort(quirks: Quirks, body: dict[str, Any]) -> str | None:
    effort = body.get("reasoning_effort")
    if quirks.efforts is None or not isinstance(effort, str) or effort in quirks.efforts:
        return None
    body["reasoning_effort"] = "low" if effort == "minimal" else "high"
    return warning("clamped", "reasoning_effort")


_STEPS: Final[tuple[tuple[Step, Callable[[Quirks], bool]], ...]] = (
    (_developer, lambda quirks: not quirks.developer_role),
    (_max_tokens, lambda quirks: quirks.only_max_tokens),
    (_top_p, lambda quirks: quirks.open_top_p),
    (_choices, lambda quirks: quirks.one_choice),
    (_format, lambda quirks: quirks.no_json_schema or quirks.format_or_tools or quirks.grammar_formats),
    (_one_text, lambda quirks: quirks.one_text),
    (_only_functions, lambda quirks: quirks.only_functions),
    (_object_arguments, lambda quirks: quirks.object_arguments),
    (_free_choice, lambda quirks: quirks.free_choice),
    (_effort, lambda quirks: quirks.efforts is not None),
)


def steps(quirks: Quirks) -> tuple[Step, ...]:
    """What a chat request to this server has to go through, in order."""
    return tuple(step for step, needed in _STEPS if needed(quirks))


# What /v1/completions takes beside one text: recorded traffic (vllm, llama-cpp-python), and for the others
# Ollama: docs/api/openai-compatibility ("prompt currently only accepts a string"; no echo, best_of, n);
# llama.cpp: tools/server, oaicompat_completion_params_parse (refuses echo, best_of, suffix);
# TGI: router/src/server.rs, completions (a list of texts; refuses suffix; knows no echo, logprobs, best_of).
# Of any other server nothing is known, so it is asked: if it refuses, the client reads why.
# None for OpenAI: its chat models have no completions; gpt-3.5-turbo-instruct is reached as openai_compatible.
_PROMPTS: Final = frozenset({completions.SEVERAL, completions.TOKENS})
_ALL: Final = _PROMPTS | completions.OPTIONS | {completions.NOTHING}

# Parts of a content that end in a 400: vLLM: entrypoints/chat_utils.py, MM_PARSER_MAP; llama.cpp: tools/server,
# oaicompat_chat_params_parse; TGI: router/src/lib.rs, MessageChunk.
_ATTACHED: Final = frozenset({"file", "video_url", "audio_url"})

TABLE: Final[dict[str, Quirks]] = {
    quirks.name: quirks
    for quirks in (
        Quirks("openai", strict_messages=True, embeddings=True),
        Quirks("openai_compatible", completions=_ALL, embeddings=True),
        Quirks(
            "vllm",
            developer_role=False,
            parts=frozenset({"file"}),
            continues=True,
            completions=_PROMPTS | {"echo", "logprobs", completions.NOTHING},
            embeddings=True,
        ),
        Quirks(
            "ollama",
            developer_role=False,
            only_max_tokens=True,
            one_choice=True,
            one_text=True,
            object_arguments=True,
            only_functions=True,
            pictures=frozenset({"", "image/jpeg", "image/jpg", "image/png", "image/webp"}),
            free_choice=True,
            efforts=frozenset({"none", "low", "medium", "high"}),
            completions=frozenset({"suffix"}),
            embeddings=True,
        ),
        Quirks(
            "llamacpp",
            developer_role=False,
            parts=_ATTACHED,
            only_max_tokens=True,
            one_choice=True,
            no_json_schema=True,
            completions=_PROMPTS | {"logprobs"},
            embeddings=True,
        ),
        Quirks(
            "tgi",
            developer_role=False,
            parts=_ATTACHED,
            only_max_tokens=True,
            open_top_p=True,
            grammar_formats=True,
            format_or_tools=True,
            one_choice=True,
            completions=frozenset({completions.SEVERAL}),
        ),
    )
}
SIMULATED: Final = Quirks("simulated", embeddings=True)
