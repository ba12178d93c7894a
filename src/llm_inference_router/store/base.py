"""What a store promises: when `append` returns, the record survives kill -9."""

from collections.abc import Iterator
from typing import Any, Protocol

from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.turns import Thread
from llm_inference_router.types import Record


class StoreFault(Exception):
    """A store cannot be opened or read, or a record could be written neither to the database nor to the journal beside
    it."""


class Store(Protocol):
    async def append(self, record: Record, ending: Ending | None = None) -> None:
        """Returns once the record, and as one with it what became of an idempotency key, is durable; within
        5 ms, or a second where its journal cannot be written.

        Raises StoreFault when it can be written nowhere: the answer goes out all the same, and the caller
        counts the record as dropped.
        """
        ...

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """The record of one decision as plain JSON values, or None."""
        ...

    def thread(self, key: str, name: str, most_bytes: int) -> Thread:
        """The answers of this key up to the one that the client calls `name`."""
        ...

    def answered(self, key: str, decision_id: str) -> bool:
        """Whether there is a record of this decision, asked for by this key."""
        ...

    def records(self, since_ms: int = 0) -> Iterator[dict[str, Any]]: ...

    @property
    def degraded(self) -> str | None:
        """Why records wait to be committed, or None."""
        ...

    async def close(self) -> None: ...
