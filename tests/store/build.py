"""Records to store: complete ones, small variations by keyword."""

import asyncio
import itertools
import os
from collections.abc import Callable
from typing import Any

from msgspec import structs

from llm_inference_router.effects import new_id
from llm_inference_router.store import lines
from llm_inference_router.store.idempotency import Ending
from llm_inference_router.store.sqlite import SqliteStore
from llm_inference_router.types import (
    Attempt,
    Candidate,
    Complexity,
    Content,
    Decision,
    Outcome,
    Parts,
    PolicyUsed,
    Quality,
    Quantiles,
    Record,
    Rejection,
    Signals,
    Task,
    Usage,
)

NOON = 1_790_000_000_000
_numbers = itertools.count()


def record(at: int = NOON, *, content: bool = False, attempts: int = 1, **outcome: Any) -> Record:
    """A record of a request that came at `at`; further keywords replace fields of its outcome."""
    number = next(_numbers)
    decision_id = new_id(at)
    usage = Usage(120 + number % 7, 40, cached_tokens=3, source="estimated" if number % 3 == 0 else "reported")
    decision = Decision(
        id=decision_id,
        request_id=f"req-{number}",
        at=at,
        route=str(outcome.get("route", "auto")),
        reason="policy:cheapest_above_bar",
        rule=None,
        policy=PolicyUsed("cheapest_above_bar", bar=0.9),
        chosen="little",
        chain=("little", "big"),
        signals=Signals(
            prompt_tokens=120,
            output_tokens=Quantiles(50, 200),
            complexity=Complexity(0.25, "light", Parts(0.1, 0.2, 0.3, 0.4, 0.5)),
            task=Task("chat", {"chat": 0.75, "code": 0.25}),
            format="free",
            language="en",
            modalities=("text",),
            needs=frozenset({"tools"}),
        ),
        candidates=(Candidate("little", Quality(0.8, 0.1), 1234, 120.5, 900.25, 0.7),),
        rejections=(Rejection("tiny", "context", "8192 tokens"),),
        baseline="big",
        tags={"team": "blue"},
        elapsed_us=150,
    )
    tries = tuple(
        Attempt(
            decision_id=decision_id,
            number=position + 1,
            model="little",
            endpoint="little/0",
            at=at + position,
            outcome="ok" if position + 1 == attempts else "reset",
            status=200,
            ttft_ms=12.5 if position + 1 == attempts else None,
            total_ms=80.0,
            usage=usage if position + 1 == attempts else None,
            cost=5_000_000,
            detail="" if position + 1 == attempts else "cut\x00here",
        )
        for position in range(attempts)
    )
    ended = Outcome(
        decision_id=decision_id,
        at=at + 900,
        route="auto",
        model="little",
        status=200,
        error=None,
        finish_reason="stop",
        stream=number % 2 == 0,
        attempts=attempts,
        usage=usage,
        cost=5_000_000,
        baseline_cost=50_000_000,
        ttft_ms=12.5,
        total_ms=900.0,
        overhead_ms=0.75,
        simulated=False,
        tier="small",
    )
    said = Content("user: hé\x00llo", "hi 👋") if content else None
    return Record(decision, tries, structs.replace(ended, **outcome), said)


def line_of(one: Record | None, ending: Ending | None = None) -> bytes:
    return lines.line_of(one, ending, lines.decision_in(one))


async def taken_in(store: SqliteStore) -> None:
    """All that was appended is in the database."""
    while store.backlog_bytes or store.degraded:  # noqa: ASYNC110 - the store has no event for it
        await asyncio.sleep(0.01)


def half(share: float) -> Callable[[int, bytes, int], int]:
    """Writes as a disk does that has room for so much of it alone."""
    whole = os.pwrite

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        return whole(descriptor, data[: int(share * len(data))], offset)

    return pwrite
