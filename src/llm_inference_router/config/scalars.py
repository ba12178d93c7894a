"""One written value to one typed value, by the type that is wanted. Each raises ValueError with the words
of the problem."""

import math
import re
from typing import Any

import yaml

from llm_inference_router.config.schema import Duration, Secret, Size
from llm_inference_router.config.yaml import Scalar

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]{0,17})\Z")
_NUMBER = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?\Z")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OCTAL = re.compile(r"0o[0-7]+\Z")
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.[0-9]*)? ?%\Z")
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d|w))+\Z")
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONGEST = 10 * 366 * 86400
_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB)?\Z")
_BYTES = {None: 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_HEADER_SAFE = re.compile(r"[\x21-\x7e]*\Z")
_RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers
_READS_AS = {
    "null": "nothing",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "timestamp": "a date",
}


def is_null(scalar: Scalar) -> bool:
    return scalar.plain and scalar.source is None and scalar.text in ("", "~", "null", "Null", "NULL")


def text(scalar: Scalar) -> str:
    """A text. One that other YAML readers take for a number, a date or a truth value must be quoted."""
    if scalar.plain and scalar.source is None and (other := reads_as(scalar.text)):
        shown = scalar.shown.replace('"', '\\"')
        raise ValueError(f'needs a text, but YAML reads {scalar.shown} as {other}; quote it: "{shown}"')
    return scalar.text


def reads_as(plain: str) -> str | None:
    """What YAML 1.1 or 1.2 takes an unquoted text for, if not for a text."""
    if _NUMBER.match(plain) or _OCTAL.match(plain):
        return "a number"
    for tag, pattern in _RESOLVERS.get(plain[:1], []):
        if pattern.match(plain) and (words := _READS_AS.get(tag.rpartition(":")[2])):
            return words
    return None


def integer(scalar: Scalar) -> int:
    written = _unquoted(scalar, _INTEGER, "a whole number")
    return int(written.replace("_", ""))


def number(scalar: Scalar) -> float:
    if scalar.source is None and (percent := _PERCENT.match(scalar.text)):
        raise ValueError(f"needs a number: write {int(percent[1]) / 100:g} for {scalar.text}")
    value = float(_unquoted(scalar, _NUMBER, "a number").replace("_", ""))
    if not math.isfinite(value):
        raise ValueError(f"needs a number of ordinary size, not {scalar.shown}")
    return value


def boolean(scalar: Scalar) -> bool:
    if scalar.text in _TRUTH and (scalar.plain or scalar.source is not None):
        return _TRUTH[scalar.text]
    raise ValueError(_unset(scalar, "true or false") or f"needs true or false, not {scalar.shown}")


def custom(wanted: type[Any], scalar: Scalar) -> Any:
    if wanted is Secret:
        return _secret(scalar)
    return duration(scalar) if wanted is Duration else _size(scalar)


def _secret(scalar: Scalar) -> Secret:
    if scalar.plain and scalar.source is None and reads_as(scalar.text):
        raise ValueError("needs a text, but YAML reads this as something else; put it in quotes")
    if not scalar.unset and not _HEADER_SAFE.match(scalar.text):
        raise ValueError("a key holds no spaces, line breaks or characters outside ASCII; no header can carry it")
    return Secret(scalar.text)


def duration(scalar: Scalar) -> Duration:
    written = scalar.text.replace(" ", "")
    if _DURATION.match(written):
        parts = _DURATION_PART.findall(written)
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
        if seconds > _LONGEST:
            raise ValueError("is longer than ten years")
        return Duration(seconds)
    wanted = "a duration such as 500ms, 2s, 10m, 1h or 90d"
    if _NUMBER.match(written) and scalar.source is None:
        raise ValueError(f"needs {wanted}: write the unit, {scalar.shown}s")
    raise ValueError(_unset(scalar, wanted) or f"needs {wanted}, not {scalar.shown}")


def _size(scalar: Scalar) -> Size:
    written = scalar.text.replace(" ", "")
    if match := _SIZE.match(written):
        return Size(int(match[1]) * _BYTES[match[2]])
    wanted = "a size such as 64KiB, 20MiB, 1GiB or a number of bytes"
    raise ValueError(_unset(scalar, wanted) or f"needs {wanted}, not {scalar.shown}")


def _unquoted(scalar: Scalar, pattern: re.Pattern[str], wanted: str) -> str:
    if not pattern.match(scalar.text):
        raise ValueError(_unset(scalar, wanted) or f"needs {wanted}, not {scalar.shown or 'an empty text'}")
    if not scalar.plain and scalar.source is None:
        raise ValueError(f'needs {wanted}: remove the quotes around "{scalar.shown}"')
    return scalar.text


def _unset(scalar: Scalar, wanted: str) -> str | None:
    return f"needs {wanted}, but what {scalar.shown} refers to is not set" if scalar.unset else None
