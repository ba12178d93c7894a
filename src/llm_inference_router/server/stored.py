"""Stored answers, read and forgotten by the id that the client knows: GET and DELETE of /v1/responses/{id}."""

import asyncio
from functools import partial
from typing import Any, Final

import orjson

from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.errors import StoreUnavailable
from llm_inference_router.server.earlier import absent, named_items
from llm_inference_router.store import turns
from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import Turn

_FIELD: Final = "response_id"
_UNREADABLE: Final = "stored answers cannot be reached now; the request can be sent again"


async def find(runtime: Runtime, key: str, name: str) -> Turn:
    """Raises, as a request that goes on from it would, NotFound for what this key does not know, InvalidRequest for
    what was not kept, and StoreUnavailable.
    """
    try:
        turn = await asyncio.to_thread(_read, runtime, key, name)
    except StoreFault as fault:
        raise StoreUnavailable(_UNREADABLE) from fault
    if turn is None:
        raise await asyncio.to_thread(absent, runtime, key, name, _FIELD)
    return turn


async def forget(store: SqliteStore, runtime: Runtime, key: str, name: str) -> None:
    """What was said is gone when this returns; the record of the decision and its cost stays. Raises as `find`."""
    await find(runtime, key, name)
    try:
        await store.perform(partial(turns.forget, key=key, name=name), erases=True)
    except StoreFault as fault:
        raise StoreUnavailable(_UNREADABLE) from fault


async def input_of(runtime: Runtime, key: str, turn: Turn) -> list[Any]:
    """What the request of a kept answer said, with the items that it named as far as they are kept. Raises
    StoreUnavailable.
    """
    try:
        return await asyncio.to_thread(named_items, runtime.store, key, orjson.loads(turn.input))
    except StoreFault as fault:
        raise StoreUnavailable(_UNREADABLE) from fault


def _read(runtime: Runtime, key: str, name: str) -> Turn | None:
    held = runtime.store.thread(key, name, 0).turns
    # An answer of a time when the object was not kept has no more than its items.
    return held[-1] if held and held[-1].id == name and held[-1].answer else None
