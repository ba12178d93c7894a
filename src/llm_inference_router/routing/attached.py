"""What pictures, sounds and files are in tokens: each provider has a rule of its own, so a prompt with attachments has
another length at every model.

The rule follows the model's name, whoever serves it, and then its backend. The signals count a flat rate; here that is
exchanged for the rule.

- OpenAI (developers.openai.com/api/docs/guides/images-vision, "Calculating costs"). Most models see tiles: the picture
  is scaled down into 2048 x 2048, then until its shorter side is at most 768; a base, and so many tokens for each tile
  of 512 x 512; in low detail the base alone. The smaller and newer ones see patches of 32 x 32, at most 1,536, times a
  factor. Audio: one token for 100 ms (guides/realtime-costs).
- Anthropic (platform.claude.com/docs/en/build-with-claude/vision): width x height / 750, after scaling down to 1,568
  pixels on the longer side and about 1,600 tokens; from Opus 4.7 on to 2,576 pixels and 4,784 tokens. Its newer
  wording, patches of 28 x 28, is the same within 5 %.
- Any other model: one token for 28 x 28 pixels, at least 64 and at most 4,096, as Qwen2-VL and many after it
  (arXiv 2409.12191); 25 tokens for a second of sound, as Qwen2-Audio (arXiv 2407.10759).

A picture of unknown size counts as 1024 x 1024; sounds of unknown length and files count at the flat rate.
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from llm_inference_router.signals.length import FLAT
from llm_inference_router.types import Attachment, Model, Signals

Rule: TypeAlias = Callable[[int, int, bool], float]
"""Tokens of a picture: width, height, whether in low detail."""

UNKNOWN_SIDE: Final = 1024
_OPENAI_AUDIO: Final = 10.0  # tokens a second
_AUDIO: Final = 25.0
_PATCHES: Final = 1536
_LARGE_CLAUDE: Final = re.compile(r"claude-opus-4[.-](?:[7-9]|\d\d)(?!\d)")


def prompt_tokens(model: Model, signals: Signals) -> int:
    """The prompt's tokens at this model."""
    attachments = signals.attachments
    if not attachments:
        return signals.prompt_tokens
    rule, audio = _rules(model.backend, model.upstream_model)
    exchanged = sum(_tokens(one, rule, audio) - FLAT[one.kind] for one in attachments)
    return max(1, signals.prompt_tokens + round(exchanged))


def _tokens(one: Attachment, rule: Rule, audio: float) -> float:
    if one.kind == "image":
        return rule(one.width or UNKNOWN_SIDE, one.height or UNKNOWN_SIDE, one.low)
    if one.kind == "audio" and one.seconds is not None:
        return one.seconds * audio
    return FLAT[one.kind]


@lru_cache(maxsize=1024)
def _rules(backend: str, upstream_model: str) -> tuple[Rule, float]:
    """The rule for pictures, and tokens for a second of sound."""
    name = upstream_model.lower().rpartition("/")[2]
    if backend == "anthropic" or name.startswith("claude"):
        return (_anthropic(2576, 4784) if _LARGE_CLAUDE.match(name) else _anthropic(1568, 1600)), _AUDIO
    family = max((one for one in _OPENAI if name.startswith(one)), key=len, default=None)
    if family is not None:
        return _OPENAI[family], _OPENAI_AUDIO
    return (_OPENAI["gpt-4o"], _OPENAI_AUDIO) if backend == "openai" else (_other, _AUDIO)


def _tiles(base: int, tile: int) -> Rule:
    def rule(width: int, height: int, low: bool) -> float:
        if low:
            return base
        scale = min(1.0, 2048 / max(width, height))
        scale *= min(1.0, 768 / (min(width, height) * scale))
        # A side that scaling makes 512 may come out a hair above it.
        across, down = (max(1, math.ceil(side * scale / 512 - 1e-9)) for side in (width, height))
        return base + tile * across * down

    return rule


def _patches(factor: float) -> Rule:
    def rule(width: int, height: int, low: bool) -> float:
        across, down = -(-width // 32), -(-height // 32)
        if across * down > _PATCHES:
            # Scaled so that they are that many, and then on until one side is a whole number of patches.
            scale = math.sqrt(32 * 32 * _PATCHES / (width * height))
            wide, high = width * scale / 32, height * scale / 32
            scale *= min(max(1, math.floor(wide)) / wide, max(1, math.floor(high)) / high)
            across, down = (math.ceil(side * scale / 32 - 1e-9) for side in (width, height))
        return min(_PATCHES, across * down) * factor

    return rule


def _anthropic(edge: int, most: int) -> Rule:
    def rule(width: int, height: int, low: bool) -> float:
        scale = min(1.0, edge / max(width, height))
        return min(width * height * scale * scale / 750, most)

    return rule


def _other(width: int, height: int, low: bool) -> float:
    return min(4096, max(64, -(-width // 28) * -(-height // 28)))


# By the beginning of the model's name; the longest that fits.
_OPENAI: Final[dict[str, Rule]] = {
    "gpt-4o": _tiles(85, 170),
    "chatgpt-4o": _tiles(85, 170),
    "gpt-4-turbo": _tiles(85, 170),
    "gpt-4.1": _tiles(85, 170),
    "gpt-4.5": _tiles(85, 170),
    "gpt-4o-mini": _tiles(2833, 5667),
    "gpt-5": _tiles(70, 140),
    "o1": _tiles(75, 150),
    "o3": _tiles(75, 150),
    "computer-use-preview": _tiles(65, 129),
    "gpt-4.1-mini": _patches(1.62),
    "gpt-4.1-nano": _patches(2.46),
    "gpt-5-mini": _patches(1.62),
    "gpt-5-nano": _patches(2.46),
    "o4-mini": _patches(1.72),
    "gpt-5.": _patches(1.2),  # the page gives no factor for these; this one is what bills show
}
