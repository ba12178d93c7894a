"""OpenAI's Responses as a client sends it: its JSON to a ChatRequest, or an InvalidRequest that names the place."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import structs

from llm_inference_router.dialects import chat_message
from llm_inference_router.dialects.chat import (
    FOREIGN,
    MAX_MESSAGES,
    NEEDS,
    flag,
    metadata,
    model_name,
    number,
    positive,
)
from llm_inference_router.dialects.invalid import empty, invalid_type, invalid_value, unfit
from llm_inference_router.dialects.responses_content import optional_text, text_at
from llm_inference_router.dialects.responses_input import Turns
from llm_inference_router.dialects.responses_tools import OWN, Tools
from llm_inference_router.dialects.warning import warning
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest
from llm_inference_router.vocabulary import Capability

LOGPROBS: Final = "message.output_text.logprobs"
_INCLUDED: Final = frozenset({LOGPROBS, "reasoning.encrypted_content"})
LONGEST_ID: Final = 256

_Format = Literal["text", "json_object", "json_schema"]
_STRINGS: Final = (
    *("instructions", "previous_response_id", "truncation"),
    *("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"),
)
_SAME: Final = (  # fields that chat has under the same name
    *("temperature", "top_p", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    "service_tier",
)
_REFUSED: Final = {
    **dict.fromkeys(FOREIGN, "endpoints are set in the router's configuration"),
    "background": "an answer is given on the connection that asks for it",
    "conversation": "send the items, or `previous_response_id`",
    "prompt": "templates are known to the provider alone; send the text",
}
_READ: Final = frozenset(
    {
        *_STRINGS,
        *_SAME,
        *_REFUSED,
        *("model", "input", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "max_output_tokens"),
        *("top_logprobs", "include", "metadata", "store", "stream", "stream_options", "max_tool_calls"),
    }
)


def read(doc: dict[str, Any], asked: ChatRequest | None = None) -> ChatRequest:
    """`asked`: the request as it came, where this holds what it goes on from. Raises InvalidRequest."""
    model = model_name(doc)
    _judge(doc)
    turns = Turns()
    if doc.get("instructions"):
        turns.say("system", doc["instructions"])
    previous = doc.get("previous_response_id") or ""
    _input(doc, turns, open_ended=bool(previous))
    tools = Tools(doc, turns.warnings)
    body: dict[str, Any] = {"model": model, "messages": turns.finish()}
    needs: set[Capability] = {"vision"} if turns.seen else set()
    messages = tuple([chat_message.read(one, index) for index, one in enumerate(body["messages"])])
    for message in messages:
        needs.update(NEEDS[kind] for kind in message.attachments if kind in NEEDS)
    if tools.chat:
        needs.add("tools")
        _offer(doc, body, tools, needs)
    response_format = _text(doc.get("text"), body)
    if response_format == "json_schema":
        needs.add("json_schema")
    limit = positive(doc, "max_output_tokens")
    if limit is not None:
        body["max_completion_tokens"] = limit
    _reasoning(doc.get("reasoning"), body, turns.warnings)
    if LOGPROBS in _include(doc):
        needs.add("logprobs")
        body["logprobs"] = True
        if doc.get("top_logprobs"):
            body["top_logprobs"] = doc["top_logprobs"]
    body |= {name: doc[name] for name in _SAME if doc.get(name) is not None}
    stream = flag(doc, "stream")
    if stream:
        body["stream"] = True
    _warn(doc, turns.warnings)
    earlier = [] if asked or not previous else [previous]
    return ChatRequest(
        model=model,
        messages=messages,
        body=body,
        stream=stream,
        max_tokens=limit,
        tools=len(tools.chat),
        needs=frozenset(needs),
        response_format=response_format,
        dialect="responses",
        source=doc,
        warnings=tuple(dict.fromkeys(turns.warnings)),
        own=frozenset({OWN}) if tools.own else frozenset(),
        earlier=(*earlier, *turns.references),
        asked=asked,
    )


def items(source: Mapping[str, Any]) -> list[Any]:
    """A request's input as the items that it stands for."""
    said = source.get("input")
    if type(said) is str:
        return [{"type": "message", "role": "user", "content": said}]
    return list(said or ())


def resumed(request: ChatRequest, history: Sequence[Any], named: Mapping[str, Any]) -> ChatRequest:
    """The request with what it refers to: the items before it, and those that it only named. Raises InvalidRequest."""
    own = [named.get(str(item.get("id")), item) if refers(item) else item for item in items(request.source)]
    found = read({**request.source, "input": [*history, *own]}, request)
    return found if not found.earlier else _without_earlier(found)


def _without_earlier(request: ChatRequest) -> ChatRequest:
    """What could not be looked up stays with whoever knows it: a relay sends it, chat goes without."""
    lost = tuple(warning("dropped", "item_reference") for _ in request.earlier)
    return structs.replace(request, earlier=(), warnings=(*request.warnings, *lost[:1]))


def refers(item: Any) -> bool:
    """Whether an item of the input only names one of an earlier answer."""
    return item.get("type") == "item_reference" or ("type" not in item and "role" not in item)


