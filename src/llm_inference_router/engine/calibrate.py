"""Runs prompts on every model of a route and has the answers judged, by the backends and transports that serve.

The cap holds because money is set aside before a call leaves: as many input tokens as the text has bytes (no
byte-level tokenizer makes more), and all the output that the call allows. What a call did not use comes back. When the
next call would not fit and none is on its way, the run stops.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from llm_inference_router.dialects import chat
from llm_inference_router.effects import Clock
from llm_inference_router.engine.dispatch import Dispatch
from llm_inference_router.engine.judge import Wishes, judge
from llm_inference_router.engine.runtime import Runtime
from llm_inference_router.engine.trace import Trace
from llm_inference_router.engine.worklog import Done, Plan, WorkLog
from llm_inference_router.errors import Busy, RouterError, UpstreamUnavailable
from llm_inference_router.evaluation.judging import Seen, Step, Winner, judged_body, read_verdict, settled
from llm_inference_router.types import Caller, Fault, Model

_TURN_TOKENS = 16  # what a chat template adds to a turn, generously
_ROUNDS = 4  # of asking again after a pause, beyond the tries that serving makes
_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 60.0
_FAILURES = 5  # in a row, each with all its tries: a model that is not there is not asked five hundred times
_PASSING = frozenset({"rate_limited", "connect", "reset", "timeout.connect", "timeout.first_token"})


class Prompt(Struct, frozen=True):
    """`id` is made of the messages, so that the same prompt is the same wherever it comes from."""

    id: str
    messages: tuple[Mapping[str, Any], ...]


class Said(Struct, frozen=True):
    """What a call gave. `text` None: no answer, and `detail` says why, in words of ours. `cost` in picodollars."""

    text: str | None
    cost: int = 0
    detail: str = ""


class Summary(Struct, frozen=True):
    """`capped`: it stopped because the next call might have passed the cap; `stopped`: it was asked to. `given_up`:
    models that failed too often in a row; without the strongest or the judge the run ends."""

    spent: int
    prompts: int
    capped: bool
    stopped: bool
    given_up: tuple[str, ...] = ()


class Purse:
    """The dollar cap, in picodollars. `take` waits while calls under way may still give money back."""

    def __init__(self, limit: int, spent: int) -> None:
        self._limit = limit
        self.spent = spent
        self._aside = 0
        self._changed = asyncio.Condition()

    async def take(self, most: int) -> bool:
        """Sets `most` aside; False when it does not fit and nothing will come back."""
        async with self._changed:
            while self.spent + self._aside + most > self._limit:
                if self._aside == 0:
                    return False
                await self._changed.wait()
            self._aside += most
            return True

    async def settle(self, most: int, used: int) -> None:
        async with self._changed:
            self._aside -= most
            self.spent += used
            self._changed.notify_all()


class Calibration:
    """One run. `told` is called after each finished prompt; `concurrency` prompts are under way at a time."""

    def __init__(
        self, runtime: Runtime, plan: Plan, log: WorkLog, cap: int, told: Callable[[], None], concurrency: int
    ) -> None:
        self._runtime = runtime
        self._plan = plan
        self._log = log
        self._purse = Purse(cap, log.spent)
        self._told = told
        self._room = asyncio.Semaphore(concurrency)
        self._capped = False
        self._stopped = False
        self._finished = 0
        self._failures: Counter[str] = Counter()

    async def run(self, prompts: Sequence[Prompt]) -> Summary:
        """Raises OSError when the work file cannot be written. Whatever ends it, the next run goes on from there."""
        try:
            async with asyncio.TaskGroup() as group:
                for prompt in prompts:
                    await self._room.acquire()
                    if self._over:
                        break
                    group.create_task(self._one(prompt))
        except BaseExceptionGroup as errors:  # a task group hands on nothing else
            raise _innermost(errors) from errors
        given_up = tuple(name for name, count in self._failures.items() if count >= _FAILURES)
        return Summary(self._log.spent, self._finished, self._capped, self._stopped, given_up)

    def stop(self) -> None:
        """No further calls; those under way are paid for, so they are waited for and kept."""
        self._stopped = True

    @property
    def _over(self) -> bool:
        needed = (self._plan.strongest, self._plan.judge)
        return self._capped or self._stopped or any(self._failures[name] >= _FAILURES for name in needed)

    async def _one(self, prompt: Prompt) -> None:
        try:
            models = self._plan.models
            await self._together(
                [self._step(prompt, model, "answer", model, self._question(prompt)) for model in models]
            )
            rivals = [model for model in models if model != self._plan.strongest]
            await self._together([self._compared(prompt, model) for model in rivals])
            if not self._over:
                self._finished += 1
                self._told()
        finally:
            self._room.release()

    async def _together(self, steps: Sequence[Any]) -> None:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)

    async def _compared(self, prompt: Prompt, model: str) -> None:
        seen = self.seen(prompt.id, model)
        if settled(seen):
            return
        answer, reference = str(seen.answer), str(seen.reference)
        judge_model = self._runtime.catalog.models[self._plan.judge]
        held = "json_schema" in judge_model.capabilities
        places: tuple[tuple[Step, str, str], ...] = (("first", answer, reference), ("second", reference, answer))
        await self._together(
            [
                self._step(prompt, model, step, self._plan.judge, judged_body(prompt.messages, one, two, schema=held))
                for step, one, two in places
            ]
        )

    async def _step(self, prompt: Prompt, model: str, step: Step, asked: str, body: dict[str, Any]) -> None:
        """One paid call, unless it was made before. One that failed is tried again in the next run."""
        if self._over or self._failures[asked] >= _FAILURES or self._log.text(prompt.id, model, step) is not None:
            return
        upstream = self._runtime.catalog.models[asked]
        most = most_cost(upstream, body)
        if not await self._purse.take(most):
            self._capped = True
            return
        used = 0
        try:
            said = await self._asked(asked, body)
            used = said.cost
            self._failures[asked] = 0 if said.text is not None else self._failures[asked] + 1
            self._log.add(Done(prompt.id, model, step, said.text, said.cost, self._runtime.clock.now_ms(), said.detail))
        finally:
            await self._purse.settle(most, used)

    async def _asked(self, model: str, body: dict[str, Any]) -> Said:
        cost = 0
        for number in range(1, _ROUNDS + 1):
            said, wait = await ask(self._runtime, model, body)
            cost += said.cost
            if wait is None or number == _ROUNDS or cost:  # what cost money without an answer is not bought again
                break
            await asyncio.sleep(min(max(wait, _PAUSE_S * number), _LONGEST_PAUSE_S))
        return Said(said.text, cost, said.detail)

    def _question(self, prompt: Prompt) -> dict[str, Any]:
        return {"messages": list(prompt.messages), "max_tokens": self._plan.max_output}

    def seen(self, prompt: str, model: str) -> Seen:
        return seen_in(self._log, self._plan, prompt, model)


def seen_in(log: WorkLog, plan: Plan, prompt: str, model: str) -> Seen:
    """What a work file says of one prompt and model."""
    verdicts: list[tuple[bool, Winner | None]] = []
    places: tuple[Step, ...] = ("first", "second")
    for step in places:
        text = log.text(prompt, model, step)
        verdicts.append((text is not None, None if text is None else read_verdict(text)))
    return Seen(
        prompt=prompt,
        answer=log.text(prompt, model, "answer"),
        reference=log.text(prompt, plan.strongest, "answer"),
        first=verdicts[0][1],
        second=verdicts[1][1],
        asked=(verdicts[0][0], verdicts[1][0]),
    )


def _innermost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _innermost(first) if isinstance(first, BaseExceptionGroup) else first


def most_cost(model: Model, body: Mapping[str, Any]) -> int:
    """More than a call can cost, in picodollars: for the cap."""
    size = len(orjson.dumps(body["messages"])) + len(orjson.dumps(body.get("response_format")))
    tokens = size + _TURN_TOKENS * (1 + len(body["messages"]))
    price = max(model.price.input, model.price.cache_write or 0)
    return tokens * price + int(body["max_tokens"]) * model.price.output


async def ask(runtime: Runtime, model: str, body: Mapping[str, Any]) -> tuple[Said, float | None]:
    """One call as serving makes it, with serving's own retries. The second value says after how many seconds it may
    be made again, None where that would not help."""
    clock: Clock = runtime.clock
    request = chat.parse(orjson.dumps({**body, "model": model}))
    try:
        decision = judge(request, Caller(), Wishes(), runtime.snapshot(), clock)
    except (Busy, UpstreamUnavailable) as error:
        runtime.forget_snapshot()
        return Said(None, detail=error.code), error.retry_after_s or _PAUSE_S
    except RouterError as error:
        return Said(None, detail=f"{error.code}: {error.message}"), None
    trace = Trace(decision, runtime.catalog.models[model], stream=False, arrived=clock.monotonic())
    dispatch = Dispatch(runtime, request, trace, _Nobody(), keep_text=True)
    fault = await dispatch.run()
    if fault is not None:
        return Said(None, trace.cost, _told(fault)), _pause(fault)
    assert dispatch.answer is not None
    text = dispatch.answer.body["choices"][0]["message"].get("content")
    if not isinstance(text, str) or not text.strip():
        return Said(None, trace.cost, "an answer without text"), None
    return Said(text, trace.cost), None


def _told(fault: Fault) -> str:
    """Never the upstream's own words, which may quote the prompt."""
    return " ".join(filter(None, (fault.kind, str(fault.status or ""), fault.code or "")))


def _pause(fault: Fault) -> float | None:
    if fault.final or not (fault.kind in _PASSING or fault.status >= 500):
        return None
    return fault.retry_after_s or _PAUSE_S


class _Nobody:
    """The client of whole answers: they are taken from the dispatch, so nothing may be sent here."""

    crowded = False

    async def whole(self, trace: Trace, body: bytes) -> None:
        raise AssertionError("an answer for a client that there is not")

    async def begin(self, trace: Trace) -> None:
        raise AssertionError("a stream that nobody asked for")

    async def send(self, frames: bytes) -> None:
        raise AssertionError("a stream that nobody asked for")

    def write(self, frames: bytes) -> bool:
        raise AssertionError("a stream that nobody asked for")

    async def end(self, frames: bytes) -> None:
        raise AssertionError("a stream that nobody asked for")
