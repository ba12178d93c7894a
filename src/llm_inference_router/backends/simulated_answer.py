"""What a simulated model answers: a pure function of the request, the model and a seed.

No language model runs here. A simulated model exists so that routing, streaming, accounting and the demo can
be tried with nothing installed. Everything below is an assumption made by hand, and says so wherever a person
sees it.

Quality is a two-parameter logistic curve (item response theory): P(good) = 1 / (1 + exp(-6 * (ability -
difficulty))). `ability` belongs to the tier. `difficulty` is what the request says in `metadata.difficulty`
(OpenAI's metadata field) or a guess of our own that shares no code with the router's complexity. Whether one
answer is good is a seeded coin.

Speeds: a small model beside the application answers in tens of milliseconds; a cloud model adds network,
queue and more weights to read for every token. The figures have the size of published comparisons of such
models in 2024 to 2026; they are no measurement of any provider.
"""

import math
import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import orjson
from msgspec import Struct

from llm_inference_router.backends import simulated_schema, simulated_text
from llm_inference_router.backends.simulated_draws import Draws
from llm_inference_router.vocabulary import Tier

SLOPE = 6.0


class Profile(Struct, frozen=True):
    """How a tier behaves. Times in milliseconds, speeds in tokens per second."""

    ability: float
    ttft_ms: float  # before prefill
    prefill: float
    decode: float
    wordiness: float  # multiplies the length of an answer


PROFILES: Mapping[Tier, Profile] = MappingProxyType(
    {
        "small": Profile(ability=0.55, ttft_ms=40.0, prefill=6000.0, decode=90.0, wordiness=0.9),
        "medium": Profile(ability=0.85, ttft_ms=250.0, prefill=12000.0, decode=80.0, wordiness=1.0),
        "large": Profile(ability=1.10, ttft_ms=600.0, prefill=8000.0, decode=45.0, wordiness=1.15),
    }
)


class ToolCall(Struct, frozen=True):
    id: str
    name: str


class Said(Struct, frozen=True):
    """One choice. `pieces` are its tokens: of the text, or of the tool call's arguments."""

    pieces: tuple[str, ...]
    finish_reason: str
    tool: ToolCall | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Imagined(Struct, frozen=True):
    """A whole simulated answer, before it is timed or framed. `ttft_ms` milliseconds, `decode` tokens per
    second.
    """

    model: str
    tier: Tier
    choices: tuple[Said, ...]
    prompt_tokens: int
    quality: float
    good: bool
    ttft_ms: float
    decode: float
    logprobs: int | None = None  # alternatives shown for each token; None: no log probabilities are asked for

    @property
    def output_tokens(self) -> int:
        return sum(len(said.pieces) for said in self.choices)

    @property
    def marks(self) -> dict[str, Any]:
        """What the answer says of itself, on the whole body and on a stream's last chunk."""
        return {"tier": self.tier, "quality": round(self.quality, 4), "good": self.good}


class ContextExceededError(ValueError):
    """The prompt does not fit the model's context."""


def quality(tier: Tier, difficulty: float) -> float:
    """P(good answer) of a tier at a difficulty 0..1."""
    return 1.0 / (1.0 + math.exp(-SLOPE * (PROFILES[tier].ability - difficulty)))


def difficulty(body: Mapping[str, Any]) -> float:
    """The request's own `metadata.difficulty`, held to 0..1, else a guess from the shape of the last ask."""
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        try:
            given = float(metadata["difficulty"])
        except (KeyError, TypeError, ValueError):
            given = math.nan
        if not math.isnan(given):
            return min(1.0, max(0.0, given))
    return _guess(ask(body))


