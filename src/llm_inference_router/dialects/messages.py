"""Anthropic's Messages as a client sends them: bytes to a ChatRequest, or an InvalidRequest that names the place.

What the router reads is judged and translated to chat; whatever has no counterpart there is named in the warnings, and
still reaches an upstream that speaks Messages itself, which is sent the client's own JSON.
"""

from typing import Any, Final

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.messages_invalid import misplaced, missing, text_of, unfit, unknown
from llm_inference_router.dialects.messages_spelling import spell_turns
from llm_inference_router.dialects.messages_tools import choose, tools
from llm_inference_router.dialects.messages_turns import Turns
from llm_inference_router.dialects.warning import warning
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest
from llm_inference_router.vocabulary import Capability

LOW_BUDGET: Final = 2048
"""Tokens of reasoning: up to here `low`, up to MEDIUM_BUDGET `medium`, beyond it `high`."""
MEDIUM_BUDGET: Final = 8192

_READ: Final = frozenset(
    {
        "model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "top_k",
        "tools", "tool_choice", "thinking", "metadata", "service_tier", "output_config", "output_format",
        "cache_control",
    }
)  # fmt: skip
_EFFORTS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_THINKING: Final = ("enabled", "adaptive", "disabled", "between_tools")


def parse(body: bytes) -> ChatRequest:
    """Raises InvalidRequest, and nothing else, for whatever is not a Messages request."""
    doc = _load(body)
    if doc.get("max_tokens") is None:
        raise missing("max_tokens")
    return read(doc)


def parse_count(body: bytes) -> ChatRequest:
    """A request whose tokens are to be counted: one without `max_tokens`."""
    return read(_load(body))


def _load(body: bytes) -> dict[str, Any]:
    doc = chat.load(body)
    spell_turns(doc, body)
    return doc


