"""Hours of the day in a time zone: `22:00-06:00 Europe/Berlin`."""

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec import Struct

_HOURS = re.compile(r"(\d{1,2}):([0-5]\d)\s*-\s*(\d{1,2}):([0-5]\d)(?:\s+(\S+))?\Z", re.ASCII)


class Hours(Struct, frozen=True):
    """From `start` up to but not including `end`, in minutes since midnight; past midnight where start >
    end."""

    start: int
    end: int
    zone: ZoneInfo

    def holds(self, now_ms: int) -> bool:
        """Whether Unix time `now_ms` (milliseconds) lies in these hours."""
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse(text: str) -> Hours:
    """Reads `HH:MM-HH:MM ZONE`; without a zone it is UTC. Raises ValueError with the words of the problem."""
    match = _HOURS.match(text.strip())
    if not match:
        raise ValueError(f'"{text[:60]}" is not hours of a day: write "22:00-06:00 Europe/Berlin"')
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if max(start, end) > 24 * 60 or start == 24 * 60:
        raise ValueError("hours begin from 00:00 to 23:59 and end by 24:00")
    if start == end:
        raise ValueError("the hours begin and end at the same minute")
    return Hours(start, end, zone(match[5] or "UTC"))


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ValueError with the nearest right spelling."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as "Europe"
        near = get_close_matches(name, available_timezones(), n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ", as in Europe/Berlin"
        raise ValueError(f'"{name[:60]}" is not a time zone{hint}') from None
