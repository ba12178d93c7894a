"""What a translation changed of a request, as the client reads it in `x-router-warnings`: `severity;reason;field`.

`info`: said in another way, with the same effect. `warning`: what was asked for has less effect, or none. The reasons
are a closed list (docs/guides/failures.md says what to do about each); a field is the client's own word for it.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

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


def warning(reason: Reason, field: str, *, harmless: bool = False) -> str:
    """`harmless`: nothing a client could notice is lost by it."""
    severity = "warning" if reason in _LOST and not harmless else "info"
    return f"{severity};{reason};{field if _FIELD.match(field) else 'unknown_field'}"


def joined(warnings: Iterable[str]) -> str:
    """One header value, each warning once; a request of many oddities names the first twenty."""
    return ", ".join(list(dict.fromkeys(warnings))[:_MOST])