def read(doc: dict[str, Any]) -> ChatRequest:
    """As `parse`, for JSON that `chat.load` has read; `max_tokens` may be missing."""
    for name in chat.FOREIGN:
        if doc.get(name) is not None:
            message = f"{name}: endpoints are set in the router's configuration, not by a request"
            raise InvalidRequest(message, param=name, code="unsupported_parameter")
    turns = Turns()
    model = _model(doc)
    turns.system(doc.get("system"))
    _messages(doc, turns)
    warnings = turns.warnings
    max_tokens = _whole(doc, "max_tokens", least=1)
    body: dict[str, Any] = {"model": model, "messages": turns.chat}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    offered = tools(doc.get("tools"), warnings)
    if offered:
        body["tools"] = offered
    choose(doc.get("tool_choice"), body)
    stream = _flag(doc, "stream")
    if stream:
        body["stream"] = True
    _sampling(doc, body)
    _thinking(doc, body)
    structured = _format(doc, body)
    _metadata(doc, body, warnings)
    _tier(doc, body, warnings)
    if doc.get("cache_control") is not None:
        warnings.append(warning("dropped", "cache_control", harmless=True))
    warnings += [warning("dropped", name) for name in doc if name not in _READ and doc[name] is not None]
    needs: set[Capability] = set()
    if offered:
        needs.add("tools")
    if structured:
        needs.add("json_schema")
    if any("image" in message.attachments for message in turns.messages):
        needs.add("vision")
    last = turns.chat[-1]
    return ChatRequest(
        model=model,
        messages=tuple(turns.messages),
        body=body,
        stream=stream,
        max_tokens=max_tokens,
        tools=len(offered),
        needs=frozenset(needs),
        response_format="json_schema" if structured else "text",
        prefilled=last["role"] == "assistant" and bool(last["content"]) and "tool_calls" not in last,
        dialect="messages",
        source=doc,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _model(doc: dict[str, Any]) -> str:
    model = doc.get("model")
    if type(model) is not str:
        raise unfit("model", "a valid string", model)
    if not model:
        raise InvalidRequest("model: a route or a model has to be named", param="model", code="empty_string")
    if len(model) > chat.MAX_MODEL_NAME:
        message = f"model: String should have at most {chat.MAX_MODEL_NAME} characters"
        raise InvalidRequest(message, param="model", code="string_above_max_length")
    if not model.isprintable():
        raise misplaced("model", "control characters are not allowed")
    return model


def _messages(doc: dict[str, Any], turns: Turns) -> None:
    raw = doc.get("messages")
    if type(raw) is not list:
        raise unfit("messages", "a valid array", raw)
    if not raw:
        raise InvalidRequest("messages: at least one message is required", param="messages", code="empty_array")
    if len(raw) > chat.MAX_MESSAGES:
        message = f"messages: at most {chat.MAX_MESSAGES} messages are accepted"
        raise InvalidRequest(message, param="messages", code="array_above_max_length")
    for index, message in enumerate(raw):
        turns.add(message, index)
    if not turns.begun:
        raise InvalidRequest("messages: at least one message is required", param="messages", code="empty_array")


def _sampling(doc: dict[str, Any], body: dict[str, Any]) -> None:
    for name in ("temperature", "top_p"):
        value = doc.get(name)
        if value is None:
            continue
        if type(value) is not float and type(value) is not int:
            raise unfit(name, "a valid number", value)
        body[name] = value
    top_k = _whole(doc, "top_k", least=0)
    if top_k:
        body["top_k"] = top_k
    stops = doc.get("stop_sequences")
    if stops is None:
        return
    if type(stops) is not list:
        raise unfit("stop_sequences", "a valid array", stops)
    for index, stop in enumerate(stops):
        if type(stop) is not str:
            raise unfit(f"stop_sequences.{index}", "a valid string", stop)
    if stops:
        body["stop"] = stops


def _thinking(doc: dict[str, Any], body: dict[str, Any]) -> None:
    """`thinking` stays as it is for an upstream that has it; for the others it becomes an effort."""
    wanted = doc.get("thinking")
    config = doc.get("output_config")
    named = config.get("effort") if type(config) is dict else None
    effort = _EFFORTS.get(named) if type(named) is str else None
    if wanted is not None:
        if type(wanted) is not dict:
            raise unfit("thinking", "a valid object", wanted)
        kind = text_of(wanted, "type", "thinking")
        if kind not in _THINKING:
            raise unknown("thinking.type", kind, "'enabled', 'adaptive' or 'disabled'")
        if kind == "enabled":
            budget = wanted.get("budget_tokens")
            if type(budget) is not int:
                raise unfit("thinking.budget_tokens", "a valid integer", budget)
            effort = effort or effort_of(budget)
        body["thinking"] = wanted
    if effort is not None:
        body["reasoning_effort"] = effort


def effort_of(budget: int) -> str:
    """The reasoning effort that stands for a budget of tokens."""
    if budget <= LOW_BUDGET:
        return "low"
    return "medium" if budget <= MEDIUM_BUDGET else "high"


def _format(doc: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether the answer has to conform to a schema."""
    config = doc.get("output_config")
    if config is not None and type(config) is not dict:
        raise unfit("output_config", "a valid object", config)
    place, wanted = "output_config.format", config.get("format") if config else None
    if wanted is None:
        place, wanted = "output_format", doc.get("output_format")
    if wanted is None:
        return False
    if type(wanted) is not dict:
        raise unfit(place, "a valid object", wanted)
    kind = text_of(wanted, "type", place)
    if kind != "json_schema":
        raise unknown(f"{place}.type", kind, "'json_schema'")
    schema = wanted.get("schema")
    if type(schema) is not dict:
        raise unfit(f"{place}.schema", "a valid object", schema)
    described = {"name": "output", "schema": schema, "strict": _is_closed(schema)}
    body["response_format"] = {"type": "json_schema", "json_schema": described}
    return True


def _is_closed(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes it: every object names all its properties, all of them required."""
    if type(schema) is list:
        return all(_is_closed(one) for one in schema)
    if type(schema) is not dict:
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or type(properties) is dict:
        required = schema.get("required")
        named = set(properties) if type(properties) is dict else set()
        asked = {one for one in required if type(one) is str} if type(required) is list else set()
        if schema.get("additionalProperties") is not False or named != asked:
            return False
    return all(_is_closed(value) for value in schema.values())


def _tier(doc: dict[str, Any], body: dict[str, Any], warnings: list[str]) -> None:
    tier = doc.get("service_tier")
    if tier == "standard_only":
        body["service_tier"] = "default"
    elif tier is not None:
        warnings.append(warning("dropped", "service_tier", harmless=tier == "auto"))  # auto: as if nothing were said


def _metadata(doc: dict[str, Any], body: dict[str, Any], warnings: list[str]) -> None:
    metadata = doc.get("metadata")
    if metadata is None:
        return
    if type(metadata) is not dict:
        raise unfit("metadata", "a valid object", metadata)
    for key, text in metadata.items():
        if not key.isprintable() or (type(text) is str and any(c in text for c in "\r\n\0")):
            raise misplaced("metadata", "control characters are not allowed")
    if metadata.keys() - {"user_id"}:
        warnings.append(warning("dropped", "metadata"))
    user = metadata.get("user_id")
    if user is None:
        return
    if type(user) is not str:
        raise unfit("metadata.user_id", "a valid string", user)
    body["user"] = user


def _flag(doc: dict[str, Any], name: str) -> bool:
    value = doc.get(name)
    if value is not None and type(value) is not bool:
        raise unfit(name, "a valid boolean", value)
    return bool(value)


def _whole(doc: dict[str, Any], name: str, *, least: int) -> int | None:
    value = doc.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise unfit(name, "a valid integer", value)
    if value < least:
        message = f"{name}: Input should be greater than or equal to {least}"
        raise InvalidRequest(message, param=name, code="integer_below_min_value")
    return value
