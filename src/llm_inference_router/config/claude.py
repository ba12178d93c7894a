"""What a Claude model takes, by the version in its name.

The Messages API is one, but its models differ in what they refuse with a 400: budgets of thinking, sampling, forced
tools, the beginning of an answer. Sources: Anthropic's pages on thinking, effort and structured outputs, and the
migration guides of Claude 4.6, Sonnet 5 and Opus 5.5, as of November 2026, for `anthropic-version: 2023-06-01`. A name
that is no Claude's is another server with the same API, and gets what the client asked for.
"""

import re
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

Effort = Literal["low", "medium", "high", "xhigh", "max"]

_NAME: Final = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_OLD_NAME: Final = re.compile(r"claude-(\d)(?:[-.](\d))?-([a-z]+)")
_LINE: Final = re.compile(r"claude-(opus|sonnet|haiku|fable|mythos)(?![a-z])")
_UNVERSIONED: Final = (5, 0)  # such as claude-mythos-preview: as careful as with a new one
_THINKERS: Final = frozenset({"fable", "mythos"})


class Claude(Struct, frozen=True):
    """`version` None: a model that is no Claude."""

    line: str = ""
    version: tuple[int, int] | None = None

    def _since(self, major: int, minor: int) -> bool:
        return self.version is not None and self.version >= (major, minor)

    @property
    def thinking(self) -> Literal["none", "budget", "adaptive"]:
        """How it is told to think: not at all, by a budget of tokens, or by an effort."""
        if self._since(4, 6) or self.line in _THINKERS:
            return "adaptive"
        return "budget" if self.version is None or self._since(3, 7) else "none"

    @property
    def budgets(self) -> bool:
        """Takes a budget of thinking; of those that decide themselves only the first do still."""
        return self.thinking == "budget" or self.version == (4, 6)

    @property
    def unthinking(self) -> Literal["omitted", "disabled", "between_tools", "never"]:
        """How it is told not to think."""
        if self.line in _THINKERS:
            return "never"
        if self._since(5, 5):
            return "between_tools" if self.line == "sonnet" else "never"
        return "disabled" if self._since(5, 0) else "omitted"

    @property
    def hides_thoughts(self) -> bool:
        """Its thinking is left out of answers unless it is asked for."""
        return self._since(4, 7) or self.line in _THINKERS

    @property
    def efforts(self) -> tuple[Effort, ...]:
        if self._since(4, 7) or self.line in _THINKERS:
            return ("low", "medium", "high", "xhigh", "max")
        if self._since(4, 6):
            return ("low", "medium", "high", "max")
        return ("low", "medium", "high") if (self.line, self.version) == ("opus", (4, 5)) else ()

    @property
    def most_output(self) -> int | None:
        """Tokens that every model of this version can write, thinking included; None: not known. Source: Anthropic's
        overview of models."""
        if self.version is None:
            return None
        if not self._since(3, 5):
            return 4096
        if not self._since(3, 7):
            return 8192
        return 32_000 if self.line == "opus" and not self._since(4, 5) else 64_000

    @property
    def samples(self) -> bool:
        """Takes temperature, top_p and top_k."""
        return not (self._since(4, 7) or self.line in _THINKERS)

    @property
    def one_sampler(self) -> bool:
        """Refuses top_p beside temperature."""
        return self._since(4, 1)

    @property
    def schemas(self) -> bool:
        """Holds its text to a schema, and its calls to those of strict tools."""
        return self._since(4, 5)

    @property
    def forced(self) -> bool:
        """Can be made to call a tool."""
        return not (self._since(5, 5) or (self.line in _THINKERS and self._since(5, 1)))

    @property
    def instructed(self) -> bool:
        """Takes turns of the system among the others: Opus since 4.8; of Sonnet 5 sources differ."""
        if self.line == "sonnet":
            return self._since(5, 5)
        return self._since(4, 8)

    @property
    def prefilled(self) -> bool:
        """Goes on from the beginning of an answer."""
        return not (self._since(4, 6) or self.line in _THINKERS)


@lru_cache(maxsize=256)
def claude(name: str) -> Claude:
    """The model that an upstream's name means, with any provider's prefix and suffix."""
    name = name.lower()
    if found := _NAME.search(name):
        return Claude(found[1], (int(found[2]), int(found[3] or 0)))
    if found := _OLD_NAME.search(name):
        return Claude(found[3], (int(found[1]), int(found[2] or 0)))
    if found := _LINE.search(name):
        return Claude(found[1], _UNVERSIONED)
    return Claude()
