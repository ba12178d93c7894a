"""When a rate limit ends, where no `retry-after` says it.

OpenAI and Anthropic tell of each limit what is left and when it is whole again: as a duration of Go's (`6m0s`, `20ms`),
and as a moment (RFC 3339).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_RESETS: Final = re.compile(r"x-ratelimit-reset-(?P<open>[a-z-]+)|anthropic-ratelimit-(?P<claude>[a-z-]+)-reset")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def resets_in(headers: Mapping[str, str]) -> float | None:
    """Seconds until the last of the limits that are used up is whole again; None where that is not said. A moment
    counts from the answer's own `date`, so that no clock is needed.
    """
    waits = []
    for name, value in headers.items():
        found = _RESETS.fullmatch(name)
        if found is None:
            continue
        left = (
            f"x-ratelimit-remaining-{found['open']}"
            if found["open"]
            else f"anthropic-ratelimit-{found['claude']}-remaining"
        )
        if headers.get(left) != "0":
            continue
        seconds = duration(value) if found["open"] else _until(value, headers.get("date"))
        if seconds is not None:
            waits.append(max(0.0, seconds))
    return max(waits, default=None)


def duration(text: str) -> float | None:
    """Seconds of a duration as Go writes it."""
    at, total = 0, 0.0
    while at < len(text):
        found = _DURATION.match(text, at)
        if found is None:
            return None
        total += float(found[1]) * _SECONDS[found[2]]
        at = found.end()
    return total if text else None


def _until(moment: str, date: str | None) -> float | None:
    if date is None:
        return None
    try:
        then = datetime.fromisoformat(moment)
        now = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    if then.tzinfo is None or now.tzinfo is None:
        return None
    return (then.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
