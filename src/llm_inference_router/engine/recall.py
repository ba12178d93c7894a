"""What a router knew before it was restarted: it learns again from the newest records of its store."""

import asyncio
from pathlib import Path

from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.learning.length import WINDOW
from llm_inference_router.store.answers import answers
from llm_inference_router.store.base import StoreFault


async def recall(runtime: Runtime, path: Path) -> None:
    """Takes some 50 ms at most, however large the database is. One that cannot be read is told of, and no obstacle: the
    router begins with the shared guess."""
    try:
        found = await asyncio.to_thread(answers, path, WINDOW)
    except StoreFault as error:
        runtime.observer.crashed(error)
        return
    runtime.live.recall(found)
