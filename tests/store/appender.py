"""Appends for ever to the store of argv[1], eight at a time, and prints each id once it is acknowledged."""

import asyncio
import os
import sys

from llm_inference_router.store.sqlite import SqliteStore
from tests.store.build import record


async def main() -> None:
    store = SqliteStore.open(sys.argv[1])

    async def work() -> None:
        while True:
            one = record(attempts=2)
            await store.append(one)
            os.write(1, f"{one.decision.id}\n".encode())

    await asyncio.gather(*(work() for _ in range(8)))


asyncio.run(main())
