"""Rules: the first whose conditions all hold narrows the choice.

A rule is compiled once into a tuple of tests, the cheap ones first and those that read text last; text is
folded at most once per request, and only when some rule gets that far.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import re2
from msgspec import Struct

from llm_inference_router.config import hours
from llm_inference_router.config.schema import Rule, When
from llm_inference_router.routing import keywords
from llm_inference_router.routing.ask import Ask
from llm_inference_router.routing.filter import Narrowing, narrow
from llm_inference_router.types import Model


class Texts:
    """The texts that rules read: the last human ask, or every turn of the conversation. Encoded and folded on
    demand.
    """

    __slots__ = ("_ask", "_folded", "_plain")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._plain: dict[bool, tuple[bytes, ...]] = {}
        self._folded: dict[bool, tuple[bytes, ...]] = {}

    def _texts(self, conversation: bool) -> tuple[str, ...]:
        return tuple([turn.text for turn in self._ask.messages]) if conversation else (self._ask.ask,)

    def plain(self, conversation: bool) -> tuple[bytes, ...]:
        if conversation not in self._plain:
            texts = self._texts(conversation)
            self._plain[conversation] = tuple([text.encode("utf-8", "replace") for text in texts])
        return self._plain[conversation]

    def folded(self, conversation: bool) -> tuple[bytes, ...]:
        if conversation not in self._folded:
            self._folded[conversation] = tuple([keywords.fold(text) for text in self._texts(conversation)])
        return self._folded[conversation]


Condition: TypeAlias = Callable[[Ask, Texts], bool]


class CompiledRule(Struct, frozen=True):
    """`routes` None: on every route. The rule holds when all conditions do; without any it always does."""

    name: str
    routes: frozenset[str] | None
    conditions: tuple[Condition, ...]
    narrowing: Narrowing


def compile_rule(rule: Rule, models: Iterable[Model]) -> CompiledRule:
    """Raises ValueError for hours or a pattern that cannot be read, in words for the config's author."""
    when = rule.when
    routes = None if when.routes is None else frozenset(when.routes)
    narrowing = narrow(f"rule {rule.name}", "rule", rule.use, models)
    return CompiledRule(rule.name, routes, (*_facts(when), *_readings(when)), narrowing)


def first_match(rules: Sequence[CompiledRule], ask: Ask) -> CompiledRule | None:
    """The first rule whose conditions all hold. The rules are those of the route asked for."""
    texts = Texts(ask)
    for rule in rules:
        for condition in rule.conditions:
            if not condition(ask, texts):
                break
        else:
            return rule
    return None


def _facts(when: When) -> Iterator[Condition]:
    """Conditions that look at a number, a word or the clock."""
    least, most = when.min_prompt_tokens, when.max_prompt_tokens
    if least is not None:
        yield lambda ask, _: ask.signals.prompt_tokens >= least
    if most is not None:
        yield lambda ask, _: ask.signals.prompt_tokens <= most
    easiest, hardest = when.min_complexity, when.max_complexity
    if easiest is not None:
        yield lambda ask, _: ask.signals.complexity.value >= easiest
    if hardest is not None:
        yield lambda ask, _: ask.signals.complexity.value <= hardest
    if when.task is not None:
        tasks = frozenset(when.task)
        yield lambda ask, _: ask.signals.task.label in tasks
    if when.language is not None:
        languages = frozenset(map(_primary, when.language))
        yield lambda ask, _: ask.signals.language in languages
    if when.users is not None:
        users = frozenset(when.users)
        yield lambda ask, _: ask.caller.user in users
    if when.keys is not None:
        keys = frozenset(when.keys)
        yield lambda ask, _: ask.caller.key in keys
    if when.tags is not None:
        tags = tuple(when.tags.items())
        yield lambda ask, _: all(ask.caller.tags.get(name) == value for name, value in tags)
    if when.hours is not None:
        window = hours.parse(when.hours)
        yield lambda ask, _: window.holds(ask.at)


def _readings(when: When) -> Iterator[Condition]:
    """Conditions that read text."""
    conversation = when.in_ == "conversation"
    if when.keywords is not None:
        found = keywords.compile_keywords(when.keywords)
        yield lambda _, texts: any(map(found, texts.folded(conversation)))
    if when.pattern is not None:
        search = _pattern(when.pattern)
        yield lambda _, texts: any(search(text) is not None for text in texts.plain(conversation))


def _primary(language: str) -> str:
    """The language of a tag as signals know it: `pt` for `pt-BR`."""
    return language.lower().replace("_", "-").partition("-")[0]


def _pattern(pattern: str) -> Callable[[bytes], object]:
    options = re2.Options()
    options.log_errors = False
    try:
        search: Callable[[bytes], object] = re2.compile(pattern, options).search
    except re2.error as error:
        raise ValueError(f'pattern "{pattern}" cannot be read: {_words(error)}') from error
    return search


def _words(error: Exception) -> str:
    what = error.args[0] if error.args else error
    return what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
