"""Two hundred real prompts through the router to a real vLLM: every answer has the right shape, nothing is lost.

The prompts come from a data folder of the user's: files *.jsonl with a `prompt` a line, named by LLM_ROUTER_DATA.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.real.report import report
from tests.real.vllm import TIERS, config, user
from tests.serving.router import Router, serving

pytestmark = [pytest.mark.real, pytest.mark.parametrize("backend", ["vllm"], indirect=True)]

PROMPTS = 200
AT_ONCE = 32
MAX_TOKENS = 32


@dataclass
class Got:
    """What the client saw of one request; `status` 200 or the error's."""

    status: int
    model: str
    code: str = ""
    finish: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """The same sample every time, the same number from every file, whatever their length."""
    folder = os.environ.get("LLM_ROUTER_DATA")
    if not folder:
        pytest.skip("LLM_ROUTER_DATA names no data folder (*.jsonl with a `prompt` a line): no real prompts were sent")
    files = {path.name: _prompts(path) for path in sorted(Path(folder).glob("*.jsonl"))}
    files = {name: found for name, found in files.items() if found}
    assert files, "LLM_ROUTER_DATA holds no *.jsonl with a `prompt` a line"
    random = Random(7)
    chosen = [
        one for found in files.values() for one in random.sample(found, min(len(found), -(-PROMPTS // len(files))))
    ]
    random.shuffle(chosen)
    assert len(chosen) >= PROMPTS
    return chosen[:PROMPTS]


def _prompts(path: Path) -> list[str]:
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines() if line]
    return [row["prompt"] for row in rows if isinstance(row.get("prompt"), str) and row["prompt"]]


@pytest.fixture
def router(vllm_url: str, tmp_path: Path) -> Iterator[Router]:
    with serving(tmp_path, config(vllm_url)) as running:
        yield running


async def _whole(client: AsyncOpenAI, asked: dict[str, Any]) -> Got:
    response = await client.chat.completions.with_raw_response.create(**asked)
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    [choice] = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content is not None
    assert answer.usage is not None
    assert answer.model == response.headers["x-router-model"]
    return Got(200, answer.model, "", choice.finish_reason, answer.usage.prompt_tokens, answer.usage.completion_tokens)


async def _streamed(client: AsyncOpenAI, asked: dict[str, Any]) -> Got:
    options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    async with client.chat.completions.with_streaming_response.create(**asked, **options) as response:
        lines = [line.removeprefix("data: ") async for line in response.iter_lines() if line]
        model = response.headers["x-router-model"]
    assert lines.pop() == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]
    assert {chunk.model for chunk in chunks} == {model}
    [finish] = [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason]
    usage = chunks[-1].usage
    assert usage is not None
    return Got(200, model, "", finish, usage.prompt_tokens, usage.completion_tokens)


async def _ask(client: AsyncOpenAI, free: asyncio.Semaphore, number: int, prompt: str) -> Got:
    asked = {"model": "auto", "messages": user(prompt), "max_tokens": MAX_TOKENS, "temperature": 0}
    async with free:
        try:
            return await (_streamed if number % 2 else _whole)(client, asked)
        except openai.APIStatusError as error:
            return _refused(error)


def _refused(error: openai.APIStatusError) -> Got:
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    return Got(error.status_code, error.response.headers.get("x-router-model", ""), str(error.code))


async def _ask_all(router: Router, prompts: list[str]) -> list[Got]:
    free = asyncio.Semaphore(AT_ONCE)
    async with AsyncOpenAI(base_url=router.url + "/v1", api_key="unused", timeout=300, max_retries=0) as client:
        return await asyncio.gather(*(_ask(client, free, number, prompt) for number, prompt in enumerate(prompts)))


def test_real_prompts_are_answered_and_every_token_is_accounted_for(
    router: Router, prompts: list[str], figures: list[str]
) -> None:
    began = time.monotonic()
    got = asyncio.run(_ask_all(router, prompts))
    seconds = time.monotonic() - began
    answered = [one for one in got if one.status == 200]
    errors = Counter(f"{one.status} {one.code}" for one in got if one.status != 200)
    by_model = Counter(one.model for one in answered)
    figures += [
        f"{len(got)} real prompts, {AT_ONCE} at once, half of them streamed: {seconds:.1f} s",
        f"answered {len(answered)}: {dict(by_model)}, ended by {dict(Counter(one.finish for one in answered))}",
        f"refused {len(got) - len(answered)}: {dict(errors)} (a window of 1,024 tokens)",
    ]
    assert set(errors) <= {"400 context_length_exceeded", "400 unsupported_by_models"}
    assert len(answered) > PROMPTS / 2
    assert {one.model for one in answered} <= {f"tiny-{tier}" for tier in TIERS}
    told = report(router)
    sums = [sum(one.input_tokens for one in answered), sum(one.output_tokens for one in answered)]
    figures.append(f"tokens the client saw: {sums[0]} in, {sums[1]} out; the report says the same")
    assert [told["all"]["input_tokens"], told["all"]["output_tokens"]] == sums
    assert told["all"]["estimated"] == 0
    assert told["all"]["with_usage"] == len(answered)
    assert {group["name"]: group["requests"] - group["errors"] for group in told["models"]} == by_model
