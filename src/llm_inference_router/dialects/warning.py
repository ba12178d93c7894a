"""What a translation changed of a request, as the client reads it in `x-router-warnings`: `severity;reason;field`.

`info`: said in another way, with the same effect. `warning`: what was asked for has less effect, or none. The reasons
are a closed list (docs/guides/failures.md says what to do about each); a field is the client's own word for it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from llm_inference_router.vocabulary import DialectName

Reason: TypeAlias = Literal[
    "dropped",  # the model's API has no such field, or refuses this value
    "clamped",  # moved to the nearest value that the model takes
    "rewritten",  # said in the words of the model's API
    "weakened",  # asked for in the prompt, and not enforced
    "added",  # what the model's API insists on
    "foreign",  # another provider's, which this one would refuse
    "continued",  # the answer broke, and another model wrote its rest
]

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,79}\Z")
_LOST: Final = frozenset({"dropped", "clamped", "weakened", "foreign"})
_MOST: Final = 20
# What a backend, which reads chat, calls otherwise than these clients do.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "responses": {
        "messages": "input",
        "messages.reasoning": "reasoning",
        "tool_calls": "function_call",
        "image_url": "input_image",
        "image_url.detail": "input_image.detail",
        "file": "input_file",
        "tools.custom.format": "tools.format",
        "logprobs": "include",
        "max_tokens": "max_output_tokens",
        "max_completion_tokens": "max_output_tokens",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    },
}


def warning(reason: Reason, field: str, *, harmless: bool = False) -> str:
    """`harmless`: nothing a client could notice is lost by it."""
    severity = "warning" if reason in _LOST and not harmless else "info"
    return f"{severity};{reason};{field if _FIELD.match(field) else 'unknown_field'}"


def unread(raw: Mapping[str, Any], known: frozenset[str], place: str, hints: frozenset[str] = frozenset()) -> list[str]:
    """Names the fields of what a client sent that have no counterpart. Nothing is lost by one that is null or empty, or
    by a hint.
    """
    if raw.keys() <= known:
        return []
    return [
        warning("dropped", f"{place}.{name}", harmless=name in hints)
        for name, value in raw.items()
        if name not in known and value
    ]


def worded(warnings: Iterable[str], dialect: DialectName) -> tuple[str, ...]:
    """Warnings of a backend in the words of the client's dialect, each once."""
    words = _WORDS.get(dialect)
    if words is not None:
        said = [one.rpartition(";") for one in warnings]
        warnings = [f"{head};{words.get(field, field)}" for head, _, field in said]
    return tuple(dict.fromkeys(warnings))


def joined(warnings: Iterable[str]) -> str:
    """One header value, each warning once; a request of many oddities names the first twenty."""
    return ", ".join(list(dict.fromkeys(warnings))[:_MOST])
