"""What the writer's thread is given to do: a batch of records, a wish to forget, or a piece of work."""

import sqlite3
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable, Iterable

from llm_inference_router.store.base import StoreFault
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.schema import floor_id
from llm_inference_router.types import Record


class Batch:
    """Records that are committed together. The event loop fills it; then the writer sets `error` or
    `refused`, and last `finished`.

    What a record says of an idempotency key is in `endings`, by position; a key that ends without a record has None in
    its place.
    """

    __slots__ = (
        "bare",
        "endings",
        "error",
        "finished",
        "futures",
        "loop",
        "records",
        "refused",
        "settled",
        "span",
        "timer",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.records: list[Record | None] = []
        self.endings: dict[int, Ending] = {}
        self.bare = 0  # ends without a record
        self.futures: list[Future[None]] = []
        self.timer: TimerHandle | None = None
        self.error: str | None = None  # nothing of it may count as committed
        self.refused: dict[int, str] = {}  # why no database would take some records, by position
        self.finished = False
        self.settled = False  # its futures are done: by the commit, or earlier by the spill
        self.span: tuple[int, int] | None = None  # where in the spill file it is as well

    def add(self, record: Record | None, ending: Ending | None) -> "Future[None]":
        future = self.loop.create_future()
        if ending is not None:
            self.endings[len(self.records)] = ending
            self.bare += record is None
        self.records.append(record)
        self.futures.append(future)
        return future

    def entries(self) -> Iterable[tuple[Record | None, Ending | None]]:
        return ((record, self.endings.get(at)) for at, record in enumerate(self.records))


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
    what was spilled before it."""

    __slots__ = ("done", "run")

    def __init__(self, run: Callable[[sqlite3.Connection], object], done: Callable[[object], object]) -> None:
        """`done` gets what `run` returned, or the StoreFault that kept it from being done; in the writer's thread."""
        self.run = run
        self.done = done
