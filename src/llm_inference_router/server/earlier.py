"""What a request goes on from: earlier answers of the same key, and items of them, looked up in the store.

Answers are kept where content is (`store.content`, `routes.NAME.content`), and as long (`store.retain`).
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import orjson

from llm_inference_router.dialects.responses_request import refers, resumed
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.errors import InvalidRequest, NotFound, StoreUnavailable, TooLarge
from llm_inference_router.store.base import Store, StoreFault
from llm_inference_router.store.turns import Thread
from llm_inference_router.types import ChatRequest

_PREVIOUS = "previous_response_id"
_OURS = re.compile(r"[a-z]{2,4}_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})(?:_\d+)?\Z")


async def joined(request: ChatRequest, key: str, runtime: Runtime) -> ChatRequest:
    """The request with the words of what it refers to.

    Raises NotFound for what this key does not know, InvalidRequest where answers are not kept, TooLarge for a
    conversation beyond `server.max_body`, and StoreUnavailable. Files are read in another thread.
    """
    previous = request.source.get(_PREVIOUS) or ""
    references = request.earlier[1:] if previous else request.earlier
    most = runtime.config.server.max_body
    try:
        found = await asyncio.to_thread(_look_up, runtime.store, key, previous, references, most)
    except StoreFault as fault:
        raise StoreUnavailable("earlier answers cannot be read now; the request can be sent again") from fault
    history, items, absent = found
    if absent is not None:
        raise _absent(absent, runtime.keeps_content(request.model))
    return resumed(request, history, items)


def absent(runtime: Runtime, key: str, name: str, field: str) -> InvalidRequest | NotFound:
    """Why there is no such answer. Reads the store: not for the event loop."""
    return _absent(_Absent(name, field, _known(runtime.store, key, name)), runtime.keeps_any_content())


class _Absent:
    """An answer that is not there. `known`: it was given, and not kept."""

    def __init__(self, name: str, field: str, known: bool) -> None:
        self.name = name
        self.field = field
        self.known = known


def _look_up(
    store: Store, key: str, previous: str, references: Sequence[str], most: int
) -> tuple[list[Any], dict[str, Any], _Absent | None]:
    """The items before the request, those that it names, and what of it is not there."""
    history: list[Any] = []
    if previous:
        before = store.thread(key, previous, most)
        if before.missing:
            return history, {}, _Absent(before.missing, _PREVIOUS, _known(store, key, before.missing))
        _bounded(before, most)
        for turn in before.turns:
            history += [*orjson.loads(turn.input), *orjson.loads(turn.output)]
    items = {item["id"]: item for item in history if not refers(item) and isinstance(item.get("id"), str)}
    recalled = [str(item.get("id")) for item in history if refers(item)]
    for field, name in (*((_PREVIOUS, name) for name in recalled), *(("input", name) for name in references)):
        lost = _name(store, key, name, field, items)
        if lost is not None:
            return history, items, lost
    return [items.get(str(item.get("id")), item) if refers(item) else item for item in history], items, None


def named_items(store: Store, key: str, said: Sequence[Any]) -> list[Any]:
    """Items of a request with those that it only named. What is not kept, or not ours, stays a reference. Reads the
    store: not for the event loop.
    """
    items: dict[str, Any] = {}
    for item in said:
        if refers(item):
            _name(store, key, str(item.get("id")), "input", items)
    return [items.get(str(item.get("id")), item) if refers(item) else item for item in said]


def _name(store: Store, key: str, name: str, field: str, items: dict[str, Any]) -> "_Absent | None":
    """Adds the item of this id, and others of its answer, to `items`."""
    answer = _answer_of(name)
    if name in items or answer is None:
        return None  # what is not ours stays a reference, for the provider whose it is
    # Only this turn is wanted, so no more than its own bytes count: what it goes on from is left out.
    held = store.thread(key, answer, 0)
    if not held.turns or held.turns[-1].id != answer:
        return _Absent(name, field, _known(store, key, answer))
    items |= {item["id"]: item for item in orjson.loads(held.turns[-1].output)}
    return None if name in items else _Absent(name, field, known=False)


def _bounded(before: Thread, most: int) -> None:
    if before.bytes > most:
        raise TooLarge(
            f"the conversation before this request is larger than {most} bytes (server.max_body)", param=_PREVIOUS
        )


def _answer_of(name: str) -> str | None:
    """The answer that an item of ours belongs to, by the item's id."""
    found = _OURS.match(name)
    return None if found is None else "resp_" + "".join(found.groups())


def _known(store: Store, key: str, name: str) -> bool:
    found = _OURS.match(name)
    return found is not None and store.answered(key, "-".join(found.groups()))


def _absent(absent: _Absent, kept: bool) -> InvalidRequest | NotFound:
    if absent.known or not kept:
        return InvalidRequest(
            f"{absent.name!r} was not kept: the router keeps answers only where `store.content` or the route's "
            "`content` is true, and not those that were deleted or asked for with `store: false`. "
            "Send the conversation itself in `input`.",
            param=absent.field,
            code="previous_response_not_stored",
        )
    return NotFound(
        f"There is no answer {absent.name!r} of this key, or it is no longer kept (store.retain).",
        param=absent.field,
        code="previous_response_not_found",
    )