def ask(body: Mapping[str, Any]) -> str:
    """The text of the last message from the user."""
    for message in reversed(body.get("messages") or ()):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def text_of(content: object) -> str:
    """The text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(part for part in parts if isinstance(part, str))


def imagine(
    body: Mapping[str, Any],
    *,
    model: str,
    tier: Tier,
    seed: int = 0,
    context: int | None = None,
    max_output: int | None = None,
) -> Imagined:
    """The answer of a simulated model to a chat body; the same arguments always give the same answer.

    Raises ContextExceededError when the prompt has more tokens than `context`.
    """
    profile = PROFILES[tier]
    prompt_tokens = _prompt_tokens(body)
    if context is not None and prompt_tokens >= context:
        raise ContextExceededError(f"this model's context is {context} tokens, the messages have {prompt_tokens}")
    hardness = difficulty(body)
    draws = Draws(_digest(body, model, tier, seed))
    chance = quality(tier, hardness)
    good = draws.uniform() < chance
    ttft_ms = (profile.ttft_ms + 1000.0 * prompt_tokens / profile.prefill) * draws.jitter(0.20)
    decode = profile.decode * draws.jitter(0.10)
    limit = _limit(body, max_output, context, prompt_tokens)
    choices = tuple(_said(body, tier, hardness, limit, draws) for _ in range(max(1, int(body.get("n") or 1))))
    return Imagined(
        model=model,
        tier=tier,
        choices=choices,
        prompt_tokens=prompt_tokens,
        quality=chance,
        good=good,
        ttft_ms=ttft_ms,
        decode=decode,
        logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
    )


# --- what is said -------------------------------------------------------------------------------------------


def _said(body: Mapping[str, Any], tier: Tier, hardness: float, limit: int, draws: Draws) -> Said:
    function = _tool_wanted(body)
    if function is not None:
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        arguments = orjson.dumps(simulated_schema.sample(schema, draws, ask(body))).decode()
        call = ToolCall(id=f"call_{draws.word(24)}", name=str(function.get("name", "")))
        pieces = simulated_text.pieces(arguments)
        cut = len(pieces) > limit
        return Said(tuple(pieces[:limit]), "length" if cut else "tool_calls", call)
    pieces = simulated_text.pieces(_text(body, tier, hardness, draws))
    pieces = _stopped(pieces, body.get("stop"))
    if len(pieces) > limit:
        return Said(tuple(pieces[:limit]), "length")
    return Said(tuple(pieces), "stop")


def _text(body: Mapping[str, Any], tier: Tier, hardness: float, draws: Draws) -> str:
    schema = _schema_wanted(body)
    if schema is not None:
        return orjson.dumps(simulated_schema.sample(schema, draws, ask(body)), option=orjson.OPT_INDENT_2).decode()
    asked = ask(body)
    if (body.get("response_format") or {}).get("type") == "json_object":
        plain = simulated_text.compose(asked, tier, 20, draws)
        return orjson.dumps({"simulated": tier, "answer": plain}, option=orjson.OPT_INDENT_2).decode()
    length = int(_length(asked, hardness) * PROFILES[tier].wordiness * draws.jitter(0.25))
    result = _tool_result(body)
    return simulated_text.compose(asked, tier, length, draws, result=result)


_SHORT = re.compile(
    r"(?i)\b(?:one word|single word|yes or no|true or false|only the (?:number|label|letter|answer)|one label"
    r"|just the (?:number|answer|name)|reply with|answer with (?:one|only))\b"
)
_LONG = re.compile(
    r"(?i)\b(?:essay|in detail|detailed|step by step|report|article|comprehensive|full implementation|design"
    r"|thorough(?:ly)?|prove|memo|proposal)\b"
)


def _length(asked: str, hardness: float) -> float:
    """Tokens of a typical answer: short where the ask is easy or wants one word, long where it wants work."""
    if _SHORT.search(asked):
        return 8.0
    tokens = 22.0 + 330.0 * math.pow(hardness, 1.2)
    if _LONG.search(asked):
        tokens *= 1.6
    if simulated_text.about_code(asked):
        tokens += 60.0
    return tokens


def _stopped(pieces: list[str], stop: object) -> list[str]:
    """The pieces up to the first of the request's stop sequences, which is not said."""
    ends = [stop] if isinstance(stop, str) else list(stop) if isinstance(stop, Sequence) else []
    text = "".join(pieces)
    cuts = [at for end in ends if isinstance(end, str) and end and (at := text.find(end)) >= 0]
    return simulated_text.pieces(text[: min(cuts)]) if cuts else pieces


# --- what is wanted -----------------------------------------------------------------------------------------


def _functions(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        tool["function"]
        for tool in body.get("tools") or ()
        if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping)
    ]


def _tool_wanted(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The function to call: the one that is named, or, after `required` or a fitting ask, the best match."""
    functions = _functions(body)
    choice = body.get("tool_choice", "auto")
    if not functions or choice == "none":
        return None
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        return next((function for function in functions if function.get("name") == name), None)
    if body["messages"][-1].get("role") == "tool":
        return None
    asked = _stems(ask(body))
    scores = [len(asked & _stems(_described(function))) for function in functions]
    best = max(range(len(functions)), key=scores.__getitem__)
    return functions[best] if choice == "required" or scores[best] > 0 else None


def _described(function: Mapping[str, Any]) -> str:
    return f"{function.get('name', '')} {function.get('description', '')}".replace("_", " ")


_COMMON = """
    about after also and are can could does find for from get give have how into make many much need now our
    please set tell that the their them there this today want was what when where which who will with would
    you your
"""
_UNTELLING = frozenset(_COMMON.split())


def _stems(text: str) -> set[str]:
    words = re.findall(r"[^\W\d_]{3,}", text[-4000:].lower())
    return {word[:5] for word in words if word not in _UNTELLING}


def _schema_wanted(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return None
    schema = (wanted.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, Mapping) else {"type": "object"}


def _tool_result(body: Mapping[str, Any]) -> str:
    last = body["messages"][-1] if body.get("messages") else {}
    return text_of(last.get("content")) if last.get("role") == "tool" else ""


def _limit(body: Mapping[str, Any], max_output: int | None, context: int | None, prompt_tokens: int) -> int:
    bounds = [body.get("max_completion_tokens"), body.get("max_tokens"), max_output]
    if context is not None:
        bounds.append(context - prompt_tokens)
    return max(1, min((int(bound) for bound in bounds if bound is not None), default=4096))


# --- what is counted ----------------------------------------------------------------------------------------


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    tokens = 3
    for message in body.get("messages") or ():
        tokens += 4 + simulated_text.count(text_of(message.get("content")))
    if body.get("tools"):
        tokens += simulated_text.count(orjson.dumps(body["tools"]).decode())
    return tokens


def _guess(asked: str) -> float:
    """A plain guess: longer asks, numbers, code and several demands are harder."""
    words = len(asked.split())
    value: float = 0.05 + 0.06 * math.log1p(words / 4.0)
    value += min(0.20, 0.01 * len(re.findall(r"\d|[=<>^*{}]", asked[:4000])))
    value += min(0.20, 0.04 * len(re.findall(r"[,;]| and | then |\n", asked[:4000])))
    return min(1.0, value)


def _digest(body: Mapping[str, Any], model: str, tier: Tier, seed: int) -> int:
    """What makes two requests the same one: not the transport's own fields, such as `stream`."""
    same = {key: body.get(key) for key in ("messages", "tools", "tool_choice", "response_format", "seed", "metadata")}
    said = orjson.dumps([same, model, tier, seed], option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(blake2b(said, digest_size=8).digest(), "big")
