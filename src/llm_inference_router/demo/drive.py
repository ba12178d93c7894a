"""Sends the prompts through the HTTP API with the official openai client, and measures what it sees."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from openai import AsyncOpenAI, OpenAIError

from llm_inference_router.demo.prompts import Prompt, body

CONCURRENT = 48
_TIMEOUT_S = 120.0


class Answered(Struct, frozen=True):
    """One request as its client saw it. Times in milliseconds; `ttft_ms` only for streams. `error` None: it
    worked.
    """

    prompt: Prompt
    stream: bool
    total_ms: float
    ttft_ms: float | None = None
    decision_id: str = ""
    model: str = ""
    good: bool | None = None
    simulated: bool = False
    error: str | None = None


def drive(url: str, prompts: Sequence[Prompt], told: Callable[[Answered], None]) -> list[Answered]:
    """Every prompt once, every second one as a stream, `CONCURRENT` at a time. `told` hears of each when it
    is done.
    """
    return asyncio.run(_drive(url, prompts, told))


async def _drive(url: str, prompts: Sequence[Prompt], told: Callable[[Answered], None]) -> list[Answered]:
    room = asyncio.Semaphore(CONCURRENT)
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="demo", max_retries=0, timeout=_TIMEOUT_S) as client:

        async def one(prompt: Prompt, *, stream: bool) -> Answered:
            async with room:
                answered = await _ask(client, prompt, stream=stream)
            told(answered)
            return answered

        asked = (one(prompt, stream=number % 2 == 1) for number, prompt in enumerate(prompts))
        return list(await asyncio.gather(*asked))


async def _ask(client: AsyncOpenAI, prompt: Prompt, *, stream: bool) -> Answered:
    started = time.perf_counter()
    try:
        seen = await (_streamed if stream else _whole)(client, body(prompt), started)
    except OpenAIError as error:
        total_ms = (time.perf_counter() - started) * 1000.0
        return Answered(prompt=prompt, stream=stream, total_ms=total_ms, error=f"{type(error).__name__}: {error}")
    total_ms = (time.perf_counter() - started) * 1000.0
    return Answered(prompt=prompt, stream=stream, total_ms=total_ms, **seen)


async def _whole(client: AsyncOpenAI, request: dict[str, Any], started: float) -> dict[str, Any]:
    raw = await client.chat.completions.with_raw_response.create(model="auto", **request)
    answer = raw.parse()
    message = answer.choices[0].message
    said = bool(message.content or message.tool_calls)
    return _seen(raw.headers, answer.model_extra, None, said and answer.choices[0].finish_reason is not None)


async def _streamed(client: AsyncOpenAI, request: dict[str, Any], started: float) -> dict[str, Any]:
    raw = await client.chat.completions.with_raw_response.create(model="auto", stream=True, **request)
    first: float | None = None
    finished = False
    extra: dict[str, Any] | None = None
    async for chunk in raw.parse():
        for choice in chunk.choices:
            if first is None and (choice.delta.content or choice.delta.tool_calls):
                first = (time.perf_counter() - started) * 1000.0
            finished = finished or choice.finish_reason is not None
        if chunk.model_extra and "simulated" in chunk.model_extra:
            extra = chunk.model_extra
    return _seen(raw.headers, extra, first, finished and first is not None)


def _seen(headers: Any, extra: dict[str, Any] | None, ttft_ms: float | None, complete: bool) -> dict[str, Any]:
    marks = (extra or {}).get("simulated") or {}
    return {
        "ttft_ms": ttft_ms,
        "decision_id": headers.get("x-router-decision-id", ""),
        "model": headers.get("x-router-model", ""),
        "good": marks.get("good"),
        "simulated": headers.get("x-router-simulated") == "true" and "good" in marks,
        "error": None if complete else "the answer has no content or no end",
    }
