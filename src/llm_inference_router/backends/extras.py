"""What travels through the hub beyond OpenAI's own fields, on its way to a server of OpenAI's dialect.

| field                                                   | of a chat client: OpenAI | other servers | translated  |
|---------------------------------------------------------|--------------------------|---------------|-------------|
| thinking_blocks (signed by another provider)            | left out                 | left out      | left out    |
| cache_control, citations, reasoning, reasoning_content  | left out                 | sent on       | left out    |
| is_error                                                | left out                 | sent on       | said        |
| pictures in the result of a tool                        | the user shows them      | the same      | the same    |
| system messages after the first                         | sent on                  | sent on       | as it takes |
| custom tools (Responses alone)                          |                          |               | functions   |
| top_k, efforts, tiers, more than four stops             | sent on                  | sent on       | as it takes |

OpenAI refuses a message with a field that it does not know; other servers use such fields or skip them. What a chat
client says to them is its own choice. A request translated from another dialect carries such fields for the upstreams
that understand them, and no other is sent them. Whatever is left out is named, in the words of the client's dialect.
"""

from collections.abc import Mapping
from typing import Any, Final

from llm_inference_router.backends import instructions, openai_lengths
from llm_inference_router.backends.quirks import Quirks
from llm_inference_router.dialects import custom
from llm_inference_router.dialects.signature import untag
from llm_inference_router.dialects.warning import warning
from llm_inference_router.types import ChatRequest, Model
from llm_inference_router.vocabulary import DialectName

_PLAIN: Final = frozenset({"role", "content"})
_THOUGHTS: Final = "thinking_blocks"
_ALWAYS: Final = frozenset({_THOUGHTS})
_STRICT: Final = _ALWAYS | {"cache_control", "is_error", "citations", "reasoning", "reasoning_content"}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "responses": {"cache_control": "prompt_cache_breakpoint", "reasoning_content": "reasoning"},
}
_EFFORTS: Final[Mapping[str, str]] = {"messages": "output_config.effort", "responses": "reasoning.effort"}
_SEALED: Final = "reasoning.encrypted_content"
_USUAL_TIERS: Final = frozenset({"auto", "default"})
_NO_TOP_K: Final = frozenset({"openai", "openai_compatible"})  # may refuse fields that OpenAI does not have
_TEXTS: Final = frozenset({"text", "refusal"})
_MOST_STOPS: Final = 4
_FAILED: Final = "Error: "
_ABOVE: Final = "(The image is in the next message.)"


def strip(body: dict[str, Any], request: ChatRequest, model: Model, quirks: Quirks) -> list[str]:
    """Changes `body`, a copy of the request's, in place; says what was changed."""
    translated = request.dialect != "chat"
    strict = translated or quirks.strict_messages
    if not translated and all(map(_is_plain, body["messages"])) and not (strict and body.get("tools")):
        return []  # as most are
    placed = instructions.in_chat(body["messages"]) if translated and quirks.name != "openai" else None
    if placed is not None:
        body["messages"] = placed
    said: list[str] = []
    if request.dialect == "responses" and quirks.name != "openai":
        custom.as_functions(body, said)
    stripping = _Stripping(_STRICT if strict else _ALWAYS, request.dialect)
    stripping.warnings += said
    messages = stripping.messages(body["messages"])
    if messages is not None:
        body["messages"] = messages
    if strict and body.get("tools"):
        body["tools"] = [stripping.without(tool) for tool in body["tools"]]
    if translated:
        _fit(body, request, model, quirks, stripping.warnings)
        if quirks.name == "openai":
            stripping.warnings += openai_lengths.shorten(body, request.dialect)
    if placed is not None:
        stripping.warnings.append(warning("rewritten", "messages"))
    return list(dict.fromkeys(stripping.warnings))


