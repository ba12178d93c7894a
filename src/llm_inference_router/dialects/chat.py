"""OpenAI's Chat Completions as a client sends it: bytes to a ChatRequest, or an InvalidRequest that names
the place.

Only the fields that the router reads are judged, and of those only what no upstream could accept: ranges of
sampling parameters are left to the upstream. Everything else stays in `body` and passes through.
"""

from typing import Any, Final, Literal, NoReturn

import orjson

from llm_inference_router.dialects import chat_message
from llm_inference_router.dialects.invalid import empty, invalid_type, not_json, quoted, unfit
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import Capability

MAX_MESSAGES: Final = 10_000
MAX_KEYS: Final = 250_000  # what one parse can hold without stopping the process for long
MAX_DEPTH: Final = 250  # what the encoder can write again
MAX_CHOICES: Final = 128
MAX_MODEL_NAME: Final = 256

_SMALL: Final = 4096
FOREIGN: Final = ("base_url", "api_base", "api_key")
"""Where a request goes, and with which key, is the configuration's to say."""
NEEDS: Final[dict[str, Capability]] = {"image": "vision", "audio": "audio"}
_FORMATS: Final[dict[str, Literal["text", "json_object", "json_schema"]]] = {
    "text": "text",
    "json_object": "json_object",
    "json_schema": "json_schema",
}


def parse(body: bytes) -> ChatRequest:
    """Raises InvalidRequest, and nothing else, for whatever is not a chat request."""
    doc = load(body)
    get = doc.get
    model = model_name(doc)
    messages = _messages(doc)
    needs: set[Capability] = set()
    for message in messages:
        if message.attachments:
            needs.update(NEEDS[kind] for kind in message.attachments if kind in NEEDS)
    stream = flag(doc, "stream")
    options = get("stream_options")
    max_tokens = positive(doc, "max_tokens") if "max_tokens" in doc else None
    if "max_completion_tokens" in doc:
        max_tokens = positive(doc, "max_completion_tokens") or max_tokens
    tools = 0
    if "tools" in doc or "functions" in doc:
        tools = _tools(doc)
    if tools:
        needs.add("tools")
        if flag(doc, "parallel_tool_calls"):
            needs.add("parallel_tools")
    response_format: Literal["text", "json_object", "json_schema"] = "text"
    if get("response_format") is not None:
        response_format = _response_format(doc)
        if response_format == "json_schema":
            needs.add("json_schema")
    choices = 1
    if len(doc) > 2:
        choices = _optional(doc, needs)
    return ChatRequest(
        model=model,
        messages=messages,
        body=doc,
        stream=stream,
        include_usage=options is not None and include_usage(options),
        max_tokens=max_tokens,
        choices=choices,
        tools=tools,
        needs=frozenset(needs),
        response_format=response_format,
    )


def load(body: bytes) -> dict[str, Any]:
    """The JSON object of a request, within the limits of keys and depth. Raises InvalidRequest."""
    if len(body) > 4 * MAX_KEYS and body.count(b'":') > MAX_KEYS:
        raise InvalidRequest(f"The request has more than {MAX_KEYS} keys.", code="too_many_keys")
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(body, error) from None
    if type(doc) is not dict:
        raise InvalidRequest(f"The request body must be a JSON object, not {quoted(doc)}.", code="invalid_type")
    if len(body) > _SMALL or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        # What cannot be written again cannot be sent on. Counting is cheaper for small bodies, trying for
        # large ones.
        try:
            orjson.dumps(doc)
        except TypeError:
            message = f"The request is nested more than {MAX_DEPTH} levels deep."
            raise InvalidRequest(message, code="too_deep") from None
    return doc


def _messages(doc: dict[str, Any]) -> tuple[Message, ...]:
    raw = doc.get("messages")
    if type(raw) is not list:
        raise unfit("messages", "an array of objects", raw)
    if not raw:
        raise empty("messages", "array", "at least one message")
    if len(raw) > MAX_MESSAGES:
        message = f"Invalid 'messages': {len(raw)} messages; at most {MAX_MESSAGES} are accepted."
        raise InvalidRequest(message, param="messages", code="array_above_max_length")
    read = chat_message.read
    return tuple([read(item, index) for index, item in enumerate(raw)])


def model_name(doc: dict[str, Any]) -> str:
    """The name that is asked for. Raises InvalidRequest for what cannot be one."""
    model = doc.get("model")
    if type(model) is not str or not model or not model.isprintable() or len(model) > MAX_MODEL_NAME:
        _bad_model(model)
    return model


def _bad_model(model: Any) -> NoReturn:
    if type(model) is not str:
        raise unfit("model", "a string", model)
    if not model:
        raise empty("model", "string", "the name of a route or a model")
    if len(model) > MAX_MODEL_NAME:
        message = f"Invalid 'model': longer than {MAX_MODEL_NAME} characters."
        raise InvalidRequest(message, param="model", code="string_above_max_length")
    message = f"Invalid 'model': control characters in {quoted(model)}."
    raise InvalidRequest(message, param="model", code="invalid_value")


def flag(doc: dict[str, Any], name: str) -> bool:
    """A boolean field, false where it is missing. Raises InvalidRequest."""
    value = doc.get(name)
    if value is None or value is False:
        return False
    if value is True:
        return True
    raise invalid_type(name, "a boolean", value)


