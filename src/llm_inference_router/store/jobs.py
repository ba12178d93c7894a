"""What the writer's thread is given to do: a batch of records, a wish to forget, or a piece of work."""

import sqlite3
from asyncio import Future
from collections.abc import Callable

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.schema import floor_id
from llm_inference_router.types import Record


class Batch:
    """Records that go into the database together. The event loop fills it, then it is the writer's.

    What a record says of an idempotency key is in `endings`, by position; a key that ends without a record has None in
    its place. `json` has the decisions as JSON. `start` and `end` are the places of its lines in the journal, which are
    of no other batch; a batch that has none is lost unless the database takes it. `done` is called in the writer's
    thread, with what kept the batch from being committed.
    """

    __slots__ = ("done", "end", "endings", "json", "records", "start", "waiters")

    def __init__(self, start: int | None, done: Callable[["Batch", StoreFault | None], None]) -> None:
        self.start = self.end = start
        self.done = done
        self.records: list[Record | None] = []
        self.json: list[bytes] = []
        self.endings: dict[int, Ending] = {}
        self.waiters: list[Future[StoreFault | None]] = []

    def add(self, record: Record | None, json: bytes, ending: Ending | None, end: int | None) -> None:
        if ending is not None:
            self.endings[len(self.records)] = ending
        self.records.append(record)
        self.json.append(json)
        self.end = end

    @property
    def count(self) -> int:
        """How many records there are, without ends alone."""
        return len(self.records) - self.records.count(None)

    @property
    def bytes(self) -> int:
        """Of its lines, or about as many."""
        return sum(map(len, self.json)) if self.start is None or self.end is None else self.end - self.start


class Prune:
    """One wish to forget: everything whose request came before `before_ms`. `done` gets the number of
    records."""

    __slots__ = ("before", "count", "done")

    def __init__(self, before_ms: int, done: Callable[[int | StoreFault], None]) -> None:
        self.before = floor_id(before_ms)
        self.count = 0
        self.done = done


class Work:
    """Something short to do with the connection, between batches, in the order in which it was submitted, and after
    what came before it. `erases`: what it deletes is not to be left in the journal either."""

    __slots__ = ("done", "erases", "run")

    def __init__(
        self, run: Callable[[sqlite3.Connection], object], done: Callable[[object], object], *, erases: bool = False
    ) -> None:
        """`done` gets what `run` returned, or the StoreFault that kept it from being done; in the writer's thread."""
        self.run = run
        self.done = done
        self.erases = erases