class _Stripping:
    """`dialect`: of the client; where it is not chat the request is a translation."""

    def __init__(self, refused: frozenset[str], dialect: DialectName) -> None:
        self.warnings: list[str] = []
        self._refused = refused
        self._translated = dialect != "chat"
        self._words = _WORDS.get(dialect, {})
        self._shown: list[Any] = []  # pictures of tool results, which only a user may show

    def messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """None where nothing has to be changed."""
        made: list[dict[str, Any]] = []
        changed = False
        for message in messages:
            if not self._shown and _is_plain(message):
                made.append(message)
                continue
            new = message
            if self._shown and message["role"] != "tool":
                if message["role"] == "user":
                    new = {**message, "content": self._shown + _parts(message.get("content"))}
                else:
                    made.append({"role": "user", "content": self._shown})
                self._shown = []
            new = self._message(new)
            changed = changed or new is not message
            made.append(new)
        if self._shown:
            made.append({"role": "user", "content": self._shown})
        return made if changed else None

    def without(self, item: dict[str, Any]) -> dict[str, Any]:
        if item.keys() <= _PLAIN:
            return item
        found = self._refused & item.keys()
        if not found:
            return item
        for name in sorted(found):
            if name == _THOUGHTS and item[name]:
                # Nothing is lost where nobody signed it: a model is not shown its own reasoning of earlier turns again.
                foreign = isinstance(item[name], list) and any(_is_signed(block) for block in item[name])
                self.warnings.append(warning("foreign", name) if foreign else warning("dropped", name, harmless=True))
            elif item[name] and not (self._translated and name == "is_error"):  # which `_failed` says
                self.warnings.append(warning("dropped", self._words.get(name, name), harmless=True))
        return {name: value for name, value in item.items() if name not in found}

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        new = self.without(message)
        content = new.get("content")
        if type(content) is list:
            given = content
            if message["role"] == "tool":
                content = self._texts(content)
            if self._refused is _STRICT:
                content = [self.without(part) for part in content]
            if self._translated and all(part["type"] == "text" for part in content):
                # Several servers take a list of texts for something else than text.
                content = "\n\n".join(part["text"] for part in content)
            if content != given:
                new = {**new, "content": content}
        if self._translated and message.get("is_error") and type(content) is str:
            new = self._failed(new, content)
        return new

    def _texts(self, content: list[Any]) -> list[Any]:
        """A result of texts alone, which is all that these servers take."""
        shown = [part for part in content if part.get("type") not in _TEXTS]
        if not shown:
            return content
        self._shown = self._shown + shown
        self.warnings.append(warning("rewritten", "messages"))
        return [part for part in content if part.get("type") in _TEXTS] or [{"type": "text", "text": _ABOVE}]

    def _failed(self, message: dict[str, Any], content: str) -> dict[str, Any]:
        if content.lower().startswith("error"):
            return message
        self.warnings.append(warning("rewritten", "messages"))
        return {**message, "content": _FAILED + content}


def _fit(body: dict[str, Any], request: ChatRequest, model: Model, quirks: Quirks, warnings: list[str]) -> None:
    """Parameters of another dialect: each where this server takes it."""
    server = quirks.name
    thinking = body.pop("thinking", None)
    _think(body, thinking, request, model, warnings)
    if server in _NO_TOP_K and body.pop("top_k", None) is not None:
        warnings.append(warning("dropped", "top_k"))
    if server != "openai":
        tier = body.pop("service_tier", None)
        if tier is not None:
            warnings.append(warning("dropped", "service_tier", harmless=tier in _USUAL_TIERS))
    elif "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")  # its newer models know no other name
    stops = body.get("stop")
    if server == "openai" and isinstance(stops, list) and len(stops) > _MOST_STOPS:
        body["stop"] = stops[:_MOST_STOPS]
        warnings.append(warning("clamped", "stop_sequences"))
    if request.dialect == "responses" and _SEALED in (request.source.get("include") or ()):
        # There is nothing sealed here: reasoning is given as it is, and what goes on from it needs no more.
        warnings.append(warning("dropped", "include", harmless=True))
    if request.prefilled and "prefill" not in model.capabilities:
        warnings.append(warning("weakened", "messages"))


def _think(
    body: dict[str, Any], thinking: dict[str, Any] | None, request: ChatRequest, model: Model, warnings: list[str]
) -> None:
    """How hard to think. `thinking`: in Anthropic's words, which say less than an effort where no budget is named."""
    reasons = "reasoning" in model.capabilities
    if "reasoning_effort" in body and not reasons:
        del body["reasoning_effort"]
        warnings.append(
            warning("dropped", "thinking" if thinking else _EFFORTS.get(request.dialect, "reasoning_effort"))
        )
    elif thinking and "reasoning_effort" not in body:
        adaptive = thinking["type"] == "adaptive"  # leaves it to the model, which decides all the same
        if adaptive or reasons:
            warnings.append(warning("dropped", "thinking", harmless=adaptive))


def _is_plain(message: dict[str, Any]) -> bool:
    """Role and text, and nothing else: the parsers let no message without a role pass."""
    return len(message) == 2 and type(message.get("content")) is str


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def _is_signed(block: Any) -> bool:
    opaque = (block.get("signature") or block.get("data")) if isinstance(block, Mapping) else None
    if not isinstance(opaque, str):
        return False
    found = untag(opaque)
    return bool(opaque if found is None else found[1])