def positive(doc: dict[str, Any], name: str, maximum: int | None = None) -> int | None:
    """A field that holds 1 or more, None where it is missing. Raises InvalidRequest."""
    value = doc.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise invalid_type(name, "an integer", value)
    if value < 1:
        message = f"Invalid '{name}': integer below minimum value. Expected >= 1, but got {value} instead."
        raise InvalidRequest(message, param=name, code="integer_below_min_value")
    if maximum is not None and value > maximum:
        message = f"Invalid '{name}': integer above maximum value. Expected <= {maximum}, but got {value} instead."
        raise InvalidRequest(message, param=name, code="integer_above_max_value")
    return value


def include_usage(options: object) -> bool:
    """What `stream_options` says. Raises InvalidRequest."""
    if not isinstance(options, dict):
        raise invalid_type("stream_options", "an object", options)
    value = options.get("include_usage")
    if value is None or type(value) is bool:
        return bool(value)
    raise invalid_type("stream_options.include_usage", "a boolean", value)


def _tools(doc: dict[str, Any]) -> int:
    count = 0
    for field in ("tools", "functions"):
        tools = doc.get(field)
        if tools is None:
            continue
        if type(tools) is not list:
            raise invalid_type(field, "an array of objects", tools)
        for index, tool in enumerate(tools):
            _tool(tool, f"{field}[{index}]", wrapped=field == "tools")
        count += len(tools)
    return count


def _tool(tool: object, place: str, *, wrapped: bool) -> None:
    if type(tool) is not dict:
        raise invalid_type(place, "an object", tool)
    function: Any = tool
    if wrapped:
        kind = tool.get("type", "function")
        if type(kind) is not str:
            raise invalid_type(f"{place}.type", "a string", kind)
        if kind != "function":
            return  # custom and hosted tools: the upstream's business
        place += ".function"
        function = tool.get("function")
        if type(function) is not dict:
            raise unfit(place, "an object", function)
    name = function.get("name")
    if type(name) is not str:
        raise unfit(f"{place}.name", "a string", name)
    if not name:
        raise empty(f"{place}.name", "string", "a function's name")
    parameters = function.get("parameters")
    if parameters is not None and type(parameters) is not dict:
        raise invalid_type(f"{place}.parameters", "an object", parameters)


def _response_format(doc: dict[str, Any]) -> Literal["text", "json_object", "json_schema"]:
    value = doc["response_format"]
    if type(value) is not dict:
        raise invalid_type("response_format", "an object", value)
    kind = value.get("type")
    if type(kind) is not str:
        raise unfit("response_format.type", "a string", kind)
    if kind == "json_schema" and type(value.get("json_schema")) is not dict:
        raise unfit("response_format.json_schema", "an object", value.get("json_schema"))
    return _FORMATS.get(kind, "text")


def _optional(doc: dict[str, Any], needs: set[Capability]) -> int:
    """Judges what most requests lack; adds needs; returns the number of choices."""
    choices = 1
    for name in doc.keys() & _JUDGED:
        value = doc[name]
        if value is None:
            continue
        if name in NUMBERS:
            number(doc, name)
        elif name == "n":
            choices = positive(doc, name, MAX_CHOICES) or 1
        elif name == "logprobs":
            if flag(doc, name):
                needs.add("logprobs")
        elif name == "tool_choice":
            if type(value) is not str and type(value) is not dict:
                raise invalid_type(name, "one of a string or an object", value)
        elif name == "stop":
            stop(value)
        elif name == "modalities":
            if type(value) is not list or not all(type(s) is str for s in value):
                raise invalid_type(name, "an array of strings", value)
            if "audio" in value:
                needs.add("audio")
        elif name == "metadata":
            metadata(value)
        else:
            refuse_foreign(doc)
    return choices


def refuse_foreign(doc: dict[str, Any]) -> None:
    """Raises InvalidRequest for a request that names its own endpoint."""
    for name in FOREIGN:
        if doc.get(name) is not None:
            message = f"'{name}' cannot be chosen by a request; endpoints are set in the router's configuration."
            raise InvalidRequest(message, param=name, code="unsupported_parameter")


def number(doc: dict[str, Any], name: str) -> None:
    """Judges a field that holds a number. Raises InvalidRequest."""
    value = doc.get(name)
    if value is not None and type(value) is not float and type(value) is not int:
        raise invalid_type(name, "a number", value)


def stop(value: object) -> None:
    """Judges what `stop` holds. Raises InvalidRequest."""
    if type(value) is not str and (type(value) is not list or not all(type(one) is str for one in value)):
        raise invalid_type("stop", "one of a string or an array of strings", value)


def metadata(value: object) -> None:
    """Judges what `metadata` holds. Raises InvalidRequest."""
    if type(value) is not dict:
        raise invalid_type("metadata", "an object", value)
    for key, text in value.items():
        if not key.isprintable() or (type(text) is str and any(c in text for c in "\r\n\0")):
            message = f"Invalid 'metadata': control characters at {quoted(key)}."
            raise InvalidRequest(message, param="metadata", code="invalid_value")


NUMBERS: Final = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})
_JUDGED: Final = NUMBERS | {"n", "logprobs", "tool_choice", "stop", "modalities", "metadata", *FOREIGN}
