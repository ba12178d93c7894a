"""OpenAI's Completions as a client sends it: bytes to a ChatRequest, or an InvalidRequest that names the place.

The prompt is text to go on from, not a message. Where no server of a model takes it like that, it is sent as one
message of the user, which is as near as chat comes; what chat has no words for at all (several prompts, token numbers,
a suffix) is noted in `own`, and only models whose servers take it are asked.
"""

from typing import Any, Final

from llm_inference_router.dialects import chat
from llm_inference_router.dialects.invalid import empty, invalid_type, unfit
from llm_inference_router.dialects.warning import warning
from llm_inference_router.errors import InvalidRequest
from llm_inference_router.types import ChatRequest, Message
from llm_inference_router.vocabulary import Capability

DEFAULT_MAX_TOKENS: Final = 16  # OpenAI's; servers have others, and the client must not depend on which one answers
MAX_PROMPTS: Final = 2048

# Words of `ChatRequest.own`, as an error shows them.
SEVERAL: Final = "several prompts"
TOKENS: Final = "token numbers"
NOTHING: Final = "max_tokens of 0"
OPTIONS: Final = frozenset({"best_of", "echo", "logprobs", "suffix"})  # the fields that chat does not have

_SHARED: Final = frozenset(
    chat.NUMBERS | {"logit_bias", "n", "seed", "stop", "stream", "stream_options", "user", "metadata"}
)


def parse(body: bytes) -> ChatRequest:
    """Raises InvalidRequest, and nothing else."""
    doc = chat.load(body)
    model = chat.model_name(doc)
    own: set[str] = set()
    texts, tokens = prompts(doc, "prompt", own)
    limit = _max_tokens(doc, own)
    needs = frozenset[Capability]({"logprobs"} if _options(doc, own) else ())
    _judge(doc)
    choices = chat.positive(doc, "n", chat.MAX_CHOICES) or 1
    options = doc.get("stream_options")
    text = "\n".join(texts)
    said = {name: doc[name] for name in _SHARED if doc.get(name) is not None}
    hub = {"model": model, "messages": [{"role": "user", "content": text}], "max_completion_tokens": limit, **said}
    return ChatRequest(
        model=model,
        messages=(Message("user", text),),
        body=hub,
        stream=chat.flag(doc, "stream"),
        include_usage=options is not None and chat.include_usage(options),
        max_tokens=max(1, limit),
        choices=choices * max(1, len(texts) + len(tokens)),
        needs=needs,
        dialect="completions",
        source=doc,
        warnings=_warnings(doc),
        own=frozenset(own),
        tokens=sum(tokens),
    )


def prompts(doc: dict[str, Any], name: str, own: set[str]) -> tuple[list[str], list[int]]:
    """The texts of a field that holds a text, token numbers, or a list of either; and of token numbers how many there
    are. Notes in `own` what chat has no words for. Raises InvalidRequest.
    """
    value = doc.get(name)
    if type(value) is str:
        return [value], []
    if type(value) is not list:
        raise unfit(name, "one of a string or an array", value)
    if not value:
        raise empty(name, "array", "at least one element")
    if type(value[0]) is int:
        own.add(TOKENS)
        return [], [_numbers(value, name)]
    if len(value) > MAX_PROMPTS:
        message = f"Invalid '{name}': {len(value)} elements; at most {MAX_PROMPTS} are accepted."
        raise InvalidRequest(message, param=name, code="array_above_max_length")
    if len(value) > 1:
        own.add(SEVERAL)
    if type(value[0]) is list:
        own.add(TOKENS)
        return [], [_numbers(one, f"{name}[{index}]") for index, one in enumerate(value)]
    for index, one in enumerate(value):
        if type(one) is not str:
            raise invalid_type(f"{name}[{index}]", "a string", one)
    return value, []


def _numbers(value: Any, place: str) -> int:
    if type(value) is not list:
        raise invalid_type(place, "an array of token numbers", value)
    if not value:
        raise empty(place, "array", "at least one token number")
    wrong = next((index for index, one in enumerate(value) if type(one) is not int or one < 0), None)
    if wrong is not None:
        raise invalid_type(f"{place}[{wrong}]", "a token number", value[wrong])
    return len(value)


def _max_tokens(doc: dict[str, Any], own: set[str]) -> int:
    """0 is for scoring a prompt: nothing is to be written."""
    if doc.get("max_tokens") == 0 and type(doc["max_tokens"]) is int:
        own.add(NOTHING)
        return 0
    return chat.positive(doc, "max_tokens") or DEFAULT_MAX_TOKENS


def _options(doc: dict[str, Any], own: set[str]) -> bool:
    """Notes what chat does not have; whether log probabilities are asked for."""
    chat.positive(doc, "best_of", chat.MAX_CHOICES)
    if chat.flag(doc, "echo"):
        own.add("echo")
    suffix = doc.get("suffix")
    if suffix is not None and type(suffix) is not str:
        raise invalid_type("suffix", "a string", suffix)
    if suffix:
        own.add("suffix")
    logprobs = doc.get("logprobs")
    if logprobs is None:
        return False
    if type(logprobs) is not int or logprobs < 0:
        raise invalid_type("logprobs", "an integer of 0 or more", logprobs)
    own.add("logprobs")
    return True


def _judge(doc: dict[str, Any]) -> None:
    for name in chat.NUMBERS:
        chat.number(doc, name)
    if doc.get("stop") is not None:
        chat.stop(doc["stop"])
    chat.refuse_foreign(doc)


def _warnings(doc: dict[str, Any]) -> tuple[str, ...]:
    """What chat makes of it."""
    dropped = [
        warning("dropped", name)
        for name, value in doc.items()
        if name not in _SHARED and name not in ("model", "prompt", "max_tokens", *chat.FOREIGN)
        if value not in (None, False, "") and not (name == "best_of" and value == 1)
    ]
    return (warning("rewritten", "prompt"), *dropped)