def _judge(doc: dict[str, Any]) -> None:
    """What no translation could mend."""
    for name, instead in _REFUSED.items():
        if doc.get(name) not in (None, False):
            message = f"'{name}' is not supported here: {instead}."
            raise InvalidRequest(message, param=name, code="unsupported_parameter")
    for name in _STRINGS:
        optional_text(doc, name, "")
    for name in ("temperature", "top_p"):
        number(doc, name)
    for name in ("top_logprobs", "max_tool_calls"):
        value = doc.get(name)
        if value is not None and type(value) is not int:
            raise invalid_type(name, "an integer", value)
    flag(doc, "store")
    flag(doc, "parallel_tool_calls")
    if doc.get("metadata") is not None:
        metadata(doc["metadata"])
    if doc.get("stream_options") is not None and type(doc["stream_options"]) is not dict:
        raise invalid_type("stream_options", "an object", doc["stream_options"])
    previous = doc.get("previous_response_id")
    if previous is not None and not (previous.isprintable() and 0 < len(previous) <= LONGEST_ID):
        message = f"Invalid 'previous_response_id': 1 to {LONGEST_ID} printable characters are expected."
        raise InvalidRequest(message, param="previous_response_id", code="invalid_value")


def _input(doc: Mapping[str, Any], turns: Turns, *, open_ended: bool) -> None:
    raw = doc.get("input")
    if type(raw) is str:
        turns.say("user", raw)
        return
    if raw is None and open_ended:
        return
    if type(raw) is not list:
        raise unfit("input", "one of a string or an array of objects", raw)
    if len(raw) > MAX_MESSAGES:
        message = f"Invalid 'input': {len(raw)} items; at most {MAX_MESSAGES} are accepted."
        raise InvalidRequest(message, param="input", code="array_above_max_length")
    for position, item in enumerate(raw):
        turns.add(item, f"input[{position}]")
    if not open_ended and not turns.references and not turns.finish():
        raise empty("input", "array", "at least one item that a model can read")


def _offer(doc: dict[str, Any], body: dict[str, Any], tools: Tools, needs: set[Capability]) -> None:
    body["tools"] = tools.chat
    if tools.choice is not None:
        body["tool_choice"] = tools.choice
    parallel = doc.get("parallel_tool_calls")
    if parallel is not None:
        body["parallel_tool_calls"] = parallel
    if parallel:
        needs.add("parallel_tools")


def _text(raw: Any, body: dict[str, Any]) -> _Format:
    if raw is None:
        return "text"
    if type(raw) is not dict:
        raise invalid_type("text", "an object", raw)
    verbosity = optional_text(raw, "verbosity", "text")
    if verbosity is not None:
        body["verbosity"] = verbosity
    wanted = raw.get("format")
    if wanted is None:
        return "text"
    if type(wanted) is not dict:
        raise invalid_type("text.format", "an object", wanted)
    kind = text_at(wanted, "type", "text.format")
    if kind == "text":
        return "text"
    if kind == "json_object":
        body["response_format"] = {"type": "json_object"}
        return "json_object"
    if kind != "json_schema":
        raise invalid_value("text.format.type", kind, "'text', 'json_object' and 'json_schema'")
    text_at(wanted, "name", "text.format")
    schema = wanted.get("schema")
    if type(schema) is not dict:
        raise unfit("text.format.schema", "an object", schema)
    named = {name: wanted[name] for name in ("name", "description", "schema", "strict") if wanted.get(name) is not None}
    body["response_format"] = {"type": "json_schema", "json_schema": named}
    return "json_schema"


def _reasoning(raw: Any, body: dict[str, Any], warnings: list[str]) -> None:
    if raw is None:
        return
    if type(raw) is not dict:
        raise invalid_type("reasoning", "an object", raw)
    effort = optional_text(raw, "effort", "reasoning")
    if effort is not None:
        body["reasoning_effort"] = effort
    for name, value in raw.items():
        if name != "effort" and value is not None:
            # Where a model shows its reasoning the client is given all of it, and not a summary.
            warnings.append(warning("dropped", f"reasoning.{name}", harmless=name in ("summary", "generate_summary")))


def _include(doc: Mapping[str, Any]) -> Sequence[str]:
    value = doc.get("include")
    if value is None:
        return ()
    if type(value) is not list or not all(type(one) is str for one in value):
        raise invalid_type("include", "an array of strings", value)
    return value


def _warn(doc: Mapping[str, Any], warnings: list[str]) -> None:
    """Names what has an effect at OpenAI and none in chat."""
    if doc.get("truncation") not in (None, "disabled"):
        warnings.append(warning("dropped", "truncation"))
    if doc.get("max_tool_calls") is not None:
        warnings.append(warning("dropped", "max_tool_calls", harmless=True))  # of tools that are left out anyway
    if doc.get("top_logprobs") and LOGPROBS not in (doc.get("include") or ()):
        warnings.append(warning("dropped", "top_logprobs"))
    if set(_include(doc)) - _INCLUDED:
        warnings.append(warning("dropped", "include", harmless=True))  # of tools that are left out, and named, anyway
    warnings += [warning("dropped", name) for name in doc if name not in _READ and doc[name] is not None]
